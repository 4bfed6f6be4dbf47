//! What is counted, and the numbers derived from it.
#![allow(clippy::unwrap_used, clippy::float_cmp, reason = "tests")]

use super::*;

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

fn hit(stats: &Stats, place: usize) {
    let outcome = Outcome::Hit(Tier::Memory);
    stats
        .query(place)
        .request(outcome, Duration::ZERO, Duration::ZERO);
}

fn rows(snapshot: &Snapshot) -> Vec<(&str, bool, u64)> {
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
    first.tiers().redis_read();
    let second = first.renewed(["new", "stays"].into_iter());
    hit(&second, 0);
    hit(&second, 1);
    // What the old one still answers counts as well.
    hit(&first, 0);
    hit(&first, 2);
    let snapshot = second.snapshot();
    let expected = [("new", false, 1), ("stays", false, 7), ("gone", true, 4)];
    assert_eq!(rows(&snapshot), expected);
    assert_eq!(snapshot.total.requests, 12);
    assert!(snapshot.uptime_seconds >= first.snapshot().uptime_seconds - 1.0);
    assert_eq!(first.snapshot().total.requests, 12);
    let third = second.renewed(["gone"].into_iter());
    assert_eq!(rows(&third.snapshot())[0], ("gone", false, 4));
    assert_eq!(third.snapshot().total.requests, 12);
}

#[test]
fn a_catalog_that_was_given_up_leaves_no_rows_behind() {
    let stats = Stats::new(["stays"].into_iter());
    for number in 0..100 {
        drop(stats.renewed([format!("q{number}").as_str()].into_iter()));
    }
    assert_eq!(rows(&stats.snapshot()), [("stays", false, 0)]);
    assert!(stats.ledger.open(std::iter::empty()).is_empty());
    assert_eq!(stats.ledger.len(), 1);
}
