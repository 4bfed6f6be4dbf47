-- Makes a role that only reads, called as the setting unslow.new_role says. Safe to repeat. It runs
-- as one statement: where it refuses, nothing has changed.
do $reader$
declare
    new_role text := pg_catalog.current_setting('unslow.new_role');
    its record;
    more text;
    one record;
begin
    if new_role = '' or octet_length(new_role) > 63 or new_role ~ '^pg_'
        or new_role in ('public', 'none') then
        raise exception '"%" cannot be the name of a role', new_role;
    end if;
    if new_role = current_user then
        raise exception 'the role "%" is the one that installs: give another name', new_role;
    end if;
    select * into its from pg_catalog.pg_roles where rolname = new_role;
    if not found then
        execute format('create role %I login', new_role);
        select * into its from pg_catalog.pg_roles where rolname = new_role;
    end if;
    if its.rolsuper or its.rolcreaterole or its.rolcreatedb or its.rolreplication
        or its.rolbypassrls then
        raise exception 'the role "%" is a superuser or has one of createrole, createdb, '
            'replication and bypassrls: give another name', new_role;
    end if;
    if not its.rolcanlogin then
        raise exception 'the role "%" exists and cannot log in: give another name', new_role;
    end if;
    select string_agg(g.rolname, ', ' order by g.rolname) into more
    from pg_catalog.pg_auth_members m join pg_catalog.pg_roles g on g.oid = m.roleid
    where m.member = its.oid and g.rolname <> 'pg_read_all_data';
    if more is not null then
        raise exception 'the role "%" is a member of %: give another name', new_role, more;
    end if;
    select min(format('%I.%I', n.nspname, c.relname)) into more
    from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where c.relkind in ('r', 'p', 'v', 'f') and n.nspname !~ '^pg_'
    and n.nspname <> 'information_schema'
    and pg_catalog.has_table_privilege(its.oid, c.oid, 'insert, update, delete, truncate');
    if more is not null then
        raise exception 'the role "%" may write to %: revoke it, also from public, or give '
            'another name', new_role, more;
    end if;
    execute format('alter role %I set default_transaction_read_only = on', new_role);
    if not pg_catalog.has_database_privilege(its.oid, current_database(), 'connect') then
        execute format('grant connect on database %I to %I', current_database(), new_role);
    end if;
    for one in
        select nspname from pg_catalog.pg_namespace
        where nspname !~ '^pg_' and nspname <> 'information_schema'
        and pg_catalog.has_schema_privilege(oid, 'usage with grant option')
    loop
        execute format('grant usage on schema %I to %I', one.nspname, new_role);
    end loop;
    for one in
        select n.nspname, c.relname
        from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
        where c.relkind in ('r', 'p', 'v', 'm', 'f') and n.nspname !~ '^pg_'
        and n.nspname <> 'information_schema'
        and pg_catalog.has_table_privilege(c.oid, 'select with grant option')
    loop
        execute format('grant select on table %I.%I to %I', one.nspname, one.relname, new_role);
    end loop;
    execute format('alter default privileges grant select on tables to %I', new_role);
    execute format('grant execute on function slow_version() to %I', new_role);
end
$reader$
