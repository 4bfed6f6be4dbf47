-- What the rehearsal's database holds: a slow function that notes each of its runs in the server's
-- log, where report.py counts them, and a user for unslow that may read and no more. psql runs it,
-- with DATABASE_PASSWORD_FILE in its environment.

-- The log is outside of transactions, so that a run counts that is cut off, or that only reads.
-- The wait is more than half of the query's ttl: what unslow fetches ahead of its time, from the
-- middle of the ttl on, is then still no second load within one ttl.
create function load_slowly(key integer) returns text
language plpgsql
as $body$
begin
    raise log 'load of key % begins', key;
    perform pg_sleep(1.4);
    return version();
end
$body$;

\set password `cat "$DATABASE_PASSWORD_FILE"`
create role unslow login password :'password';
alter role unslow set default_transaction_read_only = on;
