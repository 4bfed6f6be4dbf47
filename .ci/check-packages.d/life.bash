# shellcheck shell=bash
# For check-packages: the life of a package, from its first installation to its removal, and what has
# to hold at each step. A server runs all the while, as the package's own unit has it run, and is
# asked without a pause.
# shellcheck disable=SC2154 # what is not set here is check-packages'

PIDFILE=/run/unslow/unslow.pid

# What a package brings, with mode and owner.
expected_files() {
  local zsh licence
  case $1 in
    deb) zsh=vendor-completions licence=doc/unslow/copyright ;;
    rpm) zsh=site-functions licence=licenses/unslow/LICENSE ;;
  esac
  {
    cat <<FILES
2750 root:unslow /etc/unslow
640 root:unslow /etc/unslow/app.ini
2750 root:unslow /etc/unslow/queries
755 root:root /usr/bin/unslow
644 root:root /usr/lib/systemd/system/unslow.service
644 root:root /usr/lib/systemd/system/unslow.socket
644 root:root /usr/lib/sysusers.d/unslow.conf
644 root:root /usr/lib/tmpfiles.d/unslow.conf
644 root:root /usr/share/bash-completion/completions/unslow
644 root:root /usr/share/doc/unslow/CHANGELOG.md.gz
644 root:root /usr/share/doc/unslow/examples/hello.sql
644 root:root /usr/share/doc/unslow/examples/logrotate
644 root:root /usr/share/fish/vendor_completions.d/unslow.fish
644 root:root /usr/share/man/man1/unslow.1.gz
644 root:root /usr/share/zsh/$zsh/_unslow
644 root:root /usr/share/$licence
FILES
    if [ "$1" = deb ]; then
      echo '644 root:root /usr/share/doc/unslow/changelog.gz'
      echo '644 root:root /usr/share/lintian/overrides/unslow'
    fi
  } | sort -k3
}

# The same of what is there, without the folders that every package has.
files() {
  local path
  while read -r path; do
    case $path in /etc/unslow*) ;; *) [ -f "$root$path" ] || continue ;; esac
    inside stat --format='%a %U:%G %n' "$path"
  done < <(list_package "$1") | sort -k3
}

# A system user that nobody logs in as.
user_is_right() {
  local entry
  entry=$(inside getent passwd unslow) || { bad 'the user is there'; return; }
  case $entry in
    unslow:*:*:*:*:/:/usr/sbin/nologin) ;;
    *) bad "the user is one that nobody logs in as: $entry"; return ;;
  esac
  if [ "$(cut -d: -f3 <<<"$entry")" -lt 1000 ]; then
    ok 'the user is there, of the system, without a login'
  else
    bad "the user is one of the system: $entry"
  fi
}

first_installation() {
  local kind=$1 package=$2 said
  said=$(install_package "$package" 2>&1) || { bad "installing: $said"; return 1; }
  ok 'installed'
  has 'it says how to start' 'systemctl enable --now unslow.socket unslow.service' "$said"
  same 'files, modes and owners' "$(expected_files "$kind")" "$(files "$kind")"
  same 'all is as it was packed' '' "$(verify_package "$kind" 2>&1)"
  user_is_right
  same 'the program is of this version' "unslow $version" "$(as unslow unslow /usr/bin/unslow --version 2>&1)"
  check 'the settings pass, read as the user' as unslow unslow \
    /usr/bin/unslow check --config /etc/unslow/app.ini
  if as nobody nogroup cat /etc/unslow/app.ini >/dev/null 2>&1; then
    bad 'others cannot read the settings'
  else
    ok 'others cannot read the settings'
  fi
}

# Runs the command of the installed service with a listener that is passed on, as systemd would.
serve() {
  local command
  command=$(sed -n 's/^ExecStart=//p' "$root/usr/lib/systemd/system/unslow.service")
  inside install -d -o unslow -g unslow -m 0755 /run/unslow
  printf -- '-- title: Mine\nselect 1 as one\n' >"$root/etc/unslow/queries/mine.sql"
  # Idle connections, of which there are none here, would be waited for.
  sed -i 's/^keep_alive = .*/# Edited here.\nkeep_alive = 1s/' "$root/etc/unslow/app.ini"
  free_port
  # shellcheck disable=SC2086 # the words of the command
  start_as_service "$PORT" ${command//%t//run}
  wait_listening
  # The listener accepts before the program runs, and the first to come is answered by it.
  get /q/mine.json
  same 'the service answers, as the user, on a listener that is passed on' 200 "$STATUS"
  pid=$(cat "$root$PIDFILE")
  touch "$root/var/tmp/service-runs"
}

wait_listening() {
  local until=$(($(now_ms) + 30000))
  # Asking whether it listens would start it.
  until grep -q ":$(printf %04X "$PORT") 00000000:0000 0A" /proc/net/tcp; do
    [ "$(now_ms)" -lt "$until" ] || fail 'systemd-socket-activate does not listen'
    sleep 0.05
  done
}

# Asks without a pause until the file `enough` is there; what failed is in `lost`, how often in `times`.
visit() {
  local times=0
  : >"$WORK/lost"
  until [ -e "$WORK/enough" ]; do
    get /q/mine.json 2>/dev/null && [ "$STATUS" = 200 ] || printf '%s\n' "${REPLY:-no answer}" >>"$WORK/lost"
    times=$((times + 1))
    echo $times >"$WORK/times.new" && mv "$WORK/times.new" "$WORK/times"
  done
}

# upgrade TITLE PACKAGE WORDS: with what is to be said; sets `said`.
upgrade() {
  local title=$1 package=$2 words=$3
  said=$(install_package "$package" 2>&1) || bad "$title: the installation failed: $said"
  same "$title: systemctl is asked" "daemon-reload;is-active --quiet unslow.service" "$(asked)"
  has "$title: it says so" "$words" "$said"
}

# Whether a process has ended, be it that nobody has asked how.
gone() { ! grep -qs '^State:[[:space:]]*[^ZX]' "/proc/$1/status"; }
wait_until() {
  local what=$1 until=$(($(now_ms) + 90000))
  shift
  until "$@"; do
    [ "$(now_ms)" -lt "$until" ] || { bad "$what, after 90 s not"; return 1; }
    sleep 0.05
  done
  ok "$what"
}
# more_than N: whether the visitor has come more often.
more_than() { [ "$(cat "$WORK/times" 2>/dev/null || echo 0)" -gt "$1" ]; }

upgrades() {
  local kind=$1 first=$2 second=$3 third=$4 old new visitor edited said
  rm -f "$WORK/enough" "$WORK/times"
  visit &
  visitor=$!
  wait_until 'visitors come' more_than 3
  edited=$(cat "$root/etc/unslow/app.ini")

  old=$pid
  upgrade 'an upgrade' "$second" 'systemctl restart unslow.service'
  new=$(cat "$root$PIDFILE")
  if [ "$new" != "$old" ]; then ok 'an upgrade: a new process serves'; else bad 'an upgrade: the old process still serves'; fi
  case $(readlink "/proc/$new/exe") in
    *'(deleted)' | '') bad 'an upgrade: it does not run the new file' ;;
    *) ok 'an upgrade: it runs the new file' ;;
  esac
  wait_until 'an upgrade: the old process has ended' gone "$old"
  same 'an upgrade: edited settings stay' "$edited" "$(cat "$root/etc/unslow/app.ini")"
  case $kind in deb) offered=app.ini.dpkg-dist ;; rpm) offered=app.ini.rpmnew ;; esac
  has 'an upgrade: new settings are put beside them' 'Another line' "$(cat "$root/etc/unslow/$offered" 2>&1)"

  printf '[nonsense]\n' >>"$root/etc/unslow/app.ini"
  upgrade 'bad settings' "$third" 'the version before goes on'
  same 'bad settings: the same process goes on' "$new" "$(cat "$root$PIDFILE")"
  printf '%s\n' "$edited" >"$root/etc/unslow/app.ini"
  upgrade 'another socket, going back' "$first" 'systemctl restart unslow.socket unslow.service'
  pid=$(cat "$root$PIDFILE")
  if [ "$pid" != "$new" ]; then ok 'going back: a new process serves'; else bad 'going back: the old process still serves'; fi
  wait_until 'going back: the old process has ended' gone "$new"
  new=$pid
  upgrade 'the same again' "$first" serves
  case $said in *systemctl*) bad "the same again: no restart is asked for: $said" ;; *) ok 'the same again: no restart is asked for' ;; esac
  pid=$(cat "$root$PIDFILE")
  wait_until 'the same again: the old process has ended' gone "$new"
  wait_until 'visitors still come' more_than $(($(cat "$WORK/times") + 3))
  touch "$WORK/enough"
  wait "$visitor"
  same "none of $(cat "$WORK/times") visits was lost" '' "$(head -n 3 "$WORK/lost")"
}

removal() {
  local kind=$1 kept=app.ini
  check 'removed' remove_package "$kind"
  same 'a removal: systemctl is asked' 'disable --now unslow.socket unslow.service;daemon-reload' "$(asked)"
  if [ -e "$root/usr/bin/unslow" ]; then bad 'a removal: the program is still there'; else ok 'a removal: the program is gone'; fi
  [ "$kind" = deb ] || kept=app.ini.rpmsave
  has 'a removal: edited settings stay' 'Edited here' "$(cat "$root/etc/unslow/$kept" 2>&1)"
  if [ "$kind" = deb ]; then
    check 'purged' inside dpkg --purge unslow
    same 'a purge: only files of others stay' queries/mine.sql "$(cd "$root/etc/unslow" && find . -type f -printf '%P\n')"
    same 'a purge: systemctl is asked' daemon-reload "$(asked)"
  fi
  user_is_right
}

# life KIND FIRST SECOND THIRD: packages of three versions.
life() {
  new_root with-systemd
  first_installation "$1" "$2" || return
  same 'it is neither started nor enabled' daemon-reload "$(asked)"
  serve
  upgrades "$@"
  # systemd would end it; its stand-in does not.
  kill -TERM "$pid"
  wait_until 'the service has ended' gone "$pid"
  removal "$1"
}

# Where nothing of systemd is there.
life_in_container() {
  local kind=$1
  new_root without-systemd
  first_installation "$kind" "$2" || return
  check 'upgraded' install_package "$3"
  check 'removed' remove_package "$kind"
  [ "$kind" = rpm ] || check 'purged' inside dpkg --purge unslow
  if [ -e "$root/etc/unslow" ]; then bad 'unedited settings are still there'; else ok 'unedited settings are gone'; fi
  user_is_right
}

# Where systemd really runs: what `inside` does, which is held to more than a stand-in can be.
life_booted() {
  local kind=$1 package lacks line
  shift
  lacks=$(cannot_boot)
  [ -z "$lacks" ] || { skip "its life under a real systemd, which wants: $lacks"; return; }
  new_root whole
  rm -rf "$WORK/shared"
  mkdir "$WORK/shared"
  cp "$@" .ci/serve.bash .ci/check-packages.d/inside "$WORK/shared/"
  : >"$WORK/shared/held"
  boot_root /shared/inside "$kind" "${@##*/}" >"$WORK/shared/boot.log" 2>&1
  while read -r line; do ok "$line"; done <"$WORK/shared/held"
  if [ ! -e "$WORK/shared/done" ]; then
    bad 'its life under a real systemd'
    cat "$WORK/shared/boot.log" "$WORK/shared/said.log" 2>/dev/null | sed 's/^/        /'
  fi
}
