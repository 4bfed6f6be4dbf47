//! The set-up of the database (`scripts/set-up-database.sh`), run for real against PostgreSQL with
//! TLS, by a master who is no superuser, as on RDS: what the application's users may do afterwards,
//! and what they may not; again, and with another password.

use std::fs;
use std::process::Output;

use crate::deploy_support::{Machine, said};
use crate::servers::Postgres;
use crate::unslow::command;

const PASSWORD: &str = "the application's own password";

fn machine(server: &Postgres, database: &str) -> Machine {
    let mut machine = Machine::new(&fs::read_to_string(server.ca()).unwrap());
    machine.program();
    machine.fact("REGION", "eu-central-1");
    machine.fact("BUCKET", "files");
    machine.fact("CA_URL", "https://ca.example/bundle.pem");
    machine.fact("DATABASE_SECRET", "arn:database");
    machine.fact("MASTER_SECRET", "arn:master");
    machine.fact("DATABASE_HOST", "localhost");
    machine.fact("DATABASE_PORT", server.port().to_string());
    machine.fact("DATABASE_NAME", database);
    machine.fact("DATABASE_SSLMODE", "verify-full");
    machine.fact("DATABASE_USER", "unslow_a");
    machine.fact("DATABASE_SCHEMAS", "public,sales,not_there_yet");
    machine.secret("arn:database", PASSWORD);
    machine.secret("arn:master", r#"{"username":"master","password":"secret"}"#);
    machine
}

/// Returns the result of a statement of the application's user.
fn ask(machine: &Machine, server: &Postgres, database: &str, user: &str, sql: &str) -> Output {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("queries")).unwrap();
    fs::write(dir.path().join("queries/it.sql"), sql).unwrap();
    fs::copy(
        machine.path("store/secrets/arn:database"),
        dir.path().join("password"),
    )
    .unwrap();
    let ini = format!(
        "[postgres]\nhost=localhost\nport={}\ndatabase={database}\nuser={user}\n\
         password_file=password\nsslmode=verify-full\nsslrootcert={}\n",
        server.port(),
        server.ca().display()
    );
    fs::write(dir.path().join("app.ini"), ini).unwrap();
    command(&["query", "it", "--format", "csv"])
        .current_dir(dir.path())
        .output()
        .unwrap()
}

#[test]
fn the_application_gets_a_user_that_may_read_and_nothing_else() {
    let server = Postgres::start_tls();
    server.psql("postgres", "alter role master createrole");
    let database = server.database();
    server.psql(
        &database,
        "set role master; create schema sales; create table sales.orders as select 7 as total; \
         create schema salaries; create table salaries.paid as select 1 as much",
    );
    let mut machine = machine(&server, &database);
    // Twice: it can be repeated.
    for _ in 0..2 {
        let output = machine.run("set-up-database.sh");
        let words = said(&output);
        assert!(words.contains("the database is set up"), "{words}");
        assert!(
            !words.contains(PASSWORD) && !words.contains("SCRAM"),
            "{words}"
        );
        assert_eq!(machine.calls_of("shutdown"), ["shutdown --poweroff +1"]);
    }
    // Made by the master later, and by `install`.
    server.psql(
        &database,
        "set role master; create table sales.later as select 8 as total",
    );
    let query = |user: &str, sql: &str| ask(&machine, &server, &database, user, sql);
    for sql in [
        "select total from sales.orders",
        "select total - 1 as total from sales.later",
    ] {
        let output = query("unslow_a", sql);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(text.replace('\r', ""), "total\n7\n", "{output:?}");
    }
    let known = "select to_regprocedure('slow_version()') is not null as known";
    assert!(String::from_utf8_lossy(&query("unslow_a", known).stdout).contains("true"));
    let output = query("unslow_a", "select much from salaries.paid");
    assert!(
        String::from_utf8_lossy(&output.stderr).contains("permission denied"),
        "{output:?}"
    );
    let rights = server.psql(
        &database,
        "select rolsuper or rolcreaterole or rolcreatedb or rolbypassrls, rolpassword like 'SCRAM-SHA-256$%', \
         has_table_privilege('unslow_a', 'sales.orders', 'insert, update, delete, truncate'), \
         has_schema_privilege('unslow_a', 'sales', 'create') \
         from pg_authid where rolname = 'unslow_a'",
    );
    assert_eq!(rights.trim(), "f|t|f|f");

    // New passwords: the other user takes over, and the first one goes on with what it has.
    machine.fact("DATABASE_USER", "unslow_b");
    said(&machine.run("set-up-database.sh"));
    for user in ["unslow_a", "unslow_b"] {
        let output = ask(
            &machine,
            &server,
            &database,
            user,
            "select total from sales.orders",
        );
        assert!(output.status.success(), "{user}: {output:?}");
    }
    machine.secret("arn:database", "another one");
    machine.fact("DATABASE_USER", "unslow_a");
    said(&machine.run("set-up-database.sh"));
    let output = ask(
        &machine,
        &server,
        &database,
        "unslow_a",
        "select total from sales.orders",
    );
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn a_set_up_that_fails_says_so_and_stops_the_machine_all_the_same() {
    let server = Postgres::start_tls();
    let database = server.database();
    let machine = machine(&server, &database);
    machine.secret("arn:master", r#"{"username":"master","password":"wrong"}"#);
    let output = machine.run("set-up-database.sh");
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{words}");
    assert!(words.contains("password authentication failed"), "{words}");
    assert!(
        words.contains("the database does not let its master in"),
        "{words}"
    );
    assert!(words.contains("the database is NOT set up"), "{words}");
    assert_eq!(machine.calls_of("shutdown").len(), 1);
}
