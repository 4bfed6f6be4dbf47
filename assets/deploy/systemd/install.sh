#!/usr/bin/env bash
# Installs unslow as a service: program, user, folders, settings, units; then starts it, or has the
# program that runs replaced without losing a request. Can be run again at any time, with a newer
# program, or after a change of app.ini that concerns the units. Settings that are there stay.
#
# usage: install.sh [--root DIR] [PROGRAM]
#   PROGRAM     the unslow to install (default: the one in PATH)
#   --root DIR  installs into an image below DIR, and starts nothing
set -euo pipefail

say() { printf '%s\n' "$*" >&2; }
fail() {
  say "install.sh: $*"
  exit 1
}

root='' program=''
while [ $# -gt 0 ]; do
  case $1 in
    --root)
      [ -d "${2:-}" ] || fail '--root wants a folder that is there'
      root=$(realpath "$2")
      shift
      ;;
    -*) fail "there is no option $1; usage: install.sh [--root DIR] [PROGRAM]" ;;
    *) program=$1 ;;
  esac
  shift
done
[ "$root" != / ] || root=''
program=${program:-$(command -v unslow || true)}
[ -n "$program" ] || fail 'name the program: install.sh /path/to/unslow'
[ -f "$program" ] || fail "there is no $program"
[ "$(id -u)" = 0 ] || fail 'only root can install a service: sudo install.sh …'

here=$(dirname "$(realpath "$0")")
installed=$root/usr/local/bin/unslow
config=$root/etc/unslow/app.ini
units=$root/etc/systemd/system

# Whether something was changed that has to be acted upon.
new_program='' new_units=''

# in_root COMMAND…: as the image would run it, with a /proc that is gone afterwards.
in_root() {
  if [ -z "$root" ]; then
    "$@"
    return
  fi
  mkdir -p "$root/proc"
  # shellcheck disable=SC2016 # that shell's own
  unshare --mount sh -c 'mount -t proc proc "$0/proc" && exec chroot "$0" "$@"' "$root" "$@"
}

# put FROM TO: for everybody to read, and nothing where it is the same already.
put() {
  cmp --silent "$1" "$2" && return 0
  install -D -m 644 "$1" "$2"
  say "wrote $2"
}

# Beside it and then in its place: a file that runs cannot be written to, and nobody finds half a
# program. The one before stays, to go back to.
install_program() {
  cmp --silent "$program" "$installed" && return 0
  install -D -m 755 "$program" "$installed.new"
  [ ! -e "$installed" ] || ln -f "$installed" "$installed.old"
  mv -f "$installed.new" "$installed"
  new_program=yes
  say "wrote $installed"
}

install_user_and_folders() {
  put "$here/sysusers.d/unslow.conf" "$root/etc/sysusers.d/unslow.conf"
  put "$here/tmpfiles.d/unslow.conf" "$root/etc/tmpfiles.d/unslow.conf"
  systemd-sysusers --root="${root:-/}" "$root/etc/sysusers.d/unslow.conf"
  systemd-tmpfiles --root="${root:-/}" --create "$root/etc/tmpfiles.d/unslow.conf"
}

# Their group is the folder's.
install_settings() {
  if [ -e "$config" ]; then
    cmp --silent "$here/app.ini" "$config" || say "kept $config as it is"
    return 0
  fi
  cp "$here/app.ini" "$config"
  chmod 640 "$config"
  say "wrote $config"
}

# As the service's user: what root can read says nothing. An image may lack what its settings name.
check_settings() {
  [ -z "$root" ] || return 0
  setpriv --reuid=unslow --regid=unslow --init-groups "$installed" check --config "$config" >&2 ||
    fail "$config is not in order, for the reason above; what runs was left alone"
}

# The units here are for app.ini as it is here; for another one the program makes them.
make_units() {
  local to=$1 line file='' gap=''
  if cmp --silent "$here/app.ini" "$config"; then
    cp "$here/unslow.service" "$here/unslow.socket" "$to"
    return 0
  fi
  in_root /usr/local/bin/unslow systemd-unit --config /etc/unslow/app.ini --user unslow >"$to/both" ||
    fail "$config is not in order, for the reason above; the units are as they were"
  # Each file begins with a comment that has its path, after an empty line.
  while IFS= read -r line; do
    case $line in
      '# /etc/systemd/system/unslow.service' | '# /etc/systemd/system/unslow.socket')
        file=$to/${line##*/}
        gap=''
        ;;
      '')
        gap=$'\n'
        continue
        ;;
    esac
    printf '%s%s\n' "$gap" "$line" >>"$file"
    gap=''
  done <"$to/both"
}

install_units() {
  local made file
  made=$(mktemp -d)
  # shellcheck disable=SC2064 # the folder of now
  trap "rm -rf '$made'" EXIT
  make_units "$made"
  for file in unslow.service unslow.socket; do
    # With a descriptor in the settings there is no socket of ours.
    [ -e "$made/$file" ] || continue
    cmp --silent "$made/$file" "$units/$file" && continue
    put "$made/$file" "$units/$file"
    new_units=yes
  done
  # Where the service has a folder for logs, somebody has to empty it.
  if grep -q '^LogsDirectory=unslow$' "$made/unslow.service"; then
    put "$here/logrotate.d/unslow" "$root/etc/logrotate.d/unslow"
  fi
}

start() {
  local was_active=''
  systemctl daemon-reload
  systemctl is-active --quiet unslow.service && was_active=yes
  systemctl enable --quiet unslow.socket unslow.service
  systemctl start unslow.socket unslow.service || fail 'it does not start; see: journalctl -u unslow'
  if [ -z "$was_active" ]; then
    say 'it serves'
    return 0
  fi
  if [ -n "$new_units" ]; then
    say 'The units have changed, which takes a restart: sudo systemctl restart unslow.socket unslow.service'
    say 'New visitors wait meanwhile, until the last of the old ones has gone.'
  elif [ -n "$new_program" ]; then
    "$installed" upgrade --config "$config" --pid /run/unslow/unslow.pid >&2
  else
    systemctl reload unslow.service
  fi
}

install_program
install_user_and_folders
install_settings
check_settings
install_units
if [ -n "$root" ]; then
  # In an image they are only noted down, for its first start.
  systemctl --root="$root" enable --quiet unslow.socket unslow.service
else
  start
fi
