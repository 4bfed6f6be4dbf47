# shellcheck shell=bash
# The checks of `unslow deploy systemd`, for check-deploy: systemd's own judgement of the units, its
# programs on the other files, install.sh on a folder that stands for an image; and, where root may
# make namespaces, all of it under a systemd that is booted for it (systemd/boot, systemd/inside).
# shellcheck disable=SC2154 # work, program and the words for results are check-deploy's

here=.ci/check-deploy.d/systemd

# The folder of a machine that has nothing but the program's libraries and the files of users.
machine() {
  local root=$1
  mkdir -p "$root/etc" "$root/tmp"
  printf 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534::/:/usr/sbin/nologin\n' >"$root/etc/passwd"
  printf 'root:x:0:\nnogroup:x:65534:\n' >"$root/etc/group"
}

# The units by systemd-analyze, on a folder where the program they name can be found.
verify() {
  local folder=$1 root=$work/verify
  mkdir -p "$root/usr/local/bin" "$root/etc/systemd/system"
  cp "$program" "$root/usr/local/bin/unslow"
  cp "$folder"/unslow.{service,socket} "$root/etc/systemd/system/"
  # What units of the system may lack is not ours to say.
  SYSTEMD_LOG_LEVEL=info systemd-analyze verify --root="$root" --man=no --recursive-errors=no \
    unslow.service unslow.socket >"$work/verified" 2>&1 || { cat "$work/verified"; return 1; }
  ! grep 'unslow\.' "$work/verified"
}

# A folder with the system's own units for --root, which has none otherwise.
security() {
  systemd-analyze security --offline=yes --threshold=15 --no-pager "$1/unslow.service"
}

users_and_folders() {
  local folder=$1 root=$work/folders
  machine "$root"
  systemd-sysusers --root="$root" "$folder/sysusers.d/unslow.conf" || return 1
  grep '^unslow:.*:/:.*/nologin$' "$root/etc/passwd" || return 1
  systemd-tmpfiles --root="$root" --create "$folder/tmpfiles.d/unslow.conf" || return 1
  [ "$(stat -c %a "$root/etc/unslow" "$root/etc/unslow/queries" | paste -sd' ')" = '2750 2750' ] || return 1
  [ "$(stat -c %g "$root/etc/unslow")" = "$(awk -F: '$1 == "unslow" { print $3 }' "$root/etc/group")" ]
}

# install.sh on an image: first, again, over other settings, with another program.
install_image() {
  local folder=$1 root=$work/image bin=$work/bin library
  machine "$root"
  mkdir -p "$bin"
  printf '#!/bin/sh\nprintf "systemctl %%s\\n" "$*" >>"%s"\n' "$work/asked" >"$bin/systemctl"
  chmod 755 "$bin/systemctl"
  # The program of a debug build is not static.
  for library in $(ldd "$program" | grep -o '/[^ ]*'); do
    install -D "$(realpath "$library")" "$root$library"
  done
  image() { : >"$work/asked" && PATH=$bin:$PATH "$folder/install.sh" --root "$root" "$1"; }

  image "$program" || return 1
  [ "$(cat "$work/asked")" = "systemctl --root=$root enable --quiet unslow.socket unslow.service" ] || return 1
  cmp "$program" "$root/usr/local/bin/unslow" || return 1
  cmp "$folder/unslow.service" "$root/etc/systemd/system/unslow.service" || return 1
  [ "$(stat -c %a "$root/etc/unslow/app.ini")" = 640 ] || return 1
  [ "$(stat -c %g "$root/etc/unslow/app.ini")" = "$(stat -c %g "$root/etc/unslow")" ] || return 1
  [ ! -e "$root/etc/logrotate.d" ] || return 1

  # Again, nothing is left to write.
  image "$program" 2>"$work/again" || return 1
  [ ! -s "$work/again" ] || { cat "$work/again"; return 1; }

  # What somebody has edited stays, and the units follow it.
  sed -i 's|^bind = .*|bind = :80|; s|^#error = /var|error = /var|' "$root/etc/unslow/app.ini"
  cp "$root/etc/unslow/app.ini" "$work/edited.ini"
  { cat "$program" && printf x; } >"$work/newer"
  image "$work/newer" || return 1
  cmp "$work/edited.ini" "$root/etc/unslow/app.ini" || return 1
  cmp "$program" "$root/usr/local/bin/unslow.old" || return 1
  grep -x 'ListenStream=0.0.0.0:80' "$root/etc/systemd/system/unslow.socket" || return 1
  grep -x 'User=unslow' "$root/etc/systemd/system/unslow.service" || return 1
  grep -x 'LogsDirectory=unslow' "$root/etc/systemd/system/unslow.service" || return 1
  [ -e "$root/etc/logrotate.d/unslow" ] || return 1

  # Settings that are wrong: nothing of the units is touched.
  printf 'nonsense\n' >>"$root/etc/unslow/app.ini"
  cp "$root/etc/systemd/system/unslow.socket" "$work/before.socket"
  ! image "$work/newer" >"$work/wrong" 2>&1 || return 1
  grep 'app.ini is not in order' "$work/wrong" && cmp "$work/before.socket" "$root/etc/systemd/system/unslow.socket"
}

# What the booted systemd is given: the few units that it needs, servers, and what to do.
booted() {
  local folder=$1 shared=$work/booted unit postgres
  postgres=$(find /usr/lib/postgresql -name postgres -path '*/bin/*' 2>/dev/null | sort -V | tail -n 1)
  postgres=${postgres%/postgres}
  machine "$shared"
  mkdir -p "$shared/etc/systemd/system"
  printf '127.0.0.1 localhost\n' >"$shared/etc/hosts"
  printf 'passwd: files\ngroup: files\nhosts: files\n' >"$shared/etc/nsswitch.conf"
  printf '%032d\n' 1 >"$shared/etc/machine-id"
  for unit in systemd-journald.service systemd-journald.socket systemd-journald-dev-log.socket \
    sysinit.target basic.target sockets.target multi-user.target network-online.target shutdown.target \
    umount.target final.target exit.target systemd-exit.service; do
    cp "/lib/systemd/system/$unit" "$shared/etc/systemd/system/" || return 1
  done
  cat >"$shared/etc/systemd/system/check.target" <<'UNIT'
[Unit]
Requires=check.service systemd-journald.socket systemd-journald-dev-log.socket
UNIT
  cat >"$shared/etc/systemd/system/check.service" <<'UNIT'
[Service]
Type=oneshot
TimeoutStartSec=infinity
Environment=PATH=/usr/local/bin:/usr/sbin:/usr/bin
ExecStart=/shared/inside
StandardOutput=append:/shared/said.log
StandardError=append:/shared/said.log
ExecStopPost=systemctl --no-block exit
UNIT
  cat >"$shared/etc/systemd/system/check-redis.service" <<'UNIT'
[Service]
User=nobody
WorkingDirectory=/var/lib/check
ExecStart=redis-server --port 0 --tls-port 7000 --tls-cert-file cert.pem --tls-key-file key.pem --tls-ca-cert-file cert.pem --tls-auth-clients no --save ""
UNIT
  cat >"$shared/etc/systemd/system/check-database.service" <<UNIT
[Service]
Type=notify
NotifyAccess=all
User=nobody
WorkingDirectory=/var/lib/check
Environment=PATH=$postgres:/usr/bin
ExecStartPre=sh -c 'echo secret >pw && chmod 600 database-key.pem && initdb -D data -A scram-sha-256 --pwfile pw --no-sync >initdb.log'
ExecStart=$postgres/postgres -D data -k /var/lib/check -c ssl=on -c ssl_cert_file=/var/lib/check/cert.pem -c ssl_key_file=/var/lib/check/database-key.pem
UNIT
  printf '[req]\ndistinguished_name=name\nx509_extensions=own\n[name]\n[own]\nbasicConstraints=critical,CA:FALSE\nsubjectAltName=DNS:localhost,IP:127.0.0.1\n' >"$shared/openssl.cnf"
  openssl req -config "$shared/openssl.cnf" -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 \
    -subj /CN=localhost -keyout "$shared/key.pem" -out "$shared/cert.pem" || return 1
  cp "$here/inside" "$here/visitors.py" "$shared/"
  cp "$program" "$shared/unslow"
  cp -r "$folder" "$shared/deployed"
  : >"$shared/held"
  "$here/boot" "$shared" >"$shared/boot.log" 2>&1
  if [ -e "$shared/done" ]; then
    return 0
  fi
  cat "$shared/boot.log" "$shared/said.log"
  return 1
}

# What that needs; said where it is missing.
can_boot() {
  local lacks=()
  [ "$(id -u)" = 0 ] || lacks+=('to be root')
  unshare --mount --pid --fork --cgroup --net true 2>/dev/null || lacks+=('namespaces')
  "$here/boot" --can || lacks+=('a cgroup v2 to make groups in')
  [ -x /lib/systemd/systemd ] || lacks+=('systemd')
  [ -L /lib ] || lacks+=('a system with /usr merged')
  for tool in redis-server redis-cli openssl curl; do
    have "$tool" || lacks+=("$tool")
  done
  [ -x /usr/bin/python3 ] || lacks+=('/usr/bin/python3')
  compgen -G '/usr/lib/postgresql/*/bin/postgres' >/dev/null || lacks+=('PostgreSQL')
  [ ${#lacks[@]} = 0 ] || { printf '%s, ' "${lacks[@]}"; return 1; }
}

check_systemd() {
  local folder=$1 lacks line
  if have shellcheck; then
    check 'shellcheck: install.sh' shellcheck "$folder/install.sh"
  else
    skip 'shellcheck: it is not installed (apt-get install shellcheck)'
  fi
  check 'unslow check: app.ini as it is written' "$program" check --config "$folder/app.ini"
  if ! have systemd-analyze || ! have systemd-sysusers || ! have systemd-tmpfiles; then
    skip 'everything else: systemd is not installed (apt-get install systemd)'
    return
  fi
  check 'systemd-analyze verify' verify "$folder"
  check 'systemd-analyze security: 1.5 or better' security "$folder"
  sed -n 's/.*\(Overall exposure.*\)/        \1/p' "$work/said"
  if [ "$(id -u)" != 0 ]; then
    skip 'users, folders and install.sh: these checks want root'
  else
    check 'users and folders, by systemd-sysusers and systemd-tmpfiles' users_and_folders "$folder"
    check 'install.sh on an image: again, over other settings, over wrong ones' install_image "$folder"
  fi
  if ! lacks=$(can_boot); then
    skip "its life under a real systemd, which wants: ${lacks%, }"
    return
  fi
  check 'its life under a real systemd' booted "$folder"
  while read -r line; do printf '        %s\n' "$line"; done <"$work/booted/held"
}
