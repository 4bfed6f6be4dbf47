#!/bin/sh
# Run by the image of PostgreSQL, once, when its volume is new: makes the user that unslow logs in
# as, which may read everything and change nothing. READER_PASSWORD_FILE holds its password.
set -eu

psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" <<'SQL'
-- A statement that fails would be in the log, with the password.
set log_min_error_statement = panic;
set log_statement = none;
set log_min_duration_statement = -1;
\set password `cat "$READER_PASSWORD_FILE"`
create role unslow login password :'password';
grant pg_read_all_data to unslow;
-- Belt and braces: unslow itself runs every query in a read-only transaction.
alter role unslow set default_transaction_read_only = on;
alter role unslow set idle_in_transaction_session_timeout = '60s';
SQL
