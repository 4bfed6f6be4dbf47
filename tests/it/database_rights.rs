//! The tables of `docs/database-rights.md`. Each row is run: on PostgreSQL by a superuser and by a
//! role that only reads, whose effects are looked for afterwards, and on a file of SQLite.

use std::path::Path;
use std::time::Duration;

use sqlx::Connection as _;

use crate::db_support::{postgres as new_database, writer};
use crate::end_to_end::start;
use crate::servers::{Postgres, postgres};
use crate::unslow::command;

const PAGE: &str = include_str!("../../docs/database-rights.md");

/// Returns the statement and the question for its effect. Where the question is empty, an answer
/// of the server is the effect.
fn attempt(name: &str, server: &Postgres, database: &str) -> (String, String) {
    let port = server.port();
    let (statement, effect) = match name {
        "insert" => (
            "with w as (insert into t values (1) returning n) select n from w",
            "select count(*) > 0 from t",
        ),
        "nextval" => ("select nextval('s')", "select is_called from s"),
        "lo_put" => (
            "select lo_put(4711, 0, 'x')",
            "select length(lo_get(4711)) > 0",
        ),
        "pg_advisory_lock" => (
            "select pg_advisory_lock(4711)",
            "select count(*) > 0 from pg_locks where locktype = 'advisory' and objid = 4711 \
             and database = (select oid from pg_database where datname = current_database())",
        ),
        "copy to program" => (
            "select run()",
            "select (pg_stat_file('ran_' || current_database(), true)).size is not null",
        ),
        "pg_read_file" => ("select pg_read_file('PG_VERSION')", ""),
        "pg_switch_wal" => ("select pg_switch_wal()::text as at", ""),
        "pg_reload_conf" => ("select pg_reload_conf()", ""),
        "pg_notify" => ("select pg_notify('unslow', 'leaked')::text as n", "listen"),
        "dblink_exec" => {
            let statement = format!(
                "select dblink_exec('host=127.0.0.1 port={port} user=postgres dbname={database}', \
                 'insert into far values (1)')"
            );
            return (statement, "select count(*) > 0 from far".to_owned());
        }
        other => panic!("{other} stands in the page and is not tried"),
    };
    (statement.to_owned(), effect.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_says_what_is_stopped_and_what_is_not() {
    let rows: Vec<[&str; 3]> = PAGE
        .lines()
        .take_while(|line| *line != "## SQLite")
        .filter(|line| line.starts_with("| `"))
        .map(|line| {
            let cells: Vec<&str> = line.split('|').map(str::trim).collect();
            [cells[1].trim_matches('`'), cells[2], cells[3]]
        })
        .collect();
    assert_eq!(rows.len(), 10);
    let server = postgres();
    for (column, is_super) in [(1, true), (2, false)] {
        let (listening, database) = new_database();
        let sql = |sql: &str| server.psql(&database, sql);
        let role = if is_super {
            "postgres".to_owned()
        } else {
            format!("reader_{database}")
        };
        sql(
            "create extension dblink; create table t (n int); create table far (n int); \
             create sequence s; select lo_create(4711)",
        );
        sql(&format!(
            "create function run() returns int language plpgsql as $f$ begin \
             copy (select 1) to program 'cat > ran_{database}'; return 1; end $f$"
        ));
        if !is_super {
            sql(&format!(
                "create role {role} login; grant select on t to {role}"
            ));
        }
        let attempts: Vec<_> = rows
            .iter()
            .map(|row| (row, attempt(row[0], server, &database)))
            .collect();
        let files: Vec<(String, String)> = attempts
            .iter()
            .enumerate()
            .map(|(n, (_, (statement, _)))| (format!("queries/q{n}.sql"), statement.clone()))
            .collect();
        let files: Vec<(&str, &str)> = files.iter().map(|(a, b)| (&**a, &**b)).collect();
        let ini = format!(
            "[postgres]\nhost=127.0.0.1\nport={}\nuser={role}\ndatabase={database}\nsslmode=disable\n",
            server.port()
        );
        let unslow = start(&ini, &files);
        for (n, (row, (statement, effect))) in attempts.iter().enumerate() {
            let mut listener = listening.open_listener().await.unwrap().unwrap();
            let answer = unslow.get(&format!("/q/q{n}.json"));
            let happens = match &**effect {
                "" => answer.status == 200,
                "listen" => {
                    sql("notify unslow, 'end'");
                    let next = tokio::time::timeout(Duration::from_secs(30), listener.next());
                    next.await.unwrap().unwrap() != "end"
                }
                effect => sql(effect) == "t",
            };
            let found = if happens { "happens" } else { "stopped" };
            assert_eq!(row[column], found, "{role}: {statement}: {}", answer.text());
        }
    }
}

/// Returns the error of a server that has this statement as its only query, at its start or in its
/// answer.
fn refusal(file: &Path, statement: &str) -> String {
    let ini = format!("[postgres]\nurl=sqlite:{}\n", file.display());
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("app.ini"), ini).unwrap();
    std::fs::create_dir(folder.path().join("queries")).unwrap();
    std::fs::write(folder.path().join("queries/q.sql"), statement).unwrap();
    let output = command(&["--config", "app.ini", "query", "q"])
        .current_dir(folder.path())
        .output()
        .unwrap();
    assert!(!output.status.success(), "{statement}: {output:?}");
    assert!(!folder.path().join("made").exists());
    String::from_utf8(output.stderr).unwrap()
}

#[tokio::test]
async fn the_page_says_what_a_file_of_sqlite_is_safe_from() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("own.sqlite");
    let mut connection = writer(&file).await;
    let make = sqlx::raw_sql("create table t (n int)");
    make.execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    let before = std::fs::read(&file).unwrap();
    let page = PAGE.split("## SQLite").nth(1).unwrap();
    let statements: Vec<&str> = page
        .lines()
        .filter(|line| line.starts_with("| `"))
        .map(|line| line.split('`').nth(1).unwrap())
        .collect();
    assert_eq!(statements.len(), 5);
    for statement in statements {
        let error = refusal(&file, statement);
        assert!(error.contains("q.sql"), "{statement}: {error}");
        assert_eq!(std::fs::read(&file).unwrap(), before, "{statement}");
    }
    assert!(!folder.path().join("other.sqlite").exists());
}
