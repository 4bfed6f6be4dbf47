-- Creates slow_version(), the slow query that unslow shows at /, and unslow_watch(), by which a
-- table makes cached answers stale when it changes. Safe to repeat. It runs as one transaction:
-- either all of it is there afterwards, or nothing has changed.

do $install$
declare
    present regprocedure := to_regprocedure('slow_version()');
begin
    -- One that returns another type cannot be replaced, only dropped.
    if present is not null and pg_get_function_result(present) <> 'text' then
        drop function slow_version();
    end if;
end
$install$;

create or replace function slow_version() returns text
language plpgsql
as $body$
begin
    perform pg_sleep(5);
    return version();
end
$body$;

comment on function slow_version() is 'Waits five seconds, then returns version(). From unslow.';

-- What the triggers run.
create or replace function unslow_notify() returns trigger
language plpgsql
as $body$
begin
    perform pg_catalog.pg_notify('unslow', tg_argv[0]);
    return null;
end
$body$;

comment on function unslow_notify() is 'Tells unslow that a table has changed. From unslow.';

-- unslow_watch('orders'): from now on each statement that changes the table makes the answers of
-- all queries with `-- notify: orders` stale, when its transaction is committed. Another tag may be
-- given: unslow_watch('sales.orders', 'sales'). Safe to repeat; a table has one tag, the last one
-- given. A statement that names a partition is only seen by that partition's own trigger; a
-- transaction that changes a watched table cannot be prepared (two-phase commit), and those that
-- do commit one after the other.
--
-- It finds unslow_notify() where this script put it, whatever the caller's search path.
create or replace function unslow_watch(target regclass, tag text default null) returns void
language plpgsql
set search_path from current
as $body$
declare
    its_tag text := coalesce(tag, (select relname from pg_catalog.pg_class where oid = target));
    known text;
begin
    -- What a header line takes.
    if its_tag !~ '^[A-Za-z0-9_.-]{1,63}$' then
        raise exception '"%" cannot be a tag', its_tag
            using hint = 'Give one of up to 63 letters, digits, _, - and . as the second argument.';
    end if;
    -- A trigger's arguments end with a zero byte each.
    select encode(tgargs, 'escape') into known from pg_catalog.pg_trigger
    where tgrelid = target and tgname = 'unslow_watch';
    -- Dropping a trigger waits for everyone who uses the table, so only where it is needed.
    if known = its_tag || '\000' then
        return;
    end if;
    if known is not null then
        execute format('drop trigger unslow_watch on %s', target);
    end if;
    execute format(
        'create trigger unslow_watch after insert or update or delete or truncate on %s '
        'for each statement execute procedure unslow_notify(%L)', target, its_tag);
end
$body$;

comment on function unslow_watch(regclass, text) is
    'Makes cached answers stale when a table changes. From unslow.';

-- The end of unslow_watch() for a table.
create or replace function unslow_unwatch(target regclass) returns void
language plpgsql
set search_path from current
as $body$
begin
    execute format('drop trigger if exists unslow_watch on %s', target);
end
$body$;

comment on function unslow_unwatch(regclass) is 'Ends unslow_watch() for a table. From unslow.';
