//! Bounds on a run on a real PostgreSQL: rows, bytes, time, connections.

use std::time::Duration;

use unslow::db::{Database, Limits};
use unslow::error::RequestError;
use unslow::query::Arguments;
use unslow::settings::DatabaseTarget;

use crate::db_support::{LIMITS, json, on_postgres, open_with, postgres, query, run, run_with};
use crate::servers::{self, until};

#[tokio::test(flavor = "multi_thread")]
async fn more_rows_than_the_bound_are_cut_off_and_said_so() {
    let (database, _) = postgres();
    let limits = Limits {
        max_rows: 3,
        ..LIMITS
    };
    for (rows, count, truncated) in [(2, 2, false), (3, 3, false), (4, 3, true), (9, 3, true)] {
        let sql = format!("select i from generate_series(1, {rows}) i");
        let rows = run_with(&database, &sql, &[], limits).await.unwrap();
        assert_eq!((rows.count, rows.truncated), (count, truncated));
    }
    let rows = run_with(&database, "values (1), (2)", &[], limits)
        .await
        .unwrap();
    assert_eq!(json(&rows), r#"{"column1":1},{"column1":2}"#);
    assert_eq!(rows.columns, ["column1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_over_its_limit_is_a_timeout_and_runs_no_longer() {
    let (database, _) = postgres();
    let limits = Limits {
        timeout: Duration::from_millis(200),
        ..LIMITS
    };
    let end = run_with(&database, "select pg_sleep(77)::text as a", &[], limits).await;
    assert!(matches!(end, Err(RequestError::Timeout { .. })), "{end:?}");
    until("no backend sleeps", || {
        servers::postgres().running("pg_sleep(77)") == 0
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_given_up_is_cancelled_on_the_server() {
    let (database, _) = postgres();
    let statement = query(database.kind(), "select pg_sleep(55)::text as a");
    let server = servers::postgres();
    {
        let none = Arguments(Vec::new());
        let run = database.run(&statement, &none, LIMITS);
        tokio::pin!(run);
        let started = until("the statement runs", || server.running("pg_sleep(55)") == 1);
        tokio::select! {
            end = &mut run => panic!("it ended: {end:?}"),
            () = started => {}
        }
    }
    until("the statement is cancelled", || {
        server.running("pg_sleep(55)") == 0
    })
    .await;
    until("its slot is free", || database.pool_state().used == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_huge_result_stops_at_the_bound_with_memory_flat() {
    let (database, _) = postgres();
    let limits = Limits {
        max_rows: 100_000_000,
        max_bytes: 4 << 20,
        ..LIMITS
    };
    let huge = [
        // Three gigabytes in small rows, and in large ones.
        "select repeat('x', 300) as x from (select generate_series(1, 10000000)) s",
        "select repeat('x', 100000000) as x from (select generate_series(1, 30)) s",
    ];
    let before = resident();
    for sql in huge {
        let end = run_with(&database, sql, &[], limits).await;
        assert!(
            matches!(end, Err(RequestError::TooLarge { limit }) if limit == 4 << 20),
            "{end:?}"
        );
        let grown = resident().saturating_sub(before);
        assert!(grown < 200 << 20, "{sql}: grew by {grown} bytes");
    }
    let server = servers::postgres();
    until("the server stops too", || {
        server.running("repeat(''x''") == 0
    })
    .await;
    assert_eq!(
        json(&run(&database, "select 1 as a").await.unwrap()),
        r#"{"a":1}"#
    );
}

/// Bytes of this process in memory. Other tests run beside this one, so bounds on it are wide.
fn resident() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4096
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_pool_is_waited_for_and_then_unavailable_but_not_down() {
    let (database, name) = postgres();
    drop(database);
    let target = DatabaseTarget::Postgres(on_postgres(servers::postgres().port(), &name));
    let database: Database = open_with(target, |settings| settings.limits.pool_size = 1);
    let sleep = query(database.kind(), "select pg_sleep(60)::text as a");
    let none = Arguments(Vec::new());
    let held = database.run(&sleep, &none, LIMITS);
    let asked = async {
        let server = servers::postgres();
        until("the pool is full", || server.running("pg_sleep(60)") == 1).await;
        run(&database, "select 1 as a").await
    };
    tokio::select! {
        end = held => panic!("it ended: {end:?}"),
        end = asked => {
            assert!(matches!(end, Err(RequestError::Busy { .. })), "{end:?}");
            assert_eq!(database.health().up, Some(true));
        }
    }
}
