//! The common part of the tests of the Redis tier: one process's cache, and settings for its Redis.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use tokio::runtime::Handle;
use unslow::cache::{Cache, Clock, Key, KeyBase, LoadedValue, Lookup, Policy, Reply};
use unslow::error::RequestError;
use unslow::outcome::Outcome;
use unslow::settings::{self, Secret};
use unslow::stats::{RedisSnapshot, Stats};

use crate::servers::{Redis, until};

/// The policy of these tests; jitter leaves at least 18 s of its TTL.
pub(crate) const POLICY: Policy = Policy {
    ttl: Duration::from_secs(20),
    stale_while_revalidate: Duration::from_secs(30),
    stale_if_error: Duration::from_secs(100),
};
pub(crate) const MAX_ENTRY: u64 = 100_000;

/// The time for which an event that must come is waited for.
pub(crate) const LIMIT: Duration = Duration::from_secs(30);

/// One process's cache.
pub(crate) struct Instance {
    pub(crate) cache: Cache,
    pub(crate) clock: Clock,
    stats: Arc<Stats>,
    loads: Arc<AtomicUsize>,
}

impl Instance {
    pub(crate) fn of(redis: &Redis) -> Instance {
        Instance::with(&settings(redis.url()), 1 << 20)
    }

    pub(crate) fn with(redis: &settings::RedisSettings, memory: u64) -> Instance {
        let (clock, stats) = (Clock::by_hand(), Arc::new(Stats::new(["q"].into_iter())));
        let cache = settings::CacheSettings {
            ttl: POLICY.ttl,
            stale_while_revalidate: POLICY.stale_while_revalidate,
            stale_if_error: POLICY.stale_if_error,
            memory,
            max_entry: MAX_ENTRY,
        };
        let (engine, counted) = (Handle::current(), Arc::clone(&stats));
        let cache = Cache::with_clock(&cache, Some(redis), engine, counted, clock.clone());
        Instance {
            cache: cache.unwrap(),
            clock,
            stats,
            loads: Arc::default(),
        }
    }

    /// An answer; where it has to be loaded, the load brings `body`.
    pub(crate) async fn get(&self, key: &Key, body: &str) -> Reply {
        let (loads, body) = (Arc::clone(&self.loads), body.to_owned());
        self.look_up(key, move |_| {
            loads.fetch_add(1, Ordering::SeqCst);
            async move { Ok(loaded(body)) }
        })
        .await
        .unwrap()
    }

    pub(crate) async fn look_up<F, Fut>(&self, key: &Key, load: F) -> Result<Reply, RequestError>
    where
        F: FnOnce(Duration) -> Fut + Send + 'static,
        Fut: Future<Output = Result<LoadedValue, RequestError>> + Send + 'static,
    {
        let lookup = Lookup {
            key,
            policy: POLICY,
            patience: LIMIT,
            stats: self.stats.query_stats(0),
        };
        self.cache.get_or_load(lookup, load).await
    }

    pub(crate) fn redis(&self) -> RedisSnapshot {
        self.stats
            .take_snapshot(unslow::stats::Window::Start)
            .redis
            .unwrap()
    }

    pub(crate) fn loads(&self) -> usize {
        self.loads.load(Ordering::SeqCst)
    }

    /// Waits until what is counted about Redis is so.
    pub(crate) async fn until(&self, what: &str, mut holds: impl FnMut(&RedisSnapshot) -> bool) {
        until(what, || holds(&self.redis())).await;
    }

    /// Loads `body` for `key` and waits until Redis has it.
    pub(crate) async fn store(&self, key: &Key, body: &str) {
        let before = self.redis().writes;
        assert_eq!(self.get(key, body).await.outcome, Outcome::Miss);
        self.until("the write", |redis| redis.writes > before).await;
    }
}

/// Settings for the Redis at `url`.
pub(crate) fn settings(url: String) -> settings::RedisSettings {
    settings::RedisSettings {
        url: Secret::new(url),
        password: None,
        ca_file: None,
        namespace: "test".to_owned(),
        // A busy machine cannot miss this; tests of the deadline set a short one.
        timeout: LIMIT,
    }
}

/// Settings with a deadline that is meant to be missed.
pub(crate) fn hasty(url: String) -> settings::RedisSettings {
    settings::RedisSettings {
        timeout: Duration::from_millis(500),
        ..settings(url)
    }
}

pub(crate) fn loaded(body: String) -> LoadedValue {
    LoadedValue {
        body: body.into(),
        head: Bytes::from_static(b"head"),
        rows: 3,
        is_foreign: false,
    }
}

pub(crate) fn key(parameters: &str) -> Key {
    KeyBase::new("test", "q", "select 1", "db").make_key(parameters.as_bytes().to_vec())
}
