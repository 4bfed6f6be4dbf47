//! Every number of a scripted sequence whose outcomes are known: each outcome, each way to begin a
//! load, and failures of two classes, on a real PostgreSQL and a real Redis. [`expected`] is the
//! one table of what has to come out, for whatever shows numbers.

use serde_json::{Value, json};

use crate::end_to_end::{original, start};
use crate::faults::Session;
use crate::fleet_support::{counted, make_facts, post};
use crate::servers::{Redis, postgres, wait_until as until};
use crate::unslow::{Answer, Unslow};

const QUERIES: [(&str, &str); 9] = [
    (
        "queries/plain.sql",
        "-- param: n integer = 1\n-- ttl: 1h\n-- stale-while-revalidate: 1h\nselect :n as n",
    ),
    (
        "queries/held.sql",
        "-- ttl: 1h\nselect pg_advisory_xact_lock_shared(1)::text as counters_gate",
    ),
    (
        "queries/fragile.sql",
        "-- ttl: 1h\n-- stale-while-revalidate: 0s\n-- stale-if-error: 1h\n\
         select 1 / divisor as n from divisors",
    ),
    ("queries/off.sql", "-- cache: off\nselect 1 as n"),
    (
        "queries/large.sql",
        "-- ttl: 1h\nselect repeat('x', 5000) as x",
    ),
    ("queries/broken.sql", "select 1 / divisor as n from zeros"),
    (
        "queries/late.sql",
        "-- timeout: 100ms\nselect pg_sleep(60)::text as slept",
    ),
    (
        "queries/warm.sql",
        "-- warm: true\n-- ttl: 1h\nselect 1 as n",
    ),
    ("queries/idle.sql", "select 1 as n"),
];

/// Returns the counts that [`play`] leaves behind, by query. A count that is not named is zero, but
/// for times and bytes.
pub(crate) fn expected() -> Value {
    json!({
        "plain": {
            "requests": 7, "hit_memory": 4, "hit_redis": 1,
            "stale": 1, "stale_revalidating": 1, "miss": 1,
            "loads": 3, "loads_by_trigger": {"request": 1, "refresh": 1, "admin": 1},
        },
        "held": {
            "requests": 2, "coalesced": 1, "miss": 1,
            "loads": 1, "loads_by_trigger": {"request": 1},
        },
        "fragile": {
            "requests": 2, "stale": 1, "stale_load_error": 1, "miss": 1,
            "loads": 2, "loads_by_trigger": {"request": 2},
            "load_errors": 1, "load_errors_by_class": {"failed": 1},
        },
        "off": {
            "requests": 2, "bypass": 2,
            "loads": 2, "loads_by_trigger": {"request": 2},
        },
        "large": {
            "requests": 2, "miss": 1, "bypass": 1,
            "loads": 2, "loads_by_trigger": {"request": 2},
        },
        "broken": {
            "requests": 1, "error": 1,
            "loads": 1, "loads_by_trigger": {"request": 1},
            "load_errors": 1, "load_errors_by_class": {"failed": 1},
        },
        "late": {
            "requests": 1, "error": 1,
            "loads": 1, "loads_by_trigger": {"request": 1},
            "load_errors": 1, "load_errors_by_class": {"timeout": 1},
        },
        "warm": {"loads": 1, "loads_by_trigger": {"warm": 1}},
        "idle": {},
    })
}

/// The counts that [`expected`] is about.
const COUNTS: [&str; 13] = [
    "requests",
    "hit_memory",
    "hit_redis",
    "stale",
    "stale_revalidating",
    "stale_load_error",
    "coalesced",
    "miss",
    "bypass",
    "error",
    "loads",
    "load_errors",
    "loads_in_flight",
];

const MAPS: [(&str, &[&str]); 2] = [
    (
        "loads_by_trigger",
        &["request", "refresh", "warm", "schedule", "admin"],
    ),
    (
        "load_errors_by_class",
        &[
            "timeout",
            "unavailable",
            "refused",
            "failed",
            "bad_query",
            "too_large",
            "internal",
        ],
    ),
];

/// A server that has answered the script, and how many bytes it served from the cache.
pub(crate) struct Played {
    pub(crate) unslow: Unslow,
    pub(crate) served_bytes: u64,
    _redis: Redis,
}

/// The answer, which must have come so.
#[track_caller]
fn ask(unslow: &Unslow, path: &str, status: &str) -> Answer {
    let answer = unslow.get(path);
    assert_eq!(answer.status, 200, "{path}: {}", answer.text());
    let said = answer.header("cache-status");
    assert!(said.contains(status), "{path}: {said}, not {status}");
    answer
}

/// Plays the script that [`expected`] tells the end of.
pub(crate) fn play() -> Played {
    let (server, redis) = (postgres(), Redis::start());
    let database = server.database();
    make_facts(server, &database);
    server.psql(
        &database,
        "create table divisors (divisor integer); insert into divisors values (1); \
         create table zeros (divisor integer); insert into zeros values (0); \
         grant all on divisors, zeros to public",
    );
    // A deadline that a busy machine does not miss, and a bound that a short text passes.
    let ini = original(server, &database, &redis) + "timeout=20s\n[cache]\nmax_entry=2KiB\n";
    let unslow = start(&ini, &QUERIES);
    until("it is warm", || {
        let warm = unslow.numbers("warm");
        warm["loads"] == 1 && warm["loads_in_flight"] == 0
    });
    let other = start(&ini, &QUERIES);
    let mut bytes = 0;
    let mut copy = |answer: Answer| bytes += answer.body.len() as u64;

    ask(&other, "/q/plain.json?n=2", "fwd=uri-miss");
    until("it is in Redis", || {
        redis.entries().iter().any(|name| name.contains("{plain}"))
    });
    copy(ask(&unslow, "/q/plain.json?n=2", "detail=redis"));
    ask(&unslow, "/q/plain.json", "fwd=uri-miss");
    for _ in 0..3 {
        copy(ask(&unslow, "/q/plain.json", "detail=memory"));
    }
    post(&unslow, "/q/plain/expire?n=1");
    copy(ask(&unslow, "/q/plain.json", "hit"));
    until("it is refreshed behind", || {
        let plain = unslow.numbers("plain");
        plain["loads"] == 2 && plain["loads_in_flight"] == 0
    });
    post(&unslow, "/q/plain/refresh?n=2");
    copy(ask(&unslow, "/q/plain.json?n=2", "detail=memory"));

    let mut gate = Session::open(server, &database).expect("a connection");
    gate.run("select pg_advisory_lock(1)");
    let first = unslow.send("GET", "/q/held.json", &[]);
    until("the first loads", || server.running("counters_gate") == 1);
    let reads = counted(&unslow, "/redis/reads");
    let second = unslow.send("GET", "/q/held.json", &[]);
    until("the second has looked", || {
        counted(&unslow, "/redis/reads") > reads
    });
    // It waits as soon as its worker is at leave to do something else; they take turns.
    (0..4).for_each(|_| assert_eq!(unslow.get("/healthz").status, 200));
    gate.run("select pg_advisory_unlock(1)");
    for answer in [first.answer(), second.answer()] {
        assert_eq!(answer.status, 200, "{}", answer.text());
    }

    ask(&unslow, "/q/fragile.json", "fwd=uri-miss");
    server.psql(&database, "update divisors set divisor = 0");
    post(&unslow, "/q/fragile/expire");
    copy(ask(&unslow, "/q/fragile.json", "hit"));
    for _ in 0..2 {
        ask(&unslow, "/q/off.json", "fwd=bypass");
    }
    ask(&unslow, "/q/large.json", "fwd=");
    ask(&unslow, "/q/large.json", "fwd=bypass");
    assert_eq!(unslow.get("/q/broken.json").status, 503);
    assert_eq!(unslow.get("/q/late.json").status, 504);
    Played {
        unslow,
        served_bytes: bytes,
        _redis: redis,
    }
}

/// Asserts that these numbers are the expected ones, with every name of the maps.
#[track_caller]
fn assert_numbers(of: &str, found: &Value, expected: &Value) {
    let or_zero = |value: &Value| value.as_u64().unwrap_or(0);
    for count in COUNTS {
        let wanted = or_zero(&expected[count]);
        assert_eq!(found[count], wanted, "{count} of {of}: {found}");
    }
    for (map, names) in MAPS {
        let all = found[map].as_object().expect("a map");
        assert_eq!(all.len(), names.len(), "{all:?}");
        for name in names {
            let wanted = or_zero(&expected[map][name]);
            assert_eq!(all[*name], wanted, "{map} {name} of {of}");
        }
    }
    let small = |name| f64::from(u32::try_from(or_zero(&expected[name])).expect("a few"));
    let [requests, bypass, error, loads, failed] =
        ["requests", "bypass", "error", "loads", "load_errors"].map(small);
    let copies = ["hit_memory", "hit_redis", "stale"];
    let hits = copies.map(small);
    let ratio = |part: f64, whole: f64| (whole > 0.0).then(|| part / whole);
    let hit_ratio = ratio(hits.iter().sum(), requests - bypass);
    assert_eq!(found["hit_ratio"].as_f64(), hit_ratio);
    let brought = (loads - failed - bypass).max(0.0);
    let offload = ratio(requests - bypass - error - brought, requests - bypass);
    let off = found["offload"].as_f64().zip(offload);
    let is_same = off.map_or(offload.is_none(), |(found, right)| {
        (found - right).abs() < 1e-9
    });
    assert!(is_same, "{of}: {} for {offload:?}", found["offload"]);
    assert_eq!(
        found["hit"]["count"],
        copies
            .map(|name| or_zero(&expected[name]))
            .iter()
            .sum::<u64>()
    );
    assert_eq!(found["load"]["count"], or_zero(&expected["loads"]));
    assert_eq!(
        found["coalesced_wait"]["count"],
        or_zero(&expected["coalesced"])
    );
}

/// The sums over all queries.
pub(crate) fn expected_total() -> Value {
    let expected = expected();
    let queries = || expected.as_object().into_iter().flatten();
    let sum = |path: &str| -> u64 {
        let found = queries().filter_map(|(_, numbers)| numbers.pointer(path)?.as_u64());
        found.sum()
    };
    let mut total = json!({});
    for count in COUNTS {
        total[count] = sum(&format!("/{count}")).into();
    }
    for (map, names) in MAPS {
        for name in names {
            total[map][name] = sum(&format!("/{map}/{name}")).into();
        }
    }
    total
}

#[test]
fn a_script_with_known_outcomes_is_counted_exactly() {
    let played = play();
    for window in ["1h", "start"] {
        let path = format!("/stats.json?window={window}");
        let stats = played.unslow.get(&path).json();
        let queries = stats["queries"].as_array().unwrap();
        let of = |name: &str| queries.iter().find(|row| row["query"] == name).unwrap();
        for (name, numbers) in expected().as_object().unwrap() {
            assert_numbers(name, of(name), numbers);
        }
        let total = &stats["total"];
        assert_numbers("all", total, &expected_total());
        assert_eq!(total["served_bytes"], played.served_bytes);
        // It waited no longer than the load took, which it began to wait for later.
        assert!(total["coalesced_saved_seconds"].as_f64() >= Some(0.0));
        let saved = |row: &Value| row["time_saved_seconds"].as_f64().unwrap();
        let of_rows: f64 = queries.iter().map(saved).sum();
        assert!((saved(total) - of_rows).abs() < 1e-6);
        let uptime = stats["uptime_seconds"].as_f64().unwrap();
        assert!(stats["window_seconds"].as_f64().unwrap() <= uptime);
        assert_ranks(&stats);
    }
}

/// The slowest loads and the hottest keys.
#[track_caller]
fn assert_ranks(stats: &Value) {
    let slowest = stats["slowest"].as_array().unwrap();
    assert_eq!(
        slowest.len() as u64,
        expected_total()["loads"],
        "all of them"
    );
    let seconds = slowest.iter().map(|load| load["seconds"].as_f64().unwrap());
    assert!(seconds.is_sorted_by(|a, b| a >= b), "{slowest:?}");
    let late = slowest.iter().find(|load| load["query"] == "late").unwrap();
    assert_eq!(
        (&late["trigger"], &late["error"]),
        (&json!("request"), &json!("timeout"))
    );
    let hottest = stats["hottest"].as_array().unwrap();
    let of_plain: Vec<_> = hottest
        .iter()
        .filter(|key| key["query"] == "plain")
        .collect();
    // Those without parameters and those of `n=2`; it is written nowhere which is which.
    let counts: Vec<_> = of_plain
        .iter()
        .map(|key| (&key["requests"], &key["over"]))
        .collect();
    assert_eq!(counts, [(&json!(5), &json!(0)), (&json!(2), &json!(0))]);
    assert_eq!(hottest[0], *of_plain[0], "the hottest of all");
    assert!(
        of_plain
            .iter()
            .all(|key| key["key"].as_str().unwrap().len() == 8)
    );
    assert!(hottest.iter().all(|key| key.get("params").is_none()));
}

/// Its parameters stand on the page of a query that says so, and nowhere else.
#[test]
fn parameters_are_in_no_numbers_whatever_a_query_says() {
    let shown = "-- show-params: true\n-- param: word text\n-- ttl: 1h\nselect :word as word";
    let hidden = "-- param: word text\n-- ttl: 1h\nselect :word as word";
    let files = [("queries/shown.sql", shown), ("queries/hidden.sql", hidden)];
    let unslow = Unslow::start_with(&["--queries", "queries"], &files, &[]);
    for path in [
        "/q/shown.json?word=canary-a",
        "/q/hidden.json?word=canary-b",
    ] {
        assert_eq!(unslow.get(path).status, 200);
    }
    let json = unslow.get("/stats.json").text();
    assert!(json.contains("\"hottest\":[{"), "{json}");
    assert!(!json.contains("canary"), "{json}");
    let page = unslow.get("/stats").text();
    assert!(!page.contains("canary-b"), "{page}");
}
