//! The life of an entry as HTTP tells it: fresh, stale, over; and that `Cache-Status` is true in
//! every outcome.

use std::time::{Duration, Instant};

use crate::servers::wait_until as until;
use crate::unslow::{Answer, Unslow};

/// Another value for each load.
const DICE: &str = "select hex(randomblob(16)) as value";

fn on(query: &str, flags: &[&str]) -> Unslow {
    let flags = [&["--queries", "queries", "--demo-delay", "0s"], flags].concat();
    Unslow::start_with(&flags, &[("queries/dice.sql", query)], &[])
}

fn roll(unslow: &Unslow) -> (String, String) {
    let start = Instant::now();
    let answer = unslow.get("/q/dice.json");
    let waited = start.elapsed().as_secs();
    assert_eq!(answer.status, 200, "{}", answer.text());
    let value = answer.json()["rows"][0]["value"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_consistent(&answer, waited);
    (answer.header("cache-status").to_owned(), value)
}

/// `Cache-Status`, `Age` and `Cache-Control` tell one story. A load that a busy machine delays ages
/// its answer while the client waits.
#[track_caller]
fn assert_consistent(answer: &Answer, waited: u64) {
    let status = answer.header("cache-status");
    let age: u64 = answer.header("age").parse().unwrap();
    let control = answer.header("cache-control");
    if let Some(rest) = status.strip_prefix("unslow; hit; ttl=") {
        let (ttl, detail) = rest.split_once("; detail=").unwrap();
        let ttl: i64 = ttl.parse().unwrap();
        if detail.starts_with("stale") {
            assert!(ttl <= 0, "{status}");
            assert!(control.starts_with("max-age=0"), "{control}");
        } else {
            assert!(ttl >= 0, "{status}");
            assert!(control.starts_with(&format!("max-age={ttl}")), "{control}");
        }
    } else if status.contains("uri-miss") && !status.contains("collapsed") {
        assert!(age <= waited, "{age} s after {waited} s: {status}");
    }
}

#[test]
fn past_its_ttl_a_copy_is_not_served_where_the_windows_are_off() {
    let unslow = on(
        DICE,
        &[
            "--ttl",
            "1s",
            "--stale-while-revalidate",
            "0",
            "--stale-if-error",
            "0",
        ],
    );
    let (status, first) = roll(&unslow);
    assert_eq!(status, "unslow; fwd=uri-miss; stored");
    // Nobody asks meanwhile: that would begin the next load before the end.
    until("its life is over", || {
        unslow.get("/stats.json").json()["memory"]["entries"] == 0
    });
    let (status, second) = roll(&unslow);
    assert_eq!(status, "unslow; fwd=uri-miss; stored");
    assert_ne!(second, first);
    assert_eq!(unslow.numbers("dice")["loads"], 2);
    assert_eq!(unslow.numbers("dice")["stale"], 0);
}

#[test]
fn within_stale_while_revalidate_nobody_waits_and_one_load_runs_behind() {
    let unslow = on(
        "-- ttl: 1s\n-- stale-while-revalidate: 1h\nselect hex(randomblob(16)) as value",
        &[],
    );
    let (_, first) = roll(&unslow);
    let loaded = Instant::now();
    // Nobody asks meanwhile: that would begin the next load before the end.
    until("its ttl is over", || {
        loaded.elapsed() > Duration::from_secs(1)
    });
    let (status, value) = roll(&unslow);
    // By less than a second it is past its end: no sign before a zero.
    let is_over = ["ttl=-", "ttl=0;"].iter().any(|left| status.contains(left));
    assert!(is_over && status.ends_with("detail=stale"), "{status}");
    assert_eq!(value, first);
    until("the refresh has come", || {
        let (status, value) = roll(&unslow);
        assert!(status.starts_with("unslow; hit; ttl="), "{status}");
        value != first
    });
    let numbers = unslow.numbers("dice");
    assert_eq!(numbers["miss"], 1);
    assert!(numbers["loads"].as_u64() >= Some(2), "{numbers}");
}

#[test]
fn a_query_that_is_not_cached_is_loaded_each_time_and_kept_by_nobody() {
    let unslow = on("-- cache: off\nselect hex(randomblob(16)) as value", &[]);
    let answers = [unslow.get("/q/dice.json"), unslow.get("/q/dice.json")];
    assert_ne!(answers[0].body, answers[1].body);
    for answer in &answers {
        assert_eq!(answer.header("cache-status"), "unslow; fwd=bypass");
        assert_eq!(answer.header("cache-control"), "no-store");
    }
    assert_eq!(unslow.numbers("dice")["bypass"], 2);
}

#[test]
fn an_answer_over_a_bound_is_given_and_not_called_stored() {
    let wide = "select hex(randomblob(100000)) as value";
    // Over max_entry: the first one finds out, the next ones do not queue behind each other.
    let unslow = on(wide, &["--max-entry", "64KiB"]);
    assert_eq!(roll(&unslow).0, "unslow; fwd=uri-miss");
    assert_eq!(roll(&unslow).0, "unslow; fwd=bypass");
    assert_eq!(unslow.get("/stats.json").json()["memory"]["entries"], 0);
    // Under max_entry, but more than all of the memory tier.
    let unslow = on(wide, &["--memory", "128KiB"]);
    let first = roll(&unslow);
    assert_eq!(first.0, "unslow; fwd=uri-miss");
    until("the tier has dropped it", || {
        unslow.get("/stats.json").json()["memory"]["entries"] == 0
    });
    let second = roll(&unslow);
    assert_eq!(second.0, "unslow; fwd=uri-miss");
    assert!(first.1 != second.1, "it is not kept");
    // Without any tier nothing is stored.
    let unslow = on(DICE, &["--memory", "0"]);
    assert_eq!(roll(&unslow).0, "unslow; fwd=uri-miss");
}

#[test]
fn who_waits_for_anothers_load_says_collapsed() {
    let unslow = Unslow::start(&["--demo-delay", "1s"]);
    let statuses = std::thread::scope(|scope| {
        let ask = || {
            let answer = unslow.get("/q/version.json");
            answer.header("cache-status").to_owned()
        };
        let leader = scope.spawn(ask);
        until("the load runs", || {
            unslow.numbers("version")["loads_in_flight"] == 1
        });
        let follower = ask();
        [leader.join().unwrap(), follower]
    });
    assert_eq!(
        statuses,
        [
            "unslow; fwd=uri-miss; stored",
            "unslow; fwd=uri-miss; stored; collapsed"
        ]
    );
}

#[test]
fn pages_tell_where_they_came_from_and_are_not_kept() {
    let unslow = on(DICE, &[]);
    assert_eq!(
        unslow.get("/q/dice").header("cache-status"),
        "unslow; fwd=uri-miss; stored"
    );
    let again = unslow.get("/q/dice");
    assert!(again.header("cache-status").ends_with("detail=memory"));
    assert_eq!(again.header("cache-control"), "no-store");
    for name in ["etag", "age"] {
        assert!(!again.headers.contains_key(name), "{name}");
    }
}
