//! Faults of the database and of clients under the real binary: what is served meanwhile, what
//! stays behind on the server, and that it heals by itself.

use std::io::Write;
use std::net::TcpStream;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, ConnectOptions};
use tokio::runtime::Runtime;

use crate::end_to_end::{original, start};
use crate::servers::{Postgres, Redis, postgres, wait_until as until};
use crate::unslow::{Answer, Unslow};

/// A session of somebody else on the server, kept open.
struct Session {
    runtime: Runtime,
    connection: PgConnection,
}

impl Session {
    fn open(server: &Postgres, database: &str) -> Option<Session> {
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

    fn run(&mut self, sql: &str) {
        let statement = sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut self.connection);
        self.runtime.block_on(statement).unwrap();
    }
}

/// `[postgres]` alone, so that what is seen is memory and database.
fn without_redis(server: &Postgres, database: &str, more: &str) -> String {
    format!(
        "[postgres]\ndatabase={database}\nhost=127.0.0.1\npassword=secret\nuser=master\nport={}\n\
         {more}",
        server.port()
    )
}

const ECHO: (&str, &str) = (
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

fn echo(unslow: &Unslow, n: u32) -> Answer {
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
    assert_eq!(unslow.get("/readyz").json()["database"], "down");
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
        over.store(true, std::sync::atomic::Ordering::Relaxed);
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
        status.starts_with("unslow; hit; ttl=-") && status.ends_with("; detail=stale-error"),
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

/// Ends a connection so that the other side gets a reset.
fn reset(stream: TcpStream) {
    socket2::Socket::from(stream)
        .set_linger(Some(Duration::ZERO))
        .unwrap();
}

#[test]
fn a_client_that_leaves_takes_nothing_with_it_and_its_load_is_stored() {
    let redis = Redis::start();
    let server = postgres();
    let database = server.database();
    let slow = (
        "queries/slow.sql",
        "-- param: n integer\n-- ttl: 1h\nselect :n as n, pg_sleep(1)::text as slept",
    );
    let unslow = start(&original(server, &database, &redis), &[slow]);
    let leave: [(u32, fn(TcpStream)); 2] = [(1, drop), (2, reset)];
    for (n, leave) in leave {
        let mut stream = unslow.connect();
        let request = format!("GET /q/slow.json?n={n} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        until("the load runs", || {
            unslow.numbers("slow")["loads_in_flight"] == 1
        });
        leave(stream);
        until("the load has ended", || {
            unslow.numbers("slow")["loads_in_flight"] == 0
        });
        until("it is in Redis", || {
            redis.command("DBSIZE") == format!(":{n}")
        });
        let answer = unslow.get(&format!("/q/slow.json?n={n}"));
        assert!(
            answer.header("cache-status").ends_with("detail=memory"),
            "{answer:?}"
        );
        assert_eq!(unslow.numbers("slow")["loads"], n, "one load and no more");
        assert_eq!(unslow.numbers("slow")["load_errors"], 0);
    }
}

#[test]
fn a_load_goes_on_when_the_time_for_its_request_is_over() {
    let server = postgres();
    let database = server.database();
    let slow = (
        "queries/slow.sql",
        "-- ttl: 1h\nselect pg_sleep(2)::text as slept",
    );
    let settings = "[server]\nrequest_timeout = 1s\n";
    let unslow = start(&without_redis(server, &database, settings), &[slow]);
    let early = unslow.get("/q/slow.json");
    assert_eq!(early.status, 504, "{}", early.text());
    until("the load has ended", || {
        unslow.numbers("slow")["loads_in_flight"] == 0
    });
    let later = unslow.get("/q/slow.json");
    assert_eq!(later.status, 200);
    assert_eq!(unslow.numbers("slow")["loads"], 1);
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

#[test]
fn a_result_over_every_bound_is_503_with_memory_flat() {
    let server = postgres();
    let database = server.database();
    let huge = (
        "queries/huge.sql",
        "-- max-rows: 1000000000\n-- param: n integer\n\
         select :n as n, generate_series(1, 3000000) as g, repeat('x', 1000) as x",
    );
    let settings = "[database]\nmax_result = 8MiB\n";
    let unslow = start(&without_redis(server, &database, settings), &[huge, ECHO]);
    echo(&unslow, 1);
    let before = resident(&unslow);
    for n in 0..3 {
        let answer = unslow.get(&format!("/q/huge.json?n={n}"));
        assert_eq!(answer.status, 503);
        assert!(
            answer.text().contains("too large"),
            "and says so: {}",
            answer.text()
        );
    }
    let grown = resident(&unslow).saturating_sub(before);
    assert!(grown < 72 << 20, "{grown} bytes more for a bound of 8 MiB");
    until("the statement has ended", || {
        server.running("generate_series(1, 3000000)") == 0
    });
}

/// Bytes of memory that the server holds.
fn resident(unslow: &Unslow) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", unslow.pid())).unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .unwrap();
    line.split_whitespace()
        .nth(1)
        .unwrap()
        .parse::<u64>()
        .unwrap()
        * 1024
}

#[test]
fn many_keys_stay_within_the_memory_bound_and_every_body_is_its_own() {
    let wide = (
        "queries/wide.sql",
        "-- param: n integer\nselect :n as n, hex(zeroblob(2000)) as filler",
    );
    let unslow = Unslow::start_with(&["--queries", "queries", "--memory", "4MiB"], &[wide], &[]);
    for n in 0..3000 {
        let json = unslow.get(&format!("/q/wide.json?n={n}")).json();
        assert_eq!(json["rows"][0]["n"], n);
    }
    let stats = unslow.get("/stats.json").json();
    let memory = &stats["memory"];
    assert!(
        memory["bytes"].as_u64() <= memory["max_bytes"].as_u64(),
        "{memory}"
    );
    assert_eq!(memory["max_bytes"], 4 << 20);
    assert!(memory["evictions"]["size"].as_u64() > Some(100), "{memory}");
    assert!(resident(&unslow) < 100 << 20, "{}", resident(&unslow));
}

#[test]
#[ignore = "compares times; run by `make soak`"]
fn soak_a_database_that_hangs_costs_a_cold_key_two_seconds_and_a_hit_nothing() {
    let server = Postgres::start();
    let unslow = start(
        &without_redis(&server, "postgres", "[database]\npool_size = 2\n"),
        &[ECHO],
    );
    assert_eq!(echo(&unslow, 1).status, 200);
    server.stop();
    let took = |n: u32| {
        let asked = std::time::Instant::now();
        let status = echo(&unslow, n).status;
        (status, asked.elapsed())
    };
    let slowest = std::thread::scope(|scope| {
        let clients: Vec<_> = (100..108).map(|n| scope.spawn(move || took(n))).collect();
        let (status, hit) = took(1);
        assert_eq!(status, 200);
        assert!(hit < Duration::from_millis(60), "{hit:?}");
        clients
            .into_iter()
            .map(|client| client.join().unwrap().1)
            .max()
    });
    // More wanted a connection than there are, and waiting for one counts as well.
    assert!(slowest < Some(Duration::from_secs(2)), "{slowest:?}");
    server.cont();
    let went_on = std::time::Instant::now();
    until("a cold key is answered", || echo(&unslow, 2).status == 200);
    assert!(went_on.elapsed() < Duration::from_secs(2));
}

#[test]
fn a_crowd_on_a_failing_key_is_one_load_and_on_an_uncached_query_stays_within_the_pool() {
    let server = postgres();
    let database = server.database();
    let failing = (
        "queries/failing.sql",
        "select 1 / (length(pg_sleep(1)::text)) as never",
    );
    let uncached = (
        "queries/uncached.sql",
        "-- cache: off\nselect count(*) as n from pg_stat_activity \
         where datname = current_database() and pg_sleep(0.1) is not null",
    );
    let settings = "[database]\npool_size = 3\n";
    let unslow = start(
        &without_redis(server, &database, settings),
        &[failing, uncached],
    );
    let crowd = |path: &str| -> Vec<Answer> {
        std::thread::scope(|scope| {
            let clients: Vec<_> = (0..100).map(|_| scope.spawn(|| unslow.get(path))).collect();
            clients
                .into_iter()
                .map(|client| client.join().unwrap())
                .collect()
        })
    };
    for answer in crowd("/q/failing.json") {
        assert_eq!(answer.status, 503, "{}", answer.text());
    }
    let loads = unslow.numbers("failing")["loads"].as_u64().unwrap();
    assert!(loads < 5, "{loads} loads for 100 clients of a failing key");
    let mut answered = 0;
    for answer in crowd("/q/uncached.json") {
        if answer.status == 200 {
            answered += 1;
            let sessions = answer.json()["rows"][0]["n"].as_u64();
            assert!(sessions <= Some(3), "{sessions:?} sessions");
        } else {
            assert_eq!(answer.status, 503);
            assert!(answer.headers.contains_key("retry-after"));
        }
    }
    assert!(answered > 0);
}
