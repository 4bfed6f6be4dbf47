//! The Redis tier on a real server: what one instance stores another reads, and whatever stands under
//! our names is at worst a miss.

use std::sync::Arc;
use std::time::{Duration, Instant};

use unslow::outcome::{Outcome, StaleReason, Tier};

use crate::cache_support::{Instance, LIMIT, MAX_ENTRY, POLICY, key, loaded, settings};
use crate::servers::{Redis, until};

#[tokio::test(flavor = "multi_thread")]
async fn what_one_instance_stores_another_reads_and_copies_to_memory() {
    let redis = Redis::start();
    let (one, two) = (Instance::of(&redis), Instance::of(&redis));
    let body = "rows ".repeat(1000);
    one.store(&key("p"), &body).await;
    let reply = two.get(&key("p"), "other").await;
    assert_eq!(reply.outcome, Outcome::Hit(Tier::Redis));
    assert_eq!(reply.entry.body, body);
    assert_eq!((&reply.entry.head[..], reply.entry.rows), (&b"head"[..], 3));
    let own = one.get(&key("p"), "other").await;
    assert_eq!(
        (own.ttl, &own.entry.etag),
        (reply.ttl, &reply.entry.etag),
        "the same on every instance"
    );
    let again = two.get(&key("p"), "other").await;
    assert_eq!(again.outcome, Outcome::Hit(Tier::Memory));
    assert_eq!((one.loads(), two.loads()), (1, 0));
    assert!(
        redis.value(&key("p").redis_name()).len() < 500,
        "compressed"
    );
}

/// Returns whether the entry of `p` in Redis has this body.
fn holds(redis: &Redis, body: &str) -> bool {
    let value = redis.value(&key("p").redis_name());
    value
        .windows(body.len())
        .any(|part| part == body.as_bytes())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_age_comes_from_redis_and_a_stale_copy_is_refreshed_behind() {
    let redis = Redis::start();
    let (one, two) = (Instance::of(&redis), Instance::of(&redis));
    one.store(&key("p"), "old").await;
    // 25 s have gone by, so to speak: of the 50 s of an entry that was asked for once, 25 s are left.
    let name = key("p").redis_name();
    redis.ask(&["PEXPIRE", &name, "25000"]);
    let reply = two.get(&key("p"), "new").await;
    assert_eq!(reply.outcome, Outcome::Stale(StaleReason::Revalidating));
    assert_eq!(reply.entry.body, "old");
    assert!(reply.age >= Duration::from_secs(25) && reply.age < Duration::from_mins(1));
    until("the refresh", || two.loads() == 1 && holds(&redis, "new")).await;
    let reply = two.get(&key("p"), "newer").await;
    assert_eq!(reply.outcome, Outcome::Hit(Tier::Memory));
    assert_eq!((reply.entry.body.as_ref(), two.loads()), (&b"new"[..], 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_takes_what_another_instance_has_stored_meanwhile() {
    let redis = Redis::start();
    let (one, two) = (Instance::of(&redis), Instance::of(&redis));
    one.store(&key("p"), "old").await;
    two.get(&key("p"), "").await;
    for instance in [&one, &two] {
        instance.clock.advance(POLICY.ttl);
    }
    let stale = one.get(&key("p"), "new").await;
    assert_eq!(stale.entry.body, "old");
    until("the refresh", || holds(&redis, "new")).await;
    let limit = Instant::now() + LIMIT;
    while two.get(&key("p"), "newer").await.entry.body != "new" {
        assert!(Instant::now() < limit, "the refresh did not take it");
        tokio::task::yield_now().await;
    }
    assert_eq!((one.loads(), two.loads()), (2, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_memory_tier_redis_serves_and_a_crowd_is_one_load() {
    let redis = Redis::start();
    let one = Arc::new(Instance::with(&settings(redis.url()), 0));
    let crowd = (0..200).map(|_| {
        let one = Arc::clone(&one);
        tokio::spawn(async move { one.get(&key("p"), "rows").await })
    });
    for reply in futures_util::future::join_all(crowd).await {
        assert_eq!(reply.unwrap().entry.body, "rows");
    }
    assert_eq!(one.loads(), 1);
    // Once more for the crowd: it is kept for longer then.
    one.until("the writes", |redis| redis.writes >= 2).await;
    let reply = one.get(&key("p"), "other").await;
    assert_eq!(reply.outcome, Outcome::Hit(Tier::Redis));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_memory_tier_the_flight_serves_until_redis_has_it() {
    let redis = Redis::start();
    let redis = Arc::new(redis);
    let one = Instance::with(&settings(redis.url()), 0);
    one.get(&key("other"), "rows").await;
    one.until("the write", |redis| redis.writes == 1).await;
    let pausing = Arc::clone(&redis);
    let load = move |_| async move {
        pausing.ask(&["CLIENT", "PAUSE", "60000", "WRITE"]);
        Ok(loaded("rows".to_owned()))
    };
    let reply = one.look_up(&key("p"), load).await.unwrap();
    assert_eq!(
        reply.outcome,
        Outcome::Miss,
        "it did not wait for the write"
    );
    let reply = one.get(&key("p"), "other").await;
    assert_eq!(
        (reply.outcome, reply.entry.body.as_ref()),
        (Outcome::Coalesced, &b"rows"[..])
    );
    redis.ask(&["CLIENT", "UNPAUSE"]);
    one.until("the write", |redis| redis.writes >= 2).await;
    assert_eq!(one.loads(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn foreign_values_are_misses_with_a_reason_and_overwritten() {
    let redis = Redis::start();
    let writer = Instance::of(&redis);
    writer.store(&key("p"), &"rows ".repeat(1000)).await;
    writer.store(&key("other"), "other").await;
    let good = redis.value(&key("p").redis_name());
    let mut flipped = good.clone();
    flipped[good.len() / 2] ^= 1;
    let mut next_version = good.clone();
    next_version[0] += 1;
    let cases: [(&str, &[u8], &str); 6] = [
        ("cut", &good[..good.len() - 1], "damaged"),
        ("empty", b"", "damaged"),
        ("flipped", &flipped, "damaged"),
        (
            "another key's",
            &redis.value(&key("other").redis_name()),
            "other_key",
        ),
        ("next version", &next_version, "version"),
        ("text", b"\x02hello", "damaged"),
    ];
    for (what, value, reason) in cases {
        redis.put(&key("p").redis_name(), value, "120000");
        check_overwritten(&redis, what, reason, &good).await;
    }
    redis.put(&key("p").redis_name(), &good, "99000000");
    check_overwritten(&redis, "later expiry", "expiry", &good).await;
    redis.put(&key("p").redis_name(), &good, "120000");
    redis.ask(&["PERSIST", &key("p").redis_name()]);
    check_overwritten(&redis, "no expiry", "expiry", &good).await;
    redis.ask(&["DEL", &key("p").redis_name()]);
    redis.ask(&["RPUSH", &key("p").redis_name(), "a", "list"]);
    check_overwritten(&redis, "a list", "wrong_type", &good).await;
}

/// A fresh instance loads anew, counts why, and leaves an envelope that another can read.
async fn check_overwritten(redis: &Redis, what: &str, reason: &str, good: &[u8]) {
    let instance = Instance::of(redis);
    instance.store(&key("p"), "anew").await;
    let seen = instance.redis();
    assert_eq!(seen.rejected[reason], 1, "{what}: {seen:?}");
    assert_eq!(seen.rejected.values().sum::<u64>(), 1, "{what}");
    assert_eq!(seen.errors.values().sum::<u64>(), 0, "{what}");
    assert_ne!(redis.value(&key("p").redis_name()), good, "{what}");
    let reply = Instance::of(redis).get(&key("p"), "other").await;
    assert_eq!(reply.outcome, Outcome::Hit(Tier::Redis), "{what}");
    assert_eq!(reply.entry.body, "anew", "{what}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_huge_foreign_value_is_not_fetched() {
    let redis = Redis::start();
    let name = key("p").redis_name();
    redis.ask(&["SETRANGE", &name, "200000000", "x"]);
    redis.ask(&["PEXPIRE", &name, "120000"]);
    let sent = || redis.stat("total_net_output_bytes");
    let before = sent();
    check_overwritten(&redis, "200 MB", "too_large", b"").await;
    assert!(sent() - before < 4 * MAX_ENTRY);
}
