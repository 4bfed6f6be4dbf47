//! A Redis that is away, full, locked or a replica costs its deadline, then nothing; and it is used
//! again when it is back.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::{Duration, Instant};

use unslow::cache::BreakerState;
use unslow::outcome::{Outcome, Tier};
use unslow::settings::{self, Secret};

use crate::cache_support::{Instance, LIMIT, hasty, key, loaded, settings};
use crate::servers::{Redis, until};

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_stops_costs_its_deadline_until_the_breaker_opens_and_then_nothing() {
    let redis = Redis::start();
    let one = Instance::with(&hasty(redis.url()), 1 << 20);
    one.store(&key("p"), "rows").await;
    let before = redis.client_ids();
    assert!(!before.is_empty());
    redis.stop();
    // Memory is not delayed, …
    let reply = one.get(&key("p"), "").await;
    assert_eq!(reply.outcome, Outcome::Hit(Tier::Memory));
    // … other keys come from the database, …
    let mut asked = 0;
    while one.redis().breaker != "open" {
        asked += 1;
        let reply = one.get(&key(&asked.to_string()), "rows").await;
        assert_eq!(reply.outcome, Outcome::Miss);
        assert!(asked <= 3, "{:?}", one.redis());
    }
    let failed = one.redis().errors.values().sum::<u64>();
    // … and once it is open, Redis is not even asked.
    for number in 100..200 {
        let reply = one.get(&key(&number.to_string()), "rows").await;
        assert_eq!(reply.outcome, Outcome::Miss);
        assert_eq!(reply.timings.redis, Duration::ZERO);
    }
    let seen = one.redis();
    assert!(
        seen.up == Some(false) && seen.last_error.as_deref() == Some("timeout"),
        "{seen:?}"
    );
    // Loads that ended meanwhile may have had a write under way, and it is asked now and then
    // whether it is back; requests ask nothing.
    assert!(seen.errors.values().sum::<u64>() <= failed + 20, "{seen:?}");
    assert_eq!(one.cache.redis_state().unwrap().breaker, BreakerState::Open);
    redis.cont();
    // Its connections are not kept for TCP to find out.
    until("they are closed", || {
        let now = redis.client_ids();
        !now.iter().any(|id| before.contains(id))
    })
    .await;
    one.clock.advance(Duration::from_secs(6));
    heal(&one).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_memory_tier_a_request_waits_for_a_stopped_redis_once() {
    let redis = Redis::start();
    let one = Arc::new(Instance::with(&hasty(redis.url()), 0));
    one.store(&key("p"), "rows").await;
    redis.stop();
    // The load comes after every look and before the write.
    let counting = Arc::clone(&one);
    let failures = move |_| async move {
        let failures = counting.redis().errors.values().sum::<u64>();
        Ok(loaded(failures.to_string()))
    };
    let reply = one.look_up(&key("q"), failures).await.unwrap();
    assert_eq!(reply.outcome, Outcome::Miss);
    assert_eq!(&reply.entry.body[..], b"1");
    redis.cont();
}

/// Asks for new keys until Redis is up again; turns the clock past a probe that came too early.
async fn heal(one: &Instance) {
    let limit = Instant::now() + LIMIT;
    let mut number = 1000;
    while one.redis().up != Some(true) {
        assert!(Instant::now() < limit, "{:?}", one.redis());
        number += 1;
        one.get(&key(&number.to_string()), "rows").await;
        if one.redis().breaker == "open" {
            one.clock.advance(Duration::from_secs(6));
        }
    }
    one.store(&key(&format!("after {number}")), "rows").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_is_killed_and_comes_back_empty_is_used_again() {
    let mut redis = Redis::start();
    let one = Instance::of(&redis);
    one.store(&key("p"), "rows").await;
    redis.kill();
    let mut number = 0;
    while one.redis().breaker != "open" {
        number += 1;
        let reply = one.get(&key(&number.to_string()), "rows").await;
        assert_eq!(reply.outcome, Outcome::Miss);
        assert!(number < 10, "{:?}", one.redis());
    }
    assert_eq!(
        one.get(&key("p"), "").await.outcome,
        Outcome::Hit(Tier::Memory)
    );
    redis.start_again();
    one.clock.advance(Duration::from_secs(6));
    heal(&one).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_redis_closed_is_replaced_without_a_failure() {
    let redis = Redis::start();
    let one = Instance::of(&redis);
    one.store(&key("p"), "rows").await;
    redis.ask(&["CLIENT", "KILL", "TYPE", "normal"]);
    let two = Instance::of(&redis);
    two.get(&key("p"), "other").await;
    one.store(&key("q"), "rows").await;
    let seen = one.redis();
    assert_eq!(seen.errors.values().sum::<u64>(), 0, "{seen:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_redis_serves_reads_and_its_refused_writes_are_counted() {
    let redis = Redis::start();
    let one = Instance::of(&redis);
    one.store(&key("p"), "rows").await;
    redis.ask(&["CONFIG", "SET", "maxmemory", "1"]);
    for number in 0..10 {
        one.get(&key(&number.to_string()), "rows").await;
    }
    one.until("ten refusals", |redis| redis.errors["out_of_memory"] == 10)
        .await;
    let seen = one.redis();
    assert_eq!(
        (seen.breaker, seen.up, seen.writes),
        ("closed".to_owned(), Some(true), 1)
    );
    let reply = Instance::of(&redis).get(&key("p"), "other").await;
    assert_eq!(reply.outcome, Outcome::Hit(Tier::Redis));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_wants_a_password_counts_as_down() {
    let redis = Redis::start();
    redis.ask(&["CONFIG", "SET", "requirepass", "s3cret"]);
    let one = Instance::of(&redis);
    for number in 0..5 {
        let reply = one.get(&key(&number.to_string()), "rows").await;
        assert_eq!(reply.outcome, Outcome::Miss);
    }
    one.until("the breaker", |redis| redis.breaker == "open")
        .await;
    let seen = one.redis();
    assert!(
        seen.errors["auth"] >= 3 && seen.up == Some(false),
        "{seen:?}"
    );
    let with_password = Instance::with(
        &settings::RedisSettings {
            password: Some(Secret::new("s3cret".to_owned())),
            ..settings(redis.url())
        },
        1 << 20,
    );
    with_password.store(&key("p"), "rows").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_reads_and_its_refused_writes_drop_the_connections() {
    let (redis, primary) = (Redis::start(), Redis::start());
    let one = Instance::of(&redis);
    one.store(&key("p"), "rows").await;
    let port = primary.port().to_string();
    redis.ask(&["REPLICAOF", "127.0.0.1", &port]);
    one.get(&key("q"), "rows").await;
    one.until("the refusal", |redis| redis.errors["read_only"] == 1)
        .await;
    redis.ask(&["REPLICAOF", "NO", "ONE"]);
    let before = redis.connections(0);
    one.store(&key("r"), "rows").await;
    assert_eq!(redis.connections(1), before + 2, "both lanes anew");
    assert_eq!(one.redis().breaker, "closed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_port_and_one_that_swallows_packets_still_give_answers() {
    let mut redis = Redis::start();
    redis.kill();
    let closed = Instance::with(&settings(redis.url()), 0);
    // Accepts and never says a word.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let silent_one = Instance::with(&hasty(format!("redis://127.0.0.1:{port}")), 0);
    for instance in [closed, silent_one] {
        for number in 0..5 {
            let reply = instance.get(&key(&number.to_string()), "rows").await;
            assert_eq!(reply.outcome, Outcome::Miss);
        }
        instance
            .until("the breaker", |redis| redis.breaker == "open")
            .await;
    }
}

/// One thread does everything here, so that nobody reads an answer while it is busy.
#[tokio::test]
async fn an_answer_that_came_while_the_process_was_busy_is_no_failure_of_redis() {
    let redis = Redis::start();
    let hasty = hasty(redis.url());
    let (one, two) = (Instance::of(&redis), Instance::with(&hasty, 0));
    for n in 0..10 {
        one.store(&key(&n.to_string()), "rows").await;
    }
    two.get(&key("0"), "other").await;
    for n in 1..10 {
        let key = key(&n.to_string());
        let busy = async {
            // Until the question is on its way.
            for _ in 0..3 {
                tokio::task::yield_now().await;
            }
            let since = Instant::now();
            while since.elapsed() < 2 * hasty.timeout {
                std::hint::spin_loop();
            }
        };
        let (reply, ()) = tokio::join!(two.get(&key, "other"), busy);
        assert_eq!(reply.outcome, Outcome::Hit(Tier::Redis), "{n}");
    }
    assert_eq!(two.redis().errors.values().sum::<u64>(), 0);
}
