//! What is counted, and the numbers derived from it.
#![allow(clippy::unwrap_used, clippy::float_cmp, reason = "tests")]

use super::*;

const EVERY_OUTCOME: [Outcome; 9] = [
    Outcome::Hit(Tier::Memory),
    Outcome::Hit(Tier::Redis),
    Outcome::Stale(StaleReason::Revalidating),
    Outcome::Stale(StaleReason::LoadError),
    Outcome::Coalesced,
    Outcome::Miss,
    Outcome::Bypass(BypassReason::CacheOff),
    Outcome::Bypass(BypassReason::TooLarge),
    Outcome::Error,
];

#[test]
fn requests_are_the_sum_of_the_outcomes() {
    let stats = Stats::new(["a", "b"].into_iter());
    let mut told = 0;
    for (place, outcome) in EVERY_OUTCOME.into_iter().enumerate() {
        for _ in 0..=place {
            stats
                .query(place % 2)
                .request(outcome, Duration::ZERO, Duration::ZERO);
            told += 1;
        }
    }
    let snapshot = stats.snapshot();
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
    stats.query(0).request(
        Outcome::Bypass(BypassReason::CacheOff),
        Duration::ZERO,
        Duration::ZERO,
    );
    let total = stats.snapshot().total;
    assert_eq!(
        (total.requests, total.hit_ratio, total.offload),
        (1, None, None)
    );
}

#[test]
fn ratios_and_time_saved_follow_their_definitions() {
    let stats = Stats::new(["a"].into_iter());
    let query = stats.query(0);
    let (own, load) = (Duration::from_millis(1), Duration::from_secs(5));
    query.load_begins();
    query.load_ends(true, load);
    query.request(Outcome::Miss, load, load);
    query.request(Outcome::Hit(Tier::Memory), own, load);
    query.request(Outcome::Hit(Tier::Redis), own, load);
    // Slower than the load itself: nothing saved, and nothing taken off either.
    query.request(Outcome::Hit(Tier::Redis), 2 * load, load);
    query.request(Outcome::Coalesced, own, load);
    query.request(
        Outcome::Bypass(BypassReason::TooLarge),
        own,
        Duration::from_secs(99),
    );
    let n = stats.snapshot().total;
    assert_eq!(n.hit_ratio, Some(3.0 / 5.0));
    assert_eq!(n.offload, Some(1.0 - 1.0 / 5.0));
    assert_eq!(n.time_saved_seconds, 2.0 * 4.999);
    assert_eq!(
        stats.snapshot().queries[0].numbers.last_load_seconds,
        Some(5.0)
    );
}

#[test]
fn a_failed_load_is_a_load_and_does_not_change_the_latest_time() {
    let stats = Stats::new(["a"].into_iter());
    stats.query(0).load_begins();
    stats.query(0).load_ends(true, Duration::from_secs(5));
    stats.query(0).load_begins();
    stats.query(0).load_ends(false, Duration::from_secs(1));
    let n = &stats.snapshot().queries[0].numbers;
    assert_eq!((n.loads, n.load_errors, n.load_seconds), (2, 1, 6.0));
    assert_eq!(n.last_load_seconds, Some(5.0));
}

#[test]
fn the_snapshot_as_json_has_its_schema_and_every_counter_from_the_start() {
    let stats = Stats::new(["slow"].into_iter());
    stats.measure(|| Gauges {
        memory: MemoryGauge {
            entries: 3,
            ..MemoryGauge::default()
        },
        redis: Some(RedisGauge {
            breaker: "closed",
            ..RedisGauge::default()
        }),
    });
    let json = serde_json::to_value(stats.snapshot()).unwrap();
    assert_eq!(json["schema"], 1);
    assert_eq!(json["queries"][0]["query"], "slow");
    assert_eq!(json["queries"][0]["hit_memory"], 0);
    assert!(json["queries"][0]["hit_ratio"].is_null());
    assert_eq!(json["memory"]["entries"], 3);
    assert_eq!(json["memory"]["evictions"]["size"], 0);
    assert_eq!(json["redis"]["errors"]["timeout"], 0);
    assert_eq!(json["redis"]["rejected"]["other_key"], 0);
}
