//! One tier asked alone: what it gives, and that nothing is changed by it.

use super::*;
use crate::stats::Window;
use std::sync::Arc;

/// The body that a tier gives, or why it gives none.
async fn alone(cache: &Cache, tier: Tier, lookup: Lookup<'_>) -> Result<String, NoCopy> {
    let reply = cache.read_alone(tier, lookup).await?;
    assert_eq!(reply.outcome, Outcome::Bypass(BypassReason::Compare));
    assert!(!reply.stored);
    Ok(String::from_utf8(body(&reply).to_vec()).unwrap())
}

#[tokio::test]
async fn memory_alone_gives_its_copy_as_long_as_that_may_be_served_and_refreshes_nothing() {
    let bench = Bench::new();
    let ask = || alone(&bench.cache, Tier::Memory, bench.lookup());
    assert_eq!(ask().await, Err(NoCopy::Absent));
    bench.fill("rows").await;
    assert_eq!(ask().await.unwrap(), "rows");
    bench.clock.advance(POLICY.ttl * 2);
    assert_eq!(ask().await.unwrap(), "rows", "stale");
    bench.settled().await;
    assert_eq!(bench.loads(), 1);
    bench.clock.advance(POLICY.stale_if_error);
    assert_eq!(ask().await, Err(NoCopy::Absent));
    let numbers = bench.numbers();
    assert_eq!((numbers.bypass, numbers.miss, numbers.requests), (2, 1, 3));
    assert_eq!(numbers.hit_ratio, Some(0.0));
    assert!(numbers.time_saved_seconds == 0.0);
}

#[tokio::test]
async fn a_tier_that_is_not_there_says_so() {
    let bench = Bench::with_memory(0);
    for tier in [Tier::Memory, Tier::Redis] {
        let none = alone(&bench.cache, tier, bench.lookup()).await;
        assert_eq!(none, Err(NoCopy::Off));
    }
    assert_eq!(bench.numbers().requests, 0);
}

#[tokio::test]
async fn a_copy_is_loaded_where_there_is_none_and_left_alone_where_there_is() {
    let bench = Bench::new();
    bench.let_load(9);
    let have = |body: &'static str| {
        let load = bench.load(move || Ok(loaded(body)));
        bench.cache.have_copy(bench.lookup(), load)
    };
    assert_eq!(have("one").await.unwrap().outcome, Outcome::Miss);
    bench.clock.advance(POLICY.ttl * 2);
    let reply = have("two").await.unwrap();
    assert_eq!(reply.outcome, Outcome::Bypass(BypassReason::Compare));
    assert_eq!(body(&reply), b"one", "stale, and not refreshed");
    bench.settled().await;
    assert_eq!(bench.loads(), 1);
    bench.clock.advance(POLICY.stale_if_error);
    assert_eq!(have("three").await.unwrap().outcome, Outcome::Miss);
    bench
        .cache
        .purge_scope(PurgeScope::Query("unnamed:{version}"), PurgeKind::Hard)
        .await;
    assert_eq!(have("four").await.unwrap().outcome, Outcome::Miss);
}

#[tokio::test(start_paused = true)]
async fn redis_alone_is_read_past_memory_and_what_it_gives_is_not_kept() {
    let server = fake::Server::new();
    let stats = Arc::new(Stats::new(["q"].into_iter()));
    let cache = |seed| cache_on(&server.line(seed), POLICY, 1 << 20, &stats);
    let (one, other) = (cache(1), cache(2));
    let (key, load) = (key("p"), |_| async { Ok(loaded("rows")) });
    let lookup = lookup(&key, &stats);
    let absent = alone(&one, Tier::Redis, lookup).await;
    assert_eq!(absent, Err(NoCopy::Absent));
    one.get_or_load(lookup, load).await.unwrap();
    while stats.take_snapshot(Window::Start).redis.unwrap().writes == 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(alone(&other, Tier::Redis, lookup).await.unwrap(), "rows");
    let in_memory = alone(&other, Tier::Memory, lookup).await;
    assert_eq!(in_memory, Err(NoCopy::Absent));
    one.purge_scope(PurgeScope::Query("unnamed:{version}"), PurgeKind::Hard)
        .await;
    let purged = alone(&other, Tier::Redis, lookup).await;
    assert_eq!(purged, Err(NoCopy::Absent));
}
