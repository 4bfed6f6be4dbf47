# shellcheck shell=bash
# For check-packages: folders with a small Debian, and how programs are run in them. A systemd that
# runs is played by a folder in /run and by a systemctl that writes down what it is asked.
# shellcheck disable=SC2154 # target and WORK are those of check-packages

# The Debian that every root is a copy of; made once.
base=$target/check-packages/$suite-systemd-rpm
boot=.ci/check-deploy.d/systemd/boot

make_base() {
  [ -d "$base" ] && return 0
  say "making a small $suite in $base"
  rm -rf "$base.new"
  mkdir -p "$(dirname "$base")"
  # shellcheck disable=SC2086 # no mirror is debootstrap's own choice
  debootstrap --variant=minbase --include=systemd,rpm "$suite" "$base.new" $mirror \
    >"$base.log" 2>&1 || return 1
  mv "$base.new" "$base"
}

# new_root whole|with-systemd|without-systemd: a fresh copy, in `root`.
new_root() {
  root=$target/check-packages/root
  rm -rf "$root"
  cp -a "$base" "$root"
  if [ "$1" = whole ]; then return; fi
  if [ "$1" = without-systemd ]; then
    rm "$root"/usr/bin/systemctl "$root"/usr/bin/systemd-sysusers "$root"/usr/bin/systemd-tmpfiles
    rm -rf "$root/run/systemd"
    return
  fi
  mkdir -p "$root/run/systemd/system"
  rm "$root/usr/bin/systemctl"
  cat >"$root/usr/bin/systemctl" <<'STAND_IN'
#!/bin/sh
printf '%s\n' "$*" >>/var/tmp/asked
[ "$1" != is-active ] || [ -e /var/tmp/service-runs ]
STAND_IN
  chmod 755 "$root/usr/bin/systemctl"
}

# with_proc COMMAND…: with a /proc in the root, which is gone when the command is.
with_proc() {
  # shellcheck disable=SC2016 # for the inner shell
  unshare --mount sh -c 'mount -t proc proc "$0/proc" && exec "$@"' "$root" "$@"
}

# inside COMMAND…: in the root, without this shell's environment.
inside() {
  with_proc chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 \
    DEBIAN_FRONTEND=noninteractive "$@"
}

# as USER GROUP COMMAND…
as() {
  local user=$1 group=$2
  shift 2
  inside setpriv --reuid "$user" --regid "$group" --init-groups --no-new-privs "$@"
}

# start_as_service PORT COMMAND…: in the background, with a listener that is passed on; the process
# that listens becomes the command, for a listener is passed on to one process by its number.
start_as_service() {
  local port=$1
  shift
  # shellcheck disable=SC2016 # for the inner shell
  start systemd-socket-activate --listen="127.0.0.1:$port" \
    unshare --mount sh -c 'mount -t proc proc "$0/proc" && exec chroot "$0" env -i PATH=/usr/bin:/bin \
      LISTEN_PID="$LISTEN_PID" LISTEN_FDS="$LISTEN_FDS" \
      setpriv --reuid unslow --regid unslow --init-groups --no-new-privs "$@"' "$root" "$@"
}

# What systemctl was asked since the last time, on one line.
asked() {
  [ ! -e "$root/var/tmp/asked" ] || paste -sd ';' "$root/var/tmp/asked"
  rm -f "$root/var/tmp/asked"
}

# The two families' own words. Each prints what it says.
# install_package FILE: also upgrades, and goes back. No question is asked, and edited settings stay.
install_package() {
  cp "$1" "$root/var/tmp/"
  case $1 in
    *.deb) inside dpkg --force-confdef --force-confold --install "/var/tmp/${1##*/}" ;;
    *.rpm) by_rpm --upgrade --oldpackage --replacepkgs "/var/tmp/${1##*/}" ;;
  esac
}
remove_package() {
  case $1 in
    deb) inside dpkg --remove unslow ;;
    rpm) by_rpm --erase unslow ;;
  esac
}
list_package() {
  case $1 in
    deb) inside dpkg-query --listfiles unslow ;;
    rpm) by_rpm --query --list unslow ;;
  esac
}
# What is not as it was packed.
verify_package() {
  case $1 in
    deb) inside dpkg --verify unslow ;;
    rpm) by_rpm --verify --nodeps unslow ;;
  esac
}
# Nothing else in the root is rpm's, so what the package needs is not looked for.
by_rpm() {
  local nodeps=(--nodeps)
  case $1 in --query | --verify) nodeps=() ;; esac
  # --force-debian: that of Debian would rather not.
  inside rpm --force-debian --dbpath /var/lib/rpm "$@" ${nodeps[@]+"${nodeps[@]}"}
}

# What is missing for booting a root; nothing where it can be done.
cannot_boot() {
  unshare --mount --pid --fork --cgroup --net true 2>/dev/null || echo 'namespaces'
  "$boot" --can || echo 'a cgroup v2 to make groups in'
}

# boot_root COMMAND…: boots the root by its own systemd, to run a command in it; WORK/shared is
# /shared there.
boot_root() {
  local units=$root/etc/systemd/system
  printf '%032d\n' 1 >"$root/etc/machine-id"
  cat >"$units/check.target" <<'UNIT'
[Unit]
Requires=check.service
UNIT
  cat >"$units/check.service" <<UNIT
[Service]
Type=oneshot
TimeoutStartSec=infinity
ExecStart=$*
StandardOutput=append:/shared/said.log
StandardError=append:/shared/said.log
ExecStopPost=systemctl --no-block exit
UNIT
  "$boot" "$WORK/shared" "$root"
}
