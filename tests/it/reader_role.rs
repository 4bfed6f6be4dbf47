//! `unslow install --role`: the role that it makes reads everything and writes nothing, and a role
//! with other rights is refused.

use crate::end_to_end::one_off;
use crate::servers::postgres;

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn the_role_reads_and_does_not_write_and_check_has_no_warning_of_it() {
    let server = postgres();
    let database = server.database();
    let sql = |sql: &str| server.psql(&database, sql);
    let ini = |user: &str| {
        format!(
            "[postgres]\nhost=127.0.0.1\nport={}\nuser={user}\ndatabase={database}\nsslmode=disable\n",
            server.port()
        )
    };
    sql("create schema \"My Shop\"; create table \"My Shop\".\"it's\" (n int)");
    for role in ["reader", "Capital Reader", "it's \"quoted\"; drop"] {
        let role = format!("{role} {database}");
        for _ in 0..2 {
            let done = one_off(&ini("postgres"), &["install", "--role", &role]);
            assert!(done.status.success(), "{}", text(&done.stderr));
            assert!(text(&done.stdout).contains("\\password"));
            assert!(!text(&done.stdout).contains("cannot read"));
        }
        sql("create table if not exists later (n int)");
        let quoted = format!("\"{}\"", role.replace('"', "\"\""));
        let literal = format!("'{}'", role.replace('\'', "''"));
        let can = sql(&format!(
            "set role {quoted}; select count(*) from \"My Shop\".\"it's\", later"
        ));
        assert_eq!(can, "0");
        let writes = sql(&format!(
            "select count(*) from pg_class c where relkind = 'r' and \
             has_table_privilege({literal}, c.oid, 'insert, update, delete, truncate')"
        ));
        assert_eq!(writes, "0");
        let setting = sql(&format!(
            "select rolconfig from pg_roles where rolname = {literal}"
        ));
        assert_eq!(setting, "{default_transaction_read_only=on}");
        let checked = one_off(&ini(&role), &["check", "--online"]);
        let said = text(&checked.stdout) + &text(&checked.stderr);
        assert!(checked.status.success(), "{said}");
        assert!(!said.contains("only reads"), "{said}");
    }
}

#[test]
fn a_role_with_other_rights_is_refused_and_left_alone() {
    let server = postgres();
    let database = server.database();
    let sql = |sql: &str| server.psql(&database, sql);
    let ini = format!(
        "[postgres]\nhost=127.0.0.1\nport={}\nuser=postgres\ndatabase={database}\nsslmode=disable\n",
        server.port()
    );
    sql("create table t (n int)");
    for (kind, make, words) in [
        ("root", "create role ROLE login superuser", "is a superuser"),
        ("maker", "create role ROLE login createdb", "createdb"),
        ("group", "create role ROLE", "cannot log in"),
        (
            "writer",
            "create role ROLE login; grant insert on t to ROLE",
            "may write to public.t",
        ),
        (
            "column",
            "create role ROLE login; grant update (n) on t to ROLE",
            "may write to public.t",
        ),
        (
            "builder",
            "create role ROLE login; create schema of_ROLE; grant create on schema of_ROLE to ROLE",
            "may create in the schema",
        ),
        (
            "heir",
            "create role ROLE login; alter default privileges grant insert on tables to ROLE",
            "alter default privileges",
        ),
        (
            "owner",
            "create role ROLE login; create schema authorization ROLE",
            "may change what it owns",
        ),
        (
            "counter",
            "create role ROLE login; create sequence of_t; grant update on sequence of_t to ROLE",
            "may set the sequence public.of_t",
        ),
        (
            "member",
            "create role ROLE login; grant pg_signal_backend to ROLE",
            "member of pg_signal",
        ),
    ] {
        let role = format!("{kind}_{database}");
        sql(&make.replace("ROLE", &role));
        let done = one_off(&ini, &["install", "--role", &role]);
        let said = text(&done.stderr);
        assert_eq!(done.status.code(), Some(1), "{role}: {said}");
        assert!(said.contains(words), "{role}: {said}");
        let rights = format!(
            "select rolconfig is null and not (has_table_privilege(oid, 't', 'select') and not rolsuper) \
             from pg_roles where rolname = '{role}'"
        );
        assert_eq!(sql(&rights), "t", "{role}");
    }
    // A name that PostgreSQL keeps, one that is too long, and the installing role itself.
    for (role, words) in [
        ("pg_reader", "cannot be the name"),
        ("public", "cannot be the name"),
        (&*"x".repeat(64), "cannot be the name"),
        ("postgres", "the one that installs"),
    ] {
        let done = one_off(&ini, &["install", "--role", role]);
        let said = text(&done.stderr);
        assert!(said.contains(words) && !done.status.success(), "{said}");
    }
    sql("grant insert on t to public");
    let role = format!("new_{database}");
    let done = one_off(&ini, &["install", "--role", &role]);
    assert!(text(&done.stderr).contains("may write to public.t"));
    let made = format!("select count(*) from pg_roles where rolname = '{role}'");
    assert_eq!(sql(&made), "0", "what is refused is not made");
}
