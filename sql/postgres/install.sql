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

-- Lists the tables below a table, partitions and tables that inherit from it, nearest first. Those
-- that are temporary or foreign are left out.
create or replace function unslow_tables_below(target regclass) returns setof regclass
language sql stable
as $body$
    with recursive below(id, depth) as (
        select target::oid, 0
        union all
        select i.inhrelid, b.depth + 1
        from below b join pg_catalog.pg_inherits i on i.inhparent = b.id
    )
    select c.oid::regclass
    from below b join pg_catalog.pg_class c on c.oid = b.id
    where b.depth > 0 and c.relkind in ('r', 'p') and c.relpersistence <> 't'
    group by c.oid order by max(b.depth), c.oid
$body$;

comment on function unslow_tables_below(regclass) is
    'Lists partitions and inheriting tables, at every depth. From unslow.';

-- unslow_watch('orders'): from now on each statement that changes the table makes the answers of
-- all queries with `-- notify: orders` stale, when its transaction is committed. Another tag may be
-- given: unslow_watch('sales.orders', 'sales'). Safe to repeat; a table has one tag, the last one
-- given. A transaction that changes a watched table cannot be prepared (two-phase commit), and
-- those that do commit one after the other.
--
-- A partitioned table has a trigger for each row besides: PostgreSQL gives it to every partition,
-- also to one that is attached later, so that a statement that names a partition is seen. It runs
-- for each row that changes; one message is sent for each transaction and tag. TRUNCATE of a
-- partition is seen where the partition existed when unslow_watch() was called. Tables that inherit
-- from a plain table are watched where they existed then.
--
-- Not seen: ATTACH, DETACH and DROP of a partition, TRUNCATE of a partition that was made later,
-- writes to a table that began to inherit later, rows that logical replication writes. After one
-- of these, send the tag: `notify unslow, 'orders'`; after a new partition or inheriting table,
-- repeat unslow_watch(). PostgreSQL has event triggers for it, which only a superuser may create:
-- this script creates none.
--
-- It finds unslow_notify() where this script put it, whatever the caller's search path.
create or replace function unslow_watch(target regclass, tag text default null) returns void
language plpgsql
set search_path from current
as $body$
declare
    its_tag text;
    kind "char";
    known text;
    part regclass;
    events text := 'insert or update or delete or truncate';
    row_trigger text;
    part_trigger text;
begin
    select coalesce(tag, relname), relkind into its_tag, kind
    from pg_catalog.pg_class where oid = target;
    if kind not in ('r', 'p') then
        raise exception '% is %: its changes cannot be watched', target, case kind
            when 'v' then 'a view' when 'm' then 'a materialized view'
            when 'f' then 'a foreign table' else 'no table' end
            using hint = case kind
                when 'v' then 'Watch the tables that it reads, with one tag.'
                else 'Send the tag after each change: notify unslow, ''TAG''.' end;
    end if;
    -- The characters that a header line takes.
    if its_tag !~ '^[A-Za-z0-9_.-]{1,63}$' then
        raise exception '"%" cannot be a tag', its_tag
            using hint = 'Give one of up to 63 letters, digits, _, - and . as the second argument.';
    end if;
    -- A trigger's arguments end with a zero byte each.
    select encode(tgargs, 'escape') into known from pg_catalog.pg_trigger
    where tgrelid = target and tgname = 'unslow_watch';
    -- Dropping a trigger waits for everyone who uses the table, so only where it is needed.
    if known <> its_tag || '\000' then
        perform unslow_unwatch(target);
        known := null;
    end if;
    if known is null then
        execute format(
            'create trigger unslow_watch after insert or update or delete or truncate on %s '
            'for each statement execute procedure unslow_notify(%L)', target, its_tag);
    end if;
    -- The names hold the tag, so that a table and one below it may have different ones.
    row_trigger := 'unslow_watch_rows_' || md5(its_tag);
    part_trigger := 'unslow_watch_part_' || md5(its_tag);
    -- Before PostgreSQL 11 a partitioned table takes no trigger for each row.
    if kind = 'p' and current_setting('server_version_num')::integer >= 110000 then
        events := 'truncate';
        if not exists (select from pg_catalog.pg_trigger
                       where tgrelid = target and tgname = row_trigger) then
            -- A partition's own trigger of this name would refuse the one of its parent.
            for part in select unslow_tables_below(target) loop
                if exists (select from pg_catalog.pg_trigger
                           where tgrelid = part and tgname = row_trigger) then
                    execute format('drop trigger %I on %s', row_trigger, part);
                end if;
            end loop;
            execute format(
                'create trigger %I after insert or update or delete on %s '
                'for each row execute procedure unslow_notify(%L)', row_trigger, target, its_tag);
        end if;
    end if;
    for part in select unslow_tables_below(target) loop
        if not exists (select from pg_catalog.pg_trigger
                       where tgrelid = part and tgname = part_trigger) then
            execute format(
                'create trigger %I after %s on %s for each statement '
                'execute procedure unslow_notify(%L)', part_trigger, events, part, its_tag);
        end if;
    end loop;
    if kind = 'p' then
        raise notice 'ATTACH, DETACH and DROP of a partition of % are not seen, nor TRUNCATE of '
            'a partition that is made later; after these: notify unslow, ''%''', target, its_tag
            using hint = 'Repeat unslow_watch() when there is a new partition.';
    elsif exists (select from unslow_tables_below(target)) then
        raise notice 'a table that begins to inherit from % later is not watched', target
            using hint = 'Repeat unslow_watch() when there is one.';
    end if;
end
$body$;

comment on function unslow_watch(regclass, text) is
    'Makes cached answers stale when a table changes. From unslow.';

-- The end of unslow_watch() for a table and those below it. A trigger that a watched table above
-- needs stays, as does the watch that a table below has of its own.
create or replace function unslow_unwatch(target regclass) returns void
language plpgsql
set search_path from current
as $body$
declare
    one record;
begin
    execute format('drop trigger if exists unslow_watch on %s', target);
    for one in
        select t.tgname from pg_catalog.pg_trigger t
        where t.tgrelid = target and t.tgname like 'unslow\_watch\_rows\_%'
        -- PostgreSQL copied it from the parent, which alone can drop it.
        and not exists (select from pg_catalog.pg_inherits i
                        join pg_catalog.pg_trigger above on above.tgrelid = i.inhparent
                        where i.inhrelid = target and above.tgname = t.tgname)
    loop
        execute format('drop trigger %I on %s', one.tgname, target);
    end loop;
    for one in
        select t.tgname, part from (
            select target as part union all select unslow_tables_below(target)) parts
        join pg_catalog.pg_trigger t on t.tgrelid = part
        where t.tgname like 'unslow\_watch\_part\_%'
        and not exists (
            with recursive above(id) as (
                select inhparent from pg_catalog.pg_inherits where inhrelid = part
                union
                select i.inhparent
                from above a join pg_catalog.pg_inherits i on i.inhrelid = a.id
            )
            select from above a join pg_catalog.pg_trigger its on its.tgrelid = a.id
            where its.tgname = 'unslow_watch' and its.tgargs = t.tgargs)
    loop
        execute format('drop trigger %I on %s', one.tgname, one.part);
    end loop;
    -- A table below with a watch of its own and the same tag has lost what this one had for it.
    for one in
        select part, pg_catalog.encode(t.tgargs, 'escape') as args
        from unslow_tables_below(target) part
        join pg_catalog.pg_trigger t on t.tgrelid = part and t.tgname = 'unslow_watch'
    loop
        perform unslow_watch(one.part, pg_catalog.replace(one.args, '\000', ''));
    end loop;
end
$body$;

comment on function unslow_unwatch(regclass) is 'Ends unslow_watch() for a table. From unslow.';
