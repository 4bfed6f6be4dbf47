-- Run by psql as the database's master, as one transaction; safe to repeat. Variables: user,
-- verifier (its password as a hash), schemas (with commas between them).

-- What the application may do belongs to a role that nobody logs in as: its two users take turns.
select 'create role unslow_read nologin'
where not exists (select from pg_catalog.pg_roles where rolname = 'unslow_read') \gexec

select format('create role %I login', :'user')
where not exists (select from pg_catalog.pg_roles where rolname = :'user') \gexec

grant unslow_read to :"user";
select format('alter role %I password %L', :'user', :'verifier') \gexec
-- Belt and braces: unslow itself runs every query in a read-only transaction.
alter role :"user" set default_transaction_read_only = on;
alter role :"user" set idle_in_transaction_session_timeout = '60s';

select format('grant connect on database %I to unslow_read', current_database()) \gexec

-- A schema that is not there yet is left out: run this again when it is.
select format(statement, nspname)
from pg_catalog.pg_namespace,
    unnest(array[
        'grant usage on schema %I to unslow_read',
        'grant select on all tables in schema %I to unslow_read',
        -- Also on tables that the master makes later.
        'alter default privileges in schema %I grant select on tables to unslow_read'
    ]) as statement
where nspname = any (string_to_array(:'schemas', ',')) \gexec
