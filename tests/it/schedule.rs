//! Loads that nobody asks for, by the real binary: warm-up at the start, refresh on schedule.

use crate::end_to_end::start;
use crate::faults::without_redis;
use crate::servers::{Postgres, Redis, wait_until as until};
use crate::unslow::Unslow;

/// Another value for each load.
const DICE: &str = "select hex(randomblob(16)) as value";

fn on(queries: &[(&str, &str)], flags: &[&str]) -> Unslow {
    let flags = [&["--queries", "queries"], flags].concat();
    Unslow::start_with(&flags, queries, &[])
}

fn dice(header: &str) -> String {
    format!("{header}\n-- ttl: 1h\n{DICE}")
}

/// `Cache-Status` and the value.
fn roll(unslow: &Unslow) -> (String, String) {
    let answer = unslow.get("/q/dice.json");
    assert_eq!(answer.status, 200, "{}", answer.text());
    let value = answer.json()["rows"][0]["value"]
        .as_str()
        .map(str::to_owned);
    (answer.header("cache-status").to_owned(), value.unwrap())
}

fn entries(unslow: &Unslow) -> u64 {
    let stats = unslow.get("/stats.json").json();
    stats["memory"]["entries"].as_u64().unwrap()
}

#[test]
fn a_warm_query_is_loaded_before_anybody_asks_and_another_is_not() {
    let warm = dice("-- warm: true\n-- param: n integer = 1");
    let unslow = on(
        &[("queries/dice.sql", &warm), ("queries/cold.sql", DICE)],
        &[],
    );
    until("it is loaded", || entries(&unslow) == 1);
    assert_eq!(unslow.numbers("dice")["loads"], 1);
    assert_eq!(unslow.numbers("dice")["requests"], 0, "no request");
    let (status, _) = roll(&unslow);
    assert!(status.ends_with("detail=memory"), "{status}");
    assert_eq!(unslow.numbers("dice")["loads"], 1);
    assert_eq!(unslow.numbers("cold")["loads"], 0);
}

#[test]
fn warm_queries_are_loaded_one_at_a_time_and_nobody_waits_for_them() {
    let slow = "-- warm: true\n-- timeout: 10m\nselect slow_version() as version";
    let unslow = on(
        &[("queries/a.sql", slow), ("queries/b.sql", slow)],
        &["--demo-delay", "10m"],
    );
    until("the first is loading", || {
        unslow.numbers("a")["loads_in_flight"] == 1
    });
    assert_eq!(unslow.get("/readyz").status, 200);
    assert_eq!(unslow.get("/q/revenue.json").status, 200);
    assert_eq!(unslow.numbers("b")["loads"], 0);
}

#[test]
fn a_warm_up_that_fails_is_logged_once_and_the_next_query_has_its_turn() {
    let failing = "-- warm: true\nselect abs(-9223372036854775808) as never";
    let unslow = on(
        &[
            ("queries/a.sql", failing),
            ("queries/dice.sql", &dice("-- warm: true")),
        ],
        &[],
    );
    until("the next is loaded", || entries(&unslow) == 1);
    let log = unslow.log();
    let lines: Vec<_> = log
        .lines()
        .filter(|line| line.contains("warm-up"))
        .collect();
    assert_eq!(lines.len(), 1, "{log}");
    assert!(lines[0].contains("query=\"a\""), "{log}");
    assert!(lines[0].contains("integer overflow"), "{log}");
    assert_eq!(unslow.numbers("a")["loads"], 1);
}

#[test]
fn a_warm_up_without_a_database_is_done_when_it_is_back() {
    let mut server = Postgres::start();
    server.kill();
    let one = (
        "queries/one.sql",
        "-- warm: true\n-- ttl: 1h\nselect 1 as one",
    );
    let unslow = start(&without_redis(&server, "postgres", ""), &[one]);
    until("it waits", || unslow.log().contains("the warm-up waits"));
    assert_eq!(unslow.get("/readyz").status, 200);
    server.start_again();
    until("it is loaded", || entries(&unslow) == 1);
    let answer = unslow.get("/q/one.json");
    assert!(answer.header("cache-status").ends_with("detail=memory"));
    assert_eq!(unslow.log().matches("the warm-up waits").count(), 1);
}

#[test]
fn a_warm_up_takes_what_another_instance_has_loaded() {
    let redis = Redis::start();
    let warm = dice("-- warm: true");
    // A machine with much to do may connect slowly, which then is no reason to load.
    let ini = format!("[redis]\nurl={}\ntimeout=30s\n", redis.url());
    let instance = || start(&ini, &[("queries/dice.sql", &warm)]);
    let one = instance();
    until("it is in Redis", || redis.entries().len() == 1);
    let two = instance();
    until("it is in memory", || entries(&two) == 1);
    assert_eq!(two.numbers("dice")["loads"], 0);
    assert_eq!(roll(&two).1, roll(&one).1);
    assert!(roll(&two).0.ends_with("detail=memory"));
}

#[test]
fn a_query_is_refreshed_on_schedule_from_its_first_reader_on() {
    let unslow = on(&[("queries/dice.sql", &dice("-- refresh: 1s"))], &[]);
    assert_eq!(unslow.numbers("dice")["loads"], 0);
    let (_, first) = roll(&unslow);
    until("it is loaded again and again", || {
        let (status, _) = roll(&unslow);
        assert!(status.starts_with("unslow; hit; ttl="), "{status}");
        unslow.numbers("dice")["loads"].as_u64() >= Some(4)
    });
    assert_ne!(roll(&unslow).1, first);
    let numbers = unslow.numbers("dice");
    assert_eq!(
        (&numbers["miss"], &numbers["stale"]),
        (&1.into(), &0.into())
    );
}

#[test]
fn a_warm_query_is_refreshed_on_schedule_before_anybody_reads_it() {
    let header = "-- warm: true\n-- refresh: 1s";
    let unslow = on(&[("queries/dice.sql", &dice(header))], &[]);
    until("it is loaded again and again", || {
        unslow.numbers("dice")["loads"].as_u64() >= Some(3)
    });
    assert_eq!(unslow.numbers("dice")["requests"], 0);
    assert!(roll(&unslow).0.ends_with("detail=memory"));
}

#[test]
fn what_nobody_would_keep_is_not_loaded_unasked() {
    let header = "-- warm: true\n-- refresh: 1s";
    let kept = on(&[("queries/dice.sql", &dice(header))], &[]);
    let unslow = on(&[("queries/dice.sql", &dice(header))], &["--memory", "0"]);
    roll(&unslow);
    until("another instance has had its turns", || {
        kept.numbers("dice")["loads"].as_u64() >= Some(3)
    });
    assert_eq!(unslow.numbers("dice")["loads"], 1);
}
