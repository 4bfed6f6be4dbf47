#!/usr/bin/env bash
# Makes this machine an instance: fetches program, queries and secrets, has the program write its
# unit files, and starts it. Run by cloud-init at the first boot; can be run again at any time, to
# fetch changed secrets for instance.

# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"

UNITS=$ROOT/etc/systemd/system
CONFIG=$ETC/app.ini

# Only root may write it, only the program may read it.
owned() {
  chown root:unslow "$1"
  chmod "$2" "$1"
}

# keep_secret ID FILE: never readable by others, not even for a moment.
keep_secret() {
  (
    umask 077
    secret "$1" >"$2.new"
  )
  owned "$2.new" 0640
  mv -f "$2.new" "$2"
}

# The queries, each in a line of one object; what is no longer among them goes.
install_queries() {
  local list=$ETC/queries.list folder=$ETC/queries name text
  fetch "$QUERIES_KEY" "$QUERIES_VERSION" "$QUERIES_SHA256" "$list.new"
  rm -rf "$folder.new"
  mkdir -p "$folder.new"
  while read -r name text; do
    case $name in
      '#'*) continue ;;
      *[!a-z0-9_.-]* | .*) fail "$name cannot be the name of a query file" ;;
    esac
    printf '%s' "$text" | base64 --decode >"$folder.new/$name"
    owned "$folder.new/$name" 0640
  done <"$list.new"
  owned "$folder.new" 0750
  rm -rf "$folder"
  mv "$folder.new" "$folder"
  rm -f "$list.new"
}

# The program knows which unit files its settings need; it prints them one after the other, each
# under a comment with its path.
install_units() {
  mkdir -p "$UNITS"
  "$PROGRAM" systemd-unit --config "$CONFIG" | awk -v folder="$UNITS" '
    $1 == "#" && $2 ~ "^/etc/systemd/system/unslow[.](service|socket)$" {
      file = folder substr($2, length("/etc/systemd/system") + 1)
      printf "" > file
    }
    file { print > file }'
  if [ ! -s "$UNITS/unslow.service" ] || [ ! -s "$UNITS/unslow.socket" ]; then
    fail 'no unit files were written'
  fi
}

# A new instance may be there before the database's set-up is done. Past some minutes it starts all
# the same: a database that is away must not keep it from serving what Redis has.
await_database() {
  local said=$ETC/check.said
  if again timeout 20 "$PROGRAM" check --online --config "$CONFIG" >"$said" 2>&1; then
    say 'database and Redis answer'
  else
    say 'starting although not everything answers:'
    cat "$said" >&2
  fi
  rm -f "$said"
}

install_program
getent passwd unslow >/dev/null ||
  useradd --system --user-group --no-create-home --home-dir / --shell /usr/sbin/nologin unslow
owned "$ETC" 0750
owned "$CONFIG" 0640
install_ca
keep_secret "$DATABASE_SECRET" "$ETC/database-password"
keep_secret "$CACHE_SECRET" "$ETC/cache-password"
install_queries
"$PROGRAM" check --config "$CONFIG" >&2 || fail "the settings or queries are not in order"
install_units
await_database

systemctl daemon-reload
systemctl enable unslow.socket unslow.service
systemctl start unslow.socket
systemctl restart unslow.service
again curl --fail --silent --output /dev/null "http://127.0.0.1:$PORT/healthz" ||
  fail 'it does not serve; see: journalctl -u unslow'
say "serves at port $PORT"
