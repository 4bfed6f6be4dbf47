#!/usr/bin/env bash
# Does on the database, as its master, what the application may not: makes the application's user,
# lets it read, and creates slow_version(). Run once by cloud-init on a machine of its own, which
# stops when this ends, however it ends. Safe to repeat.

# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"

WORK=$(mktemp -d)
finish() {
  local code=$?
  rm -rf "$WORK"
  if [ "$code" = 0 ]; then say 'the database is set up'; else say 'the database is NOT set up'; fi
  # In a minute: what was said has to reach the console before.
  shutdown --poweroff +1
}
trap finish EXIT
umask 077

# master NAME: that part of the master's secret, which is JSON.
master() { python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))[sys.argv[2]])' "$WORK/master" "$1"; }

install_program
install_ca
# Any of them talks to any server.
command -v psql >/dev/null || again dnf install -y -q postgresql17 || again dnf install -y -q postgresql15 ||
  fail 'no psql can be installed'

secret "$MASTER_SECRET" >"$WORK/master"
secret "$DATABASE_SECRET" >"$WORK/password"
USER_NAME=$(master username)
master password >"$WORK/master-password"
# The database gets the password as a hash, so that neither its log nor `ps` can show it.
VERIFIER=$(python3 "$(dirname "$0")/verifier.py" <"$WORK/password")

export PGHOST=$DATABASE_HOST PGPORT=$DATABASE_PORT PGDATABASE=$DATABASE_NAME PGUSER=$USER_NAME
export PGSSLMODE=$DATABASE_SSLMODE PGSSLROOTCERT=$CA PGCONNECT_TIMEOUT=10
PGPASSWORD=$(cat "$WORK/master-password")
export PGPASSWORD
again psql --no-psqlrc --quiet --command 'select 1' >/dev/null || fail "the database does not let its master in"
psql --no-psqlrc --quiet --single-transaction --set ON_ERROR_STOP=1 \
  --set user="$DATABASE_USER" --set verifier="$VERIFIER" --set schemas="$DATABASE_SCHEMAS" \
  --file "$(dirname "$0")/set-up-database.sql" >/dev/null
unset PGPASSWORD

# In a folder without an app.ini, so that nothing but this is set.
cd "$WORK"
"$PROGRAM" install --db-host "$DATABASE_HOST" --db-port "$DATABASE_PORT" --db-name "$DATABASE_NAME" \
  --db-user "$USER_NAME" --db-password-file "$WORK/master-password" \
  --db-sslmode "$DATABASE_SSLMODE" --db-sslrootcert "$CA"
