# What the packages' scripts share. .ci/package puts this file in front of each of them, and its own
# text in the place of the words in capitals between @: a script of a package stands alone.
# Nothing here fails where systemd is not what runs the machine, as in a container or an image that
# is being made.

CONFIG=/etc/unslow/app.ini
PIDFILE=/run/unslow/unslow.pid
# While new files are unpacked: the units that are to be restarted because they change.
CHANGED=/run/unslow.service-changed

has() { command -v "$1" >/dev/null 2>&1; }
say() { printf 'unslow: %s\n' "$*"; }

# Whether there is a systemd to talk to.
systemd_runs() { [ -d /run/systemd/system ] && has systemctl; }

# The user that the service runs as.
make_user() {
  if has systemd-sysusers; then
    systemd-sysusers --replace=/usr/lib/sysusers.d/unslow.conf - <<'SYSUSERS'
@SYSUSERS@
SYSUSERS
  else
    getent group unslow >/dev/null || groupadd --system unslow
    getent passwd unslow >/dev/null || useradd --system --gid unslow --no-create-home \
      --home-dir / --shell /usr/sbin/nologin --comment 'unslow, slow SQL behind a cache' unslow
  fi
}

# The folders that tmpfiles.d/unslow.conf describes.
make_folders() {
  if has systemd-tmpfiles; then systemd-tmpfiles --create unslow.conf; fi
}

# Before the new files are unpacked: which units they change. A new socket takes the service along,
# which else would go on with the former one.
compare_units() {
  units=
  [ "$(sum_of unslow.socket)" = '@SOCKET_SUM@' ] || units='unslow.socket unslow.service'
  [ "$(sum_of unslow.service)" = '@SERVICE_SUM@' ] || units=${units:-unslow.service}
  rm -f "$CHANGED"
  [ -z "$units" ] || printf '%s\n' "$units" >"$CHANGED"
}
sum_of() { cksum 2>/dev/null <"/usr/lib/systemd/system/$1" || true; }

say_how_to_start() {
  say "it is not started. Its settings are $CONFIG; 'unslow check --online --config $CONFIG' tries them."
  say 'to start it, now and at every boot: systemctl enable --now unslow.socket unslow.service'
}

# After an upgrade: a service that runs becomes the new version, one that does not stays as it is.
#
# The new program takes over from the old one by itself, as with `unslow upgrade` by hand: nobody
# waits, and when it does not come up, say with settings that it refuses, the old one goes on. A
# restart would have new visitors wait until the last of the old ones has gone, and could end the
# service; so the one thing that needs it, another unit file, is left to whoever reads this.
take_over() {
  if systemd_runs; then
    systemctl daemon-reload || true
    if systemctl is-active --quiet unslow.service; then hand_over; fi
  fi
  rm -f "$CHANGED"
}
hand_over() {
  # By its whole name: in PATH there may be another one first, which somebody has put there.
  if ! /usr/bin/unslow upgrade --config "$CONFIG" --pid "$PIDFILE"; then
    say 'the version before goes on, for the reason above.'
    say 'when that is mended: systemctl restart unslow.service'
  elif [ -e "$CHANGED" ]; then
    say 'its unit files have changed too, which takes a restart; new visitors wait meanwhile:'
    say "systemctl restart $(cat "$CHANGED")"
  fi
}

# Before the files go.
end_service() {
  has systemctl || return 0
  # Links that would lead nowhere are also to be removed where systemd does not run.
  if systemd_runs; then
    systemctl disable --now unslow.socket unslow.service || true
  else
    systemctl disable unslow.socket unslow.service || true
  fi
}

# After the files have gone.
forget_units() {
  rm -f "$CHANGED"
  if systemd_runs; then systemctl daemon-reload || true; fi
}
