//! Faults of the database under the real binary: what is served meanwhile, what stays behind on
//! the server, and that it heals by itself.

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, ConnectOptions};
use tokio::runtime::Runtime;

use crate::end_to_end::start;
use crate::servers::{Postgres, UntilDropped, postgres, wait_until as until};
use crate::unslow::{Answer, Unslow};

/// A session of somebody else on the server, kept open.
pub(crate) struct Session {
    runtime: Runtime,
    connection: PgConnection,
}

impl Session {
    pub(crate) fn open(server: &Postgres, database: &str) -> Option<Session> {
        let runtime = Runtime::new().unwrap();
        let options = PgConnectOptions::new_without_pgpass()
            .host("127.0.0.1")
            .port(server.port())
            .username("master")
            .password("secret")
            .database(database);
        let connection = runtime.block_on(options.connect()).ok()?;
        Some(Session {
            runtime,
            connection,
        })
    }

    pub(crate) fn run(&mut self, sql: &str) {
        let statement = sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut self.connection);
        self.runtime.block_on(statement).unwrap();
    }
}

/// `[postgres]` alone, so that what is seen is memory and database.
pub(crate) fn without_redis(server: &Postgres, database: &str, more: &str) -> String {
    format!(
        "[postgres]\ndatabase={database}\nhost=127.0.0.1\npassword=secret\nuser=master\nport={}\n\
         {more}",
        server.port()
    )
}

pub(crate) const ECHO: (&str, &str) = (
    "queries/echo.sql",
    "-- param: n integer\nselect :n as n, 'body of ' || :n as body",
);

/// A body that belongs to its key, or a refusal that says when to come again.
#[track_caller]
fn assert_own_or_503(n: u32, answer: &Answer) {
    if answer.status == 503 {
        assert!(answer.headers.contains_key("retry-after"), "{answer:?}");
        assert_eq!(answer.header("cache-control"), "no-store");
        return;
    }
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.json()["rows"][0]["n"], n);
    assert_eq!(answer.json()["rows"][0]["body"], format!("body of {n}"));
}

pub(crate) fn echo(unslow: &Unslow, n: u32) -> Answer {
    let answer = unslow.get(&format!("/q/echo.json?n={n}"));
    assert_own_or_503(n, &answer);
    answer
}

#[test]
fn while_the_database_hangs_hits_are_served_and_cold_keys_refused_until_it_goes_on() {
    let server = Postgres::start();
    let unslow = start(
        &without_redis(&server, "postgres", "[database]\npool_size = 2\n"),
        &[ECHO],
    );
    assert_eq!(echo(&unslow, 1).status, 200);
    server.stop();
    // More cold keys at once than there are connections: all are refused, none waits for good.
    let cold: Vec<_> = std::thread::scope(|scope| {
        let clients: Vec<_> = (100..108)
            .map(|n| {
                let unslow = &unslow;
                scope.spawn(move || echo(unslow, n).status)
            })
            .collect();
        until("cold keys are asked for", || {
            unslow.numbers("echo")["loads_in_flight"].as_u64() > Some(1)
        });
        let hit = echo(&unslow, 1);
        assert!(hit.header("cache-status").contains("hit"), "{hit:?}");
        clients
            .into_iter()
            .map(|client| client.join().unwrap())
            .collect()
    });
    assert_eq!(cold, [503; 8]);
    until("it is known to be down", || {
        unslow.get("/readyz").json()["database"] == "down"
    });
    assert_eq!(unslow.get("/healthz").status, 200);
    server.cont();
    until("a cold key is answered", || echo(&unslow, 2).status == 200);
    assert_eq!(unslow.get("/readyz").json()["database"], "up");
}

#[test]
fn a_database_that_restarts_under_load_costs_no_wrong_body_and_heals() {
    let mut server = Postgres::start();
    let unslow = start(&without_redis(&server, "postgres", ""), &[ECHO]);
    let asked = std::sync::atomic::AtomicU32::new(0);
    let over = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while !over.load(std::sync::atomic::Ordering::Relaxed) {
                    echo(
                        &unslow,
                        asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed),
                    );
                }
            });
        }
        let _end = UntilDropped(&over);
        let asks = |more: u32| {
            let before = asked.load(std::sync::atomic::Ordering::Relaxed);
            until("requests go on", || {
                asked.load(std::sync::atomic::Ordering::Relaxed) > before + more
            });
        };
        asks(20);
        server.kill();
        asks(20);
        server.start_again();
        asks(20);
    });
    until("a cold key is answered", || {
        echo(&unslow, 1_000_000).status == 200
    });
    until("nothing runs any more", || server.running("body of") == 0);
}

#[test]
fn a_full_database_is_503_with_its_cause_in_the_log_and_heals_when_there_is_room() {
    let server = Postgres::with(
        &["max_connections=6", "superuser_reserved_connections=2"],
        false,
    );
    let mut others = Vec::new();
    while let Some(session) = Session::open(&server, "postgres") {
        others.push(session);
    }
    assert!(!others.is_empty());
    let unslow = start(&without_redis(&server, "postgres", ""), &[ECHO]);
    assert_eq!(echo(&unslow, 1).status, 503);
    let log = unslow.log();
    assert!(
        log.contains("too many clients") || log.contains("remaining connection slots"),
        "{log}"
    );
    drop(others);
    until("there is room", || echo(&unslow, 1).status == 200);
}

#[test]
fn a_lock_elsewhere_is_504_or_a_stale_copy_and_leaves_nothing_running() {
    let server = postgres();
    let database = server.database();
    server.psql(
        &database,
        "create table held (n integer); insert into held values (7); \
         grant select on held to public; alter table held owner to master",
    );
    let held = (
        "queries/held.sql",
        "-- param: k integer = 0\n-- timeout: 300ms\nselect n from held where :k = :k",
    );
    let cache = "[cache]\nttl = 1ms\nstale_while_revalidate = 0\n";
    let unslow = start(&without_redis(server, &database, cache), &[held]);
    assert_eq!(unslow.get("/q/held.json").status, 200);
    let mut other = Session::open(server, &database).unwrap();
    other.run("begin; lock table held in access exclusive mode");

    let cold = unslow.get("/q/held.json?k=1");
    assert_eq!(cold.status, 504, "{}", cold.text());
    assert_eq!(cold.json()["ok"], false);
    let stale = unslow.get("/q/held.json");
    assert_eq!(stale.status, 200);
    assert_eq!(stale.json()["rows"][0]["n"], 7);
    let status = stale.header("cache-status");
    assert!(
        // By less than a second it is past its end: no sign before a zero.
        ["ttl=-", "ttl=0;"].iter().any(|left| status.contains(left))
            && status.ends_with("; detail=stale-error"),
        "{status}"
    );
    assert!(stale.header("cache-control").starts_with("max-age=0"));
    until("the statements have ended", || {
        server.running("from held") == 0
    });
    let numbers = unslow.numbers("held");
    assert_eq!(numbers["loads_in_flight"], 0);
    assert_eq!(numbers["stale_load_error"], 1);

    other.run("rollback");
    until("it is answered again", || {
        unslow.get("/q/held.json?k=1").status == 200
    });
}

#[test]
fn a_statement_that_somebody_cancels_is_one_error_and_the_database_is_up() {
    let server = postgres();
    let database = server.database();
    let sleepy = ("queries/sleepy.sql", "select pg_sleep(4711)::text as a");
    let unslow = start(&without_redis(server, &database, ""), &[sleepy, ECHO]);
    std::thread::scope(|scope| {
        let client = scope.spawn(|| unslow.get("/q/sleepy.json"));
        until("the statement runs", || {
            server.running("pg_sleep(4711)") == 1
        });
        server.psql(
            &database,
            "select pg_cancel_backend(pid) from pg_stat_activity \
             where state = 'active' and pid <> pg_backend_pid() and query like '%pg_sleep(4711)%'",
        );
        let answer = client.join().unwrap();
        assert_eq!(answer.status, 503, "{}", answer.text());
        assert!(!answer.text().contains("4711"));
    });
    assert_eq!(echo(&unslow, 1).status, 200);
    assert_eq!(unslow.get("/readyz").json()["database"], "up");
}

#[test]
fn the_start_says_once_that_the_database_is_away() {
    let mut server = Postgres::start();
    server.kill();
    let unslow = start(&without_redis(&server, "postgres", ""), &[ECHO]);
    until("it is said", || {
        unslow.log().contains("the database is unavailable")
    });
    assert_eq!(unslow.get("/readyz").status, 200);
    assert_eq!(unslow.get("/readyz").json()["database"], "down");
    for n in 1..5 {
        assert_eq!(echo(&unslow, n).status, 503);
    }
    let said = unslow.log().matches("the database is unavailable").count();
    // Each refusal has a line of its own that its id leads to; the news is told once.
    let news = unslow.log().matches("WARN").count();
    assert_eq!(news, 1, "{said}: {}", unslow.log());
    server.start_again();
    until("it heals", || echo(&unslow, 9).status == 200);
    assert!(unslow.log().contains("the database is back"));
}
