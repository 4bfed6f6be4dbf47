//! The time for which a cache behind this one may keep an answer, held against a small calculator
//! of RFC 9111: never longer than the copy here stays fresh, and less by under a second.

use std::time::{Duration, Instant};

use crate::servers::wait_until;
use crate::unslow::{Answer, Unslow};

/// The reading of an answer by a receiver (RFC 9111, 4.2; RFC 5861, 3), in seconds.
struct Receiver {
    /// `freshness_lifetime - current_age`, at the moment of receipt.
    fresh: i64,
    /// The same of the time in which it may still serve it while it asks again.
    stale_while_revalidate: i64,
    max_age: i64,
}

impl Receiver {
    fn of(answer: &Answer) -> Receiver {
        let control = answer.header("cache-control");
        let directive = |wanted: &str| {
            let found = control
                .split(',')
                .find_map(|part| part.trim().strip_prefix(wanted));
            found.map(|number| number.parse::<i64>().unwrap())
        };
        let age: i64 = answer.header("age").parse().unwrap();
        let max_age = directive("max-age=").expect("a life");
        let window = directive("stale-while-revalidate=").unwrap_or(0);
        Receiver {
            fresh: max_age - age,
            stale_while_revalidate: max_age + window - age,
            max_age,
        }
    }
}

/// The seconds that the cache itself says are left, negative past the life.
fn left(answer: &Answer) -> i64 {
    let status = answer.header("cache-status");
    let ttl = status.split("ttl=").nth(1).expect("a hit");
    ttl.split(';').next().unwrap().parse().unwrap()
}

const HOME: &str = "/q/version.json";

#[test]
fn the_life_of_a_copy_is_said_whole_and_what_is_left_is_the_truth() {
    let unslow = Unslow::start(&["--demo-delay", "0s", "--ttl", "20s"]);
    let miss = unslow.get(HOME);
    let loaded = Instant::now();
    let first = Receiver::of(&miss);
    assert!(
        (18..=20).contains(&first.max_age),
        "{}",
        miss.header("cache-control")
    );
    let mut last = 0;
    // Into the second half of its life, where a life that shrinks would be over.
    wait_until("the copy has lived for half of its life", || {
        let over = loaded.elapsed();
        let hit = unslow.get(HOME);
        let receiver = Receiver::of(&hit);
        assert_eq!(receiver.max_age, first.max_age, "it is the same copy");
        assert_eq!(receiver.fresh, left(&hit), "{:?}", hit.headers);
        let truth = Duration::from_secs(20).saturating_sub(over);
        assert!(receiver.fresh <= i64::try_from(truth.as_secs()).unwrap());
        assert!(receiver.stale_while_revalidate <= receiver.fresh + 30);
        let known = unslow.get_with(HOME, &[("If-None-Match", hit.header("etag"))]);
        assert_eq!(known.status, 304);
        assert_eq!(Receiver::of(&known).max_age, first.max_age);
        last = hit.header("age").parse().unwrap();
        last >= 10
    });
    assert!(last >= 10);
}

#[test]
fn a_stale_copy_has_no_life_left_whatever_made_it_stale() {
    // Slow enough that the stale copy is served while the next one is loaded.
    let unslow = Unslow::start(&["--demo-delay", "3s", "--ttl", "1h"]);
    unslow.get(HOME);
    assert!(Receiver::of(&unslow.get(HOME)).fresh > 3_000);
    assert_eq!(unslow.request("POST", "/q/version/expire", &[]).status, 200);
    let stale = unslow.get(HOME);
    let status = stale.header("cache-status");
    assert!(status.ends_with("hit; ttl=0; detail=stale"), "{status}");
    let receiver = Receiver::of(&stale);
    assert_eq!(receiver.max_age, 0, "{}", stale.header("cache-control"));
    assert!(receiver.fresh <= 0);
    assert!(
        (1..=30).contains(&receiver.stale_while_revalidate),
        "{:?}",
        stale.headers
    );
    let known = unslow.get_with(HOME, &[("If-None-Match", stale.header("etag"))]);
    assert_eq!((known.status, Receiver::of(&known).max_age), (304, 0));
}

#[test]
fn a_copy_past_its_life_is_stale_to_others_too_and_its_window_shrinks() {
    let unslow = Unslow::start_with(
        &["--queries", "queries", "--demo-delay", "1s"],
        &[(
            "queries/short.sql",
            "-- ttl: 2s\n-- stale-while-revalidate: 5s\nselect slow_version() as x",
        )],
        &[],
    );
    let path = "/q/short.json";
    unslow.get(path);
    let mut seen = 0;
    wait_until("stale copies were served", || {
        let answer = unslow.get(path);
        let status = answer.header("cache-status").to_owned();
        if !status.contains("hit") {
            return false;
        }
        let receiver = Receiver::of(&answer);
        if status.contains("detail=stale") {
            seen += 1;
            assert_eq!(receiver.max_age, 0);
            // 2 s and 5 s, counted from the load.
            assert!(
                receiver.stale_while_revalidate <= 5 + left(&answer),
                "{:?}",
                answer.headers
            );
        } else {
            assert_eq!(receiver.fresh, left(&answer), "{:?}", answer.headers);
        }
        seen > 3
    });
}

#[test]
fn what_is_not_cached_is_kept_by_nobody() {
    let unslow = Unslow::start_with(
        &["--queries", "queries"],
        &[("queries/off.sql", "-- cache: off\nselect 1 as one")],
        &[],
    );
    let answer = unslow.get("/q/off.json");
    assert_eq!(answer.header("cache-control"), "no-store");
}
