//! The bound on rows does not change how PostgreSQL runs a query: the oracles are the rows that it
//! reads, and that a statement without an end stops at the bound.

use unslow::db::Limits;

use crate::db_support::{LIMITS, json, postgres, run, run_with};
use crate::servers::{self, until};

/// A table in which few rows have both values, though many have either: for a limited number of
/// them in order, the planner would rather walk the primary key.
const TABLE: &str = "create table t (id int primary key, a int, b int); \
     insert into t select i, (i % 10 = 0)::int, \
         case when i % 10 = 0 then (i % 30000 <> 0)::int else (i % 9 >= 5)::int end \
         from generate_series(1, 300000) i; \
     create index on t (a, b); analyze t; grant select on t to master";

#[tokio::test(flavor = "multi_thread")]
async fn a_selective_query_in_order_reads_what_it_needs_and_not_the_whole_table() {
    let (database, name) = postgres();
    let server = servers::postgres();
    server.psql(&name, TABLE);
    let read = || -> u64 {
        let sql = "select coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0) \
                   from pg_stat_user_tables where relname = 't'";
        server.psql(&name, sql).parse().unwrap()
    };
    // A session counts when it is idle for long, and when it ends.
    let counted = |before: u64| {
        server.end_sessions(&name);
        read() > before
    };
    run(&database, "select * from t where id = 1")
        .await
        .unwrap();
    until("the table was made and read", || counted(0)).await;
    let before = read();
    let sql = "select * from t where a = 1 and b = 0 order by id";
    let rows = run(&database, sql).await.unwrap();
    assert_eq!(rows.count, 10);
    until("it was read", || counted(before)).await;
    let read = read() - before;
    assert!(read < 1000, "{read} rows were read for ten");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_no_end_stops_at_the_bound() {
    let (database, _) = postgres();
    let limits = Limits {
        max_rows: 7,
        ..LIMITS
    };
    for sql in [
        "select generate_series(1, 1000000000000) as i",
        "with recursive n(i) as (select 1 union all select i + 1 from n) select i from n",
        "select 1 as i from generate_series(1, 1000) a, generate_series(1, 1000) b, \
         generate_series(1, 1000) c, generate_series(1, 1000) d",
    ] {
        let rows = run_with(&database, sql, &[], limits).await.unwrap();
        assert_eq!((rows.count, rows.truncated), (7, true), "{sql}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn names_and_forms_of_a_query_are_its_own() {
    let (database, name) = postgres();
    servers::postgres().psql(
        &name,
        "create table _q (_unslow_ int, _q int); insert into _q values (1, 2); \
         grant select on _q to master",
    );
    for (sql, expected) in [
        ("select * from _q", r#"{"_unslow_":1,"_q":2}"#),
        (
            "with _q as (select _q from _q) select * from _q",
            r#"{"_q":2}"#,
        ),
        ("table _q", r#"{"_unslow_":1,"_q":2}"#),
        (
            "with a as materialized (with b as (select 1 as x) table b) select x, 'y' as y from a \
             -- the last line",
            r#"{"x":1,"y":"y"}"#,
        ),
        (
            "select i from generate_series(3, 1, -1) i order by i desc",
            r#"{"i":3},{"i":2},{"i":1}"#,
        ),
    ] {
        let rows = run(&database, sql).await;
        assert_eq!(json(&rows.unwrap()), expected, "{sql}");
    }
}
