//! Clients that leave, clients that come in crowds, and results and keys without end: loads go on
//! and are stored, and memory stays within its bounds.

use std::io::{BufReader, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::end_to_end::{original, start};
use crate::faults::{ECHO, echo, without_redis};
use crate::front_support;
use crate::servers::{Redis, UntilDropped, postgres, wait_until as until};
use crate::unslow::{Answer, Unslow};

/// Ends a connection so that the other side gets a reset.
pub(crate) fn reset(stream: TcpStream) {
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
        until("it is in Redis", || redis.entries().len() == n as usize);
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
pub(crate) fn resident(unslow: &Unslow) -> u64 {
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

/// Ten thousand keys of one age, all of which are asked for again when their time is over: nobody
/// is refused, and the database has no more sessions than the pool may open.
#[test]
fn ten_thousand_keys_that_expire_together_stay_within_the_pool_and_nobody_is_refused() {
    const KEYS: u32 = 10_000;
    const POOL: usize = 4;
    let server = postgres();
    let database = server.database();
    let query = (
        "queries/echo.sql",
        "-- ttl: 1h\n-- param: n integer\nselect :n as n, 'body of ' || :n as body",
    );
    let settings = format!("[database]\npool_size = {POOL}\n");
    let unslow = start(&without_redis(server, &database, &settings), &[query]);
    let ask_all = || {
        std::thread::scope(|scope| {
            for client in 0..4 {
                let unslow = &unslow;
                scope.spawn(move || ask_on_one_connection(unslow, (client..KEYS).step_by(4)));
            }
        });
    };
    ask_all();
    assert_eq!(unslow.numbers("echo")["loads"], KEYS);
    let expired = unslow.request("POST", "/q/echo/expire", &[("Content-Length", "0")]);
    assert_eq!(expired.status, 200, "{}", expired.text());
    let over = AtomicBool::new(false);
    let most = std::thread::scope(|scope| {
        let watching = scope.spawn(|| {
            let sessions = format!(
                "select count(*) from pg_stat_activity where datname = '{database}' \
                 and application_name = 'unslow'"
            );
            let mut most = 0;
            while !over.load(Ordering::SeqCst) {
                let now: usize = server.psql("postgres", &sessions).parse().unwrap();
                most = most.max(now);
            }
            most
        });
        let end = UntilDropped(&over);
        // A refresh that gets no turn is begun again by the next request.
        let loads = || unslow.numbers("echo")["loads"].as_u64().unwrap();
        let mut before = loads();
        while before < 2 * u64::from(KEYS) {
            ask_all();
            let now = loads();
            assert!(now > before, "a round of requests began no load: {now}");
            before = now;
        }
        drop(end);
        watching.join().unwrap()
    });
    assert_eq!(unslow.numbers("echo")["error"], 0);
    assert!((1..=POOL).contains(&most), "{most} sessions");
}

/// Asks for each of the keys in turn.
fn ask_on_one_connection(unslow: &Unslow, keys: impl Iterator<Item = u32>) {
    let mut stream = BufReader::new(unslow.connect());
    for n in keys {
        let line = format!("GET /q/echo.json?n={n}");
        let reply = front_support::ask(&mut stream, &line, &[("Host", "localhost")]).unwrap();
        assert_eq!(reply.status, 200, "{}", reply.text());
        assert!(
            reply.text().contains(&format!("\"body of {n}\"")),
            "{}",
            reply.text()
        );
    }
}
