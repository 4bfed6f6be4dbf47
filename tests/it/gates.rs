//! Bounds on loads at once: one query cannot keep all connections from the others, and who has
//! to wait too long is told when to come again.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use unslow::db::Database;
use unslow::error::RequestError;
use unslow::query::{Arguments, DatabaseKind, Query};
use unslow::settings::DatabaseTarget;

use crate::db_support::{LIMITS, on_postgres, open_with};
use crate::end_to_end::start;
use crate::faults::{ECHO, echo, without_redis};
use crate::servers::{postgres, until, wait_until};

fn named(kind: DatabaseKind, name: &str, text: &str) -> Arc<Query> {
    Arc::new(Query::parse(kind, name, text).unwrap())
}

/// Begins that many loads of one query. One that fails on its way to the database, as on a starved
/// machine, begins again; one that is refused by a bound does not.
fn loads(
    database: &Arc<Database>,
    query: &Arc<Query>,
    count: usize,
) -> JoinSet<Result<(), RequestError>> {
    let mut set = JoinSet::new();
    for _ in 0..count {
        let (database, query) = (Arc::clone(database), Arc::clone(query));
        set.spawn(async move {
            let none = Arguments(Vec::new());
            loop {
                match database.run(&query, &none, LIMITS).await {
                    Err(error) if !error.to_string().contains("may be at once") => {}
                    end => return end.map(drop),
                }
            }
        });
    }
    set
}

/// Waits until a query is answered, while the others have what they have.
async fn answers(database: &Database, query: &Query) {
    let give_up = Instant::now() + Duration::from_mins(1);
    let none = Arguments(Vec::new());
    while let Err(error) = database.run(query, &none, LIMITS).await {
        assert!(Instant::now() < give_up, "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_that_wants_all_connections_gets_half_and_the_others_go_on() {
    let server = postgres();
    let target = on_postgres(server.port(), &server.database());
    let database = Arc::new(open_with(DatabaseTarget::Postgres(target), |settings| {
        settings.limits.pool_size = 4;
    }));
    let greedy = named(
        database.kind(),
        "greedy",
        "select pg_sleep(3141)::text as a",
    );
    let other = named(database.kind(), "other", "select 1 as a");
    answers(&database, &other).await;
    let mut loads = loads(&database, &greedy, 4);
    let running = || server.running("pg_sleep(3141)");
    until("all have come", || {
        running() > 2 || running() == 2 && database.gate_state_of(&greedy).waited >= 2
    })
    .await;
    assert_eq!(running(), 2, "half of the pool");
    assert_eq!(database.gate_state().in_use, 2);
    answers(&database, &other).await;
    for _ in 0..2 {
        let error = loads.join_next().await.unwrap().unwrap().unwrap_err();
        assert!(matches!(error, RequestError::Busy { .. }), "{error}");
        assert!(error.retry_after().is_some());
        assert!(error.to_string().contains("of this query"), "{error}");
    }
    assert_eq!(running(), 2);
    let state = database.gate_state_of(&greedy);
    assert_eq!((state.in_use, state.refused), (2, 2));
    assert_eq!(database.health().up, Some(true));
    // An abandoned load counts until it is cancelled.
    loads.abort_all();
    until("the places are free", || database.gate_state().in_use == 0).await;
    assert_eq!(running(), 0);
    answers(&database, &greedy_now(&greedy)).await;
}

/// Loads of one query without end, so many at once: what ends or is refused begins again.
fn flood(database: &Arc<Database>, query: &Arc<Query>, count: usize) -> JoinSet<()> {
    let mut set = JoinSet::new();
    for _ in 0..count {
        let (database, query) = (Arc::clone(database), Arc::clone(query));
        set.spawn(async move {
            let none = Arguments(Vec::new());
            loop {
                drop(database.run(&query, &none, LIMITS).await);
            }
        });
    }
    set
}

#[tokio::test(flavor = "multi_thread")]
async fn two_floods_keep_a_third_query_out_for_one_statement_at_most() {
    let server = postgres();
    let target = on_postgres(server.port(), &server.database());
    let database = Arc::new(open_with(DatabaseTarget::Postgres(target), |settings| {
        settings.limits.pool_size = 4;
    }));
    let text = |seconds| format!("select pg_sleep({seconds})::text as a");
    let first = named(database.kind(), "first", &text(1618));
    let second = named(database.kind(), "second", &text(1619));
    let third = named(database.kind(), "third", "select 3 as a");
    let running = |sleep: &str| server.running(&format!("pg_sleep({sleep})"));
    answers(&database, &third).await;
    let _first = flood(&database, &first, 6);
    until("the first has its share", || running("1618") == 2).await;
    let _second = flood(&database, &second, 6);
    until("the places are taken, and the second wants more", || {
        running("1619") == 1 && database.gate_state().waited > 0
    })
    .await;
    assert_eq!(database.gate_state().in_use, 3);
    // The third comes last, and one statement ends: the place is the third's.
    let asked = {
        let (database, third) = (Arc::clone(&database), Arc::clone(&third));
        tokio::spawn(async move { answers(&database, &third).await })
    };
    let in_use = || database.gate_state_of(&third).in_use;
    until("the third waits for a place", || in_use() == 1).await;
    let end = "select pg_cancel_backend(pid) from pg_stat_activity \
               where query like '%pg_sleep(1618)%' and pid <> pg_backend_pid() limit 1";
    assert_eq!(server.psql("postgres", end).trim(), "t");
    asked.await.unwrap();
    // Its place stays free for a query that has none: nothing has to end for the next.
    for _ in 0..20 {
        answers(&database, &third).await;
    }
    until("the floods have what they had", || {
        (running("1618"), running("1619")) == (1, 1)
    })
    .await;
    assert_eq!(database.gate_state().in_use, 2);
}

/// The same query as far as the bound goes.
fn greedy_now(greedy: &Query) -> Arc<Query> {
    named(DatabaseKind::Postgres, &greedy.name, "select 2 as a")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_s_own_bound_holds_on_sqlite_too() {
    let database = Arc::new(open_with(DatabaseTarget::Demo, |settings| {
        settings.demo_delay = Duration::from_hours(1);
    }));
    let greedy = named(
        database.kind(),
        "greedy",
        "-- concurrency: 1\nselect slow_version() as a",
    );
    let other = named(database.kind(), "other", "select 1 as a");
    let mut loads = loads(&database, &greedy, 3);
    until("all have come", || {
        database.pool_state().used > 1 || database.gate_state_of(&greedy).waited >= 2
    })
    .await;
    assert_eq!(database.pool_state().used, 1);
    answers(&database, &other).await;
    for _ in 0..2 {
        let error = loads.join_next().await.unwrap().unwrap().unwrap_err();
        assert!(matches!(error, RequestError::Busy { .. }), "{error}");
    }
    assert_eq!(database.pool_state().used, 1);
}

#[test]
fn an_abused_parameter_is_503_with_retry_after_and_costs_no_other_query() {
    let server = postgres();
    let database = server.database();
    let greedy = (
        "queries/greedy.sql",
        "-- param: n integer\n-- concurrency: 2\n-- timeout: 5s\n\
         select pg_sleep(2718 + :n)::text as a",
    );
    let unslow = start(&without_redis(server, &database, ""), &[greedy, ECHO]);
    let running = || server.running("pg_sleep(2718");
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..6)
            .map(|n| {
                let unslow = &unslow;
                scope.spawn(move || unslow.get(&format!("/q/greedy.json?n={n}")))
            })
            .collect();
        wait_until("they have come", || {
            unslow.numbers("greedy")["loads_in_flight"].as_u64() == Some(6)
        });
        wait_until("some run", || running() > 1);
        assert_eq!(echo(&unslow, 1).status, 200);
        assert_eq!(running(), 2);
        let answers: Vec<_> = clients
            .into_iter()
            .map(|client| client.join().unwrap())
            .collect();
        let refused: Vec<_> = answers.iter().filter(|a| a.status == 503).collect();
        assert_eq!(refused.len(), 4, "{answers:?}");
        assert!(
            refused
                .iter()
                .all(|a| a.headers.contains_key("retry-after"))
        );
        assert_eq!(answers.iter().filter(|a| a.status == 504).count(), 2);
    });
    assert_eq!(unslow.get("/readyz").json()["database"], "up");
}
