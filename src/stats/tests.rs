//! What is counted, and the numbers derived from it.
#![allow(clippy::unwrap_used, clippy::float_cmp, reason = "tests")]

use std::collections::BTreeMap;

use super::*;
use crate::outcome::{BypassReason, Outcome, StaleReason, Tier};

const EVERY_OUTCOME: [Outcome; 10] = [
    Outcome::Hit(Tier::Memory),
    Outcome::Hit(Tier::Redis),
    Outcome::Stale(StaleReason::Revalidating),
    Outcome::Stale(StaleReason::LoadError),
    Outcome::Coalesced,
    Outcome::Miss,
    Outcome::Bypass(BypassReason::CacheOff),
    Outcome::Bypass(BypassReason::TooLarge),
    Outcome::Bypass(BypassReason::Compare),
    Outcome::Error,
];

#[test]
fn requests_are_the_sum_of_the_outcomes() {
    let stats = Stats::new(["a", "b"].into_iter());
    let mut told = 0;
    for (place, outcome) in EVERY_OUTCOME.into_iter().enumerate() {
        for _ in 0..=place {
            stats
                .query_stats(place % 2)
                .record_request(outcome, Duration::ZERO, Duration::ZERO);
            told += 1;
        }
    }
    let snapshot = stats.take_snapshot(Window::Start);
    for numbers in snapshot
        .queries
        .iter()
        .map(|q| &q.numbers)
        .chain([&snapshot.total])
    {
        let n = numbers;
        assert_eq!(
            n.requests,
            n.hit_memory + n.hit_redis + n.stale + n.coalesced + n.miss + n.bypass + n.error
        );
        assert_eq!(n.stale, n.stale_revalidating + n.stale_load_error);
    }
    assert_eq!(snapshot.total.requests, told);
}

#[test]
fn ratios_are_none_when_nothing_but_bypasses_was_asked() {
    let stats = Stats::new(["a"].into_iter());
    stats.query_stats(0).record_request(
        Outcome::Bypass(BypassReason::CacheOff),
        Duration::ZERO,
        Duration::ZERO,
    );
    let total = stats.take_snapshot(Window::Start).total;
    assert_eq!(
        (total.requests, total.hit_ratio, total.offload),
        (1, None, None)
    );
}

const KEY: [u8; 16] = [7; 16];

fn key() -> KeyId<'static> {
    static NONE: Bytes = Bytes::new();
    KeyId {
        digest: &KEY,
        canonical: &NONE,
    }
}

/// One load from its beginning to its end.
fn load(query: &QueryStats, trigger: Trigger, elapsed: Duration, error: Option<LoadError>) {
    query.load_begins();
    query.load_ends(&LoadEnd {
        key: key(),
        trigger,
        elapsed,
        error,
    });
}

#[test]
fn ratios_and_time_saved_follow_their_definitions() {
    let stats = Stats::new(["a"].into_iter());
    let query = stats.query_stats(0);
    let (own, took) = (Duration::from_millis(1), Duration::from_secs(5));
    load(query, Trigger::Request, took, None);
    query.record_request(Outcome::Miss, took, took);
    query.record_request(Outcome::Hit(Tier::Memory), own, took);
    query.record_request(Outcome::Hit(Tier::Redis), own, took);
    // Slower than the load itself: nothing saved, and nothing taken off either.
    query.record_request(Outcome::Hit(Tier::Redis), 2 * took, took);
    query.record_request(Outcome::Coalesced, 2 * own, took);
    query.record_request(
        Outcome::Bypass(BypassReason::TooLarge),
        own,
        Duration::from_secs(99),
    );
    let n = stats.take_snapshot(Window::Start).total;
    assert_eq!(n.hit_ratio, Some(3.0 / 5.0));
    assert_eq!(n.offload, Some(1.0));
    // The load of an answer past the cache counts no more than that answer does.
    load(query, Trigger::Request, took, None);
    let offload = stats.take_snapshot(Window::Start).total.offload;
    assert_eq!(offload, Some(1.0 - 1.0 / 5.0));
    assert_eq!(n.time_saved_seconds, 2.0 * 4.999);
    assert_eq!(n.coalesced_saved_seconds, 4.998);
    assert_eq!(
        stats.take_snapshot(Window::Start).queries[0]
            .numbers
            .last_load_seconds,
        Some(5.0)
    );
}

#[test]
fn who_got_an_error_was_spared_nothing() {
    let stats = Stats::new(["q"].into_iter());
    let query = stats.query_stats(0);
    let took = Duration::from_secs(1);
    for _ in 0..60 {
        query.record_request(Outcome::Error, took, Duration::ZERO);
    }
    load(query, Trigger::Request, took, Some(LoadError::Timeout));
    assert_eq!(stats.take_snapshot(Window::Start).total.offload, Some(0.0));
    for _ in 0..60 {
        query.record_request(Outcome::Hit(Tier::Memory), took, took);
    }
    assert_eq!(stats.take_snapshot(Window::Start).total.offload, Some(0.5));
}

#[test]
fn a_failed_load_is_a_load_and_does_not_change_the_latest_time() {
    let stats = Stats::new(["a"].into_iter());
    let (query, second) = (stats.query_stats(0), Duration::from_secs(1));
    load(query, Trigger::Request, 5 * second, None);
    load(query, Trigger::Request, second, Some(LoadError::Failed));
    let n = &stats.take_snapshot(Window::Start).queries[0].numbers;
    assert_eq!((n.loads, n.load_errors, n.load_seconds), (2, 1, 6.0));
    assert_eq!(n.last_load_seconds, Some(5.0));
}

#[test]
fn loads_are_those_by_trigger_and_load_errors_those_by_class_with_the_zeros() {
    let stats = Stats::new(["a"].into_iter());
    for (times, trigger) in Trigger::ALL.into_iter().enumerate() {
        for error in LoadError::ALL.into_iter().take(times) {
            load(stats.query_stats(0), trigger, Duration::ZERO, Some(error));
        }
    }
    let n = stats.take_snapshot(Window::Start).total;
    assert_eq!(n.loads, n.loads_by_trigger.values().sum::<u64>());
    assert_eq!(n.load_errors, n.load_errors_by_class.values().sum::<u64>());
    let named = |names: &[(&str, u64)]| -> BTreeMap<String, u64> {
        let names = names.iter();
        names.map(|(name, n)| ((*name).to_owned(), *n)).collect()
    };
    let triggers = [
        ("request", 0),
        ("refresh", 1),
        ("warm", 2),
        ("schedule", 3),
        ("admin", 4),
    ];
    assert_eq!(n.loads_by_trigger, named(&triggers));
    let classes = [
        ("timeout", 4),
        ("unavailable", 3),
        ("refused", 2),
        ("failed", 1),
        ("bad_query", 0),
        ("too_large", 0),
        ("internal", 0),
    ];
    assert_eq!(n.load_errors_by_class, named(&classes));
}

#[test]
fn the_slowest_loads_and_hottest_keys_are_named_without_being_told() {
    let stats = Stats::new(["a", "b"].into_iter());
    let (slow, quick) = (Duration::from_secs(5), Duration::from_secs(1));
    load(stats.query_stats(0), Trigger::Warm, quick, None);
    load(
        stats.query_stats(1),
        Trigger::Request,
        slow,
        Some(LoadError::Timeout),
    );
    (0..3).for_each(|_| stats.query_stats(1).record_key(key()));
    let snapshot = stats.take_snapshot(Window::Minute);
    let shown = snapshot.slowest.iter();
    let shown: Vec<_> = shown
        .map(|load| (load.query.as_str(), load.seconds))
        .collect();
    assert_eq!(shown, [("b", 5.0), ("a", 1.0)]);
    let first = &snapshot.slowest[0];
    assert_eq!(
        (first.trigger.as_str(), first.error.as_deref()),
        ("request", Some("timeout"))
    );
    let hot = &snapshot.hottest[0];
    assert_eq!((hot.query.as_str(), hot.requests, hot.over), ("b", 3, 0));
    assert_eq!((&hot.key, hot.key.len()), (&first.key, 8));
    assert_ne!(hot.key, "07070707");
}

#[test]
fn parameters_are_kept_where_they_may_be_shown_and_let_go_when_they_may_not() {
    let canonical = Bytes::from_static(b"secret");
    let key = KeyId {
        digest: &KEY,
        canonical: &canonical,
    };
    let ask = |stats: &Stats, place: usize| {
        let query = stats.query_stats(place);
        query.record_key(key);
        query.load_begins();
        query.load_ends(&LoadEnd {
            key,
            trigger: Trigger::Request,
            elapsed: Duration::from_secs(1),
            error: None,
        });
    };
    let shown = |stats: &Stats| -> Vec<Option<String>> {
        let snapshot = stats.take_snapshot(Window::Minute);
        assert!(!format!("{snapshot:?} {stats:?}").contains("secret"));
        assert!(!serde_json::to_string(&snapshot).unwrap().contains("secret"));
        let keys = snapshot.hottest.into_iter().map(|key| key.params);
        let loads = snapshot.slowest.into_iter().map(|load| load.params);
        keys.chain(loads).collect()
    };
    let spelling = |_: &str, canonical: &[u8]| String::from_utf8(canonical.to_vec()).ok();
    let stats = Stats::new(["a"].into_iter());
    ask(&stats, 0);
    stats.show_params(|_| true, spelling);
    assert_eq!(shown(&stats), [None, None], "it came before");
    let stats = Stats::new(["a"].into_iter());
    stats.show_params(|_| true, spelling);
    ask(&stats, 0);
    let text = || Some("secret".to_owned());
    assert_eq!(shown(&stats), [text(), text()]);
    stats.ledger.close_slot(Duration::from_secs(1000));
    let after = stats.reconfigured(["a"].into_iter());
    after.show_params(|_| false, spelling);
    after.show_params(|_| true, spelling);
    let snapshot = after.take_snapshot(Window::Start);
    assert_eq!(snapshot.hottest[0].params, None);
    assert_eq!(snapshot.slowest[0].params, None);
}

#[test]
fn the_snapshot_as_json_has_its_schema_and_every_counter_from_the_start() {
    let stats = Stats::new(["slow"].into_iter());
    stats.set_gauges(|| Gauges {
        memory: MemoryGauge {
            entries: 3,
            ..MemoryGauge::default()
        },
        redis: Some(RedisGauge {
            breaker: "closed",
            ..RedisGauge::default()
        }),
    });
    let json = serde_json::to_value(stats.take_snapshot(Window::Start)).unwrap();
    assert_eq!(json["schema"], 1);
    assert_eq!(json["queries"][0]["query"], "slow");
    assert_eq!(json["queries"][0]["hit_memory"], 0);
    assert!(json["queries"][0]["hit_ratio"].is_null());
    assert_eq!(json["memory"]["entries"], 3);
    assert_eq!(json["memory"]["evictions"]["size"], 0);
    assert_eq!(json["redis"]["errors"]["timeout"], 0);
    assert_eq!(json["redis"]["rejected"]["other_key"], 0);
}

fn hit(stats: &Stats, place: usize) {
    let outcome = Outcome::Hit(Tier::Memory);
    stats
        .query_stats(place)
        .record_request(outcome, Duration::ZERO, Duration::ZERO);
}

fn rows(snapshot: &StatsSnapshot) -> Vec<(&str, bool, u64)> {
    let row = |query: &'_ QuerySnapshot| (query.removed, query.numbers.requests);
    let queries = snapshot.queries.iter();
    queries
        .map(|query| (query.query.as_str(), row(query).0, row(query).1))
        .collect()
}

#[test]
fn counters_follow_the_names_of_queries_from_one_catalog_to_the_next() {
    let first = Stats::new(["gone", "idle", "stays"].into_iter());
    (0..3).for_each(|_| hit(&first, 0));
    (0..5).for_each(|_| hit(&first, 2));
    first.tier_stats().redis_read();
    let second = first.reconfigured(["new", "stays"].into_iter());
    hit(&second, 0);
    hit(&second, 1);
    // What the old one still answers counts as well.
    hit(&first, 0);
    hit(&first, 2);
    let snapshot = second.take_snapshot(Window::Start);
    let expected = [("new", false, 1), ("stays", false, 7), ("gone", true, 4)];
    assert_eq!(rows(&snapshot), expected);
    assert_eq!(snapshot.total.requests, 12);
    assert!(snapshot.uptime_seconds >= first.take_snapshot(Window::Start).uptime_seconds - 1.0);
    assert_eq!(first.take_snapshot(Window::Start).total.requests, 12);
    let third = second.reconfigured(["gone"].into_iter());
    assert_eq!(
        rows(&third.take_snapshot(Window::Start))[0],
        ("gone", false, 4)
    );
    assert_eq!(third.take_snapshot(Window::Start).total.requests, 12);
}

#[test]
fn a_catalog_that_was_given_up_leaves_no_rows_behind() {
    let stats = Stats::new(["stays"].into_iter());
    for number in 0..100 {
        drop(stats.reconfigured([format!("q{number}").as_str()].into_iter()));
    }
    assert_eq!(
        rows(&stats.take_snapshot(Window::Start)),
        [("stays", false, 0)]
    );
    assert!(stats.ledger.open(std::iter::empty()).is_empty());
    assert_eq!(stats.ledger.len(), 1);
}
