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
    and (pg_catalog.has_table_privilege(its.oid, c.oid, 'insert, update, delete, truncate')
        or pg_catalog.has_any_column_privilege(its.oid, c.oid, 'insert, update'));
    if more is not null then
        raise exception 'the role "%" may write to %: revoke it, also from public, or give '
            'another name', new_role, more;
    end if;
    -- What PUBLIC may create is not asked: before PostgreSQL 15 everybody may, in the schema public.
    select min(what) into more from (
        select format('create in the schema %I', nspname) from pg_catalog.pg_namespace,
            pg_catalog.aclexplode(nspacl) a
        where a.grantee = its.oid and a.privilege_type = 'CREATE'
        union all
        select format('create in the database %I', datname) from pg_catalog.pg_database,
            pg_catalog.aclexplode(datacl) a
        where a.grantee = its.oid and a.privilege_type = 'CREATE'
        union all
        select 'write to tables that others make later (alter default privileges)'
        from pg_catalog.pg_default_acl, pg_catalog.aclexplode(defaclacl) a
        where a.grantee = its.oid
        and a.privilege_type in ('INSERT', 'UPDATE', 'DELETE', 'TRUNCATE')
        union all
        select format('set the sequence %I.%I', n.nspname, c.relname)
        from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
        where n.nspname !~ '^pg_' and case when c.relkind = 'S'
            then pg_catalog.has_sequence_privilege(its.oid, c.oid, 'update') end
        union all
        select 'change what it owns' from pg_catalog.pg_shdepend
        where refclassid = 'pg_catalog.pg_authid'::pg_catalog.regclass
        and refobjid = its.oid and deptype = 'o'
    ) rights(what);
    if more is not null then
        raise exception 'the role "%" may %: revoke it, or give another name', new_role, more;
    end if;
    execute format('alter role %I set default_transaction_read_only = on', new_role);
    execute format('alter role %I in database %I reset default_transaction_read_only', new_role,
        current_database());
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
