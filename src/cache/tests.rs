//! The read path with loads played by the test and a clock turned by hand; what these tests are
//! made of is here. The Redis tier is tried on real servers, in
//! `tests/it/cache_redis*.rs`.

#![allow(clippy::unwrap_used, reason = "tests")]

mod alone;
mod copies;
pub(super) mod fake;
mod fleet;
mod loads;
mod model;
mod unstored;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::join_all;
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, mpsc};

use super::entry::LoadContext;
use super::open::max_entry;
use super::rank::LoadVersion;
use super::redis::{RedisTier, RedisTransport};
use super::*;
use crate::error::RequestError;
use crate::outcome::{BypassReason, Outcome, StaleReason, Tier};
use crate::settings;
use crate::stats::{Stats, SummaryNumbers, Trigger};

const SECOND: Duration = Duration::from_secs(1);
const POLICY: Policy = Policy {
    ttl: Duration::from_secs(10),
    stale_while_revalidate: Duration::from_secs(30),
    stale_if_error: Duration::from_secs(1000),
};
const MAX_ENTRY: u64 = 10_000;

/// A key; keys of other parameters are other keys.
pub(super) fn key(parameters: &str) -> Key {
    KeyBase::new("unslow", "version", "select 1", "db").make_key(parameters.as_bytes().to_vec())
}

/// Of a load that began just now without Redis.
pub(super) fn origin() -> LoadContext {
    LoadContext {
        generations: Arc::default(),
        rank: LoadVersion::without_redis(),
    }
}

/// What a load brings.
pub(super) fn loaded(body: &str) -> LoadedValue {
    LoadedValue {
        body: Bytes::copy_from_slice(body.as_bytes()),
        head: Bytes::from_static(b"columns"),
        rows: 1,
        is_foreign: false,
    }
}

/// The settings of a cache with so many bytes of memory.
fn settings_of(policy: Policy, memory: u64) -> settings::CacheSettings {
    settings::CacheSettings {
        ttl: policy.ttl,
        stale_while_revalidate: policy.stale_while_revalidate,
        stale_if_error: policy.stale_if_error,
        memory,
        max_entry: MAX_ENTRY,
    }
}

/// Those of a Redis that no address leads to.
fn settings_of_redis() -> settings::RedisSettings {
    settings::RedisSettings {
        url: settings::Secret::new(String::new()),
        password: None,
        ca_file: None,
        namespace: "unslow".to_owned(),
        timeout: Duration::from_millis(250),
    }
}

/// A cache whose Redis is the fake one that the line leads to, by the runtime's clock. Must be
/// called on a tokio runtime.
fn cache_on(line: &fake::Line, policy: Policy, memory: u64, stats: &Arc<Stats>) -> Cache {
    let redis = settings_of_redis();
    let (settings, engine) = (settings_of(policy, memory), Handle::current());
    let (clock, counted) = (Clock::of_runtime(), Arc::clone(stats));
    let (wire, bound) = (RedisTransport::Fake(line.clone()), max_entry(&settings));
    let tier = RedisTier::with_transport(wire, &redis, bound, &engine, counted, clock.clone());
    Cache::with_redis(&settings, Some(tier), engine, stats, clock)
}

fn lookup<'a>(key: &'a Key, stats: &'a Stats) -> Lookup<'a> {
    Lookup {
        key,
        policy: POLICY,
        patience: 30 * SECOND,
        stats: stats.query_stats(0),
    }
}

/// A cache and the database it loads from, which answers when it is let.
struct Bench {
    cache: Cache,
    clock: Clock,
    stats: Arc<Stats>,
    database: Arc<Database>,
    key: Key,
}

struct Database {
    started: AtomicUsize,
    /// One permit lets one load end.
    gate: Semaphore,
}

type Loading = std::pin::Pin<Box<dyn Future<Output = Result<LoadedValue, RequestError>> + Send>>;

impl Bench {
    fn new() -> Bench {
        Bench::with_memory(1 << 20)
    }

    fn with_memory(memory: u64) -> Bench {
        let (clock, stats) = (Clock::by_hand(), Arc::new(Stats::new(["q"].into_iter())));
        let (settings, engine) = (settings_of(POLICY, memory), Handle::current());
        let cache = Cache::with_clock(&settings, None, engine, Arc::clone(&stats), clock.clone());
        Bench {
            cache: cache.unwrap(),
            clock,
            stats,
            database: Arc::new(Database {
                started: AtomicUsize::new(0),
                gate: Semaphore::new(0),
            }),
            key: key("p"),
        }
    }

    fn lookup(&self) -> Lookup<'_> {
        lookup(&self.key, &self.stats)
    }

    /// A load that waits at the gate and then ends so.
    fn load(
        &self,
        end: impl FnOnce() -> Result<LoadedValue, RequestError> + Send + 'static,
    ) -> impl FnOnce(Duration) -> Loading + Send + 'static {
        let database = Arc::clone(&self.database);
        move |_| {
            Box::pin(async move {
                database.started.fetch_add(1, Ordering::SeqCst);
                database.gate.acquire().await.unwrap().forget();
                end()
            })
        }
    }

    async fn get(&self, body: &'static str) -> Result<Reply, RequestError> {
        let load = self.load(move || Ok(loaded(body)));
        self.cache.get_or_load(self.lookup(), load).await
    }

    async fn get_failing(&self) -> Result<Reply, RequestError> {
        let load = self.load(|| Err(away()));
        self.cache.get_or_load(self.lookup(), load).await
    }

    fn let_load(&self, loads: usize) {
        self.database.gate.add_permits(loads);
    }

    /// Puts `body` in memory by a load, and forgets the counting of it.
    async fn fill(&self, body: &'static str) {
        self.let_load(1);
        assert_eq!(self.get(body).await.unwrap().outcome, Outcome::Miss);
    }

    /// To the last moment in which the copy is fresh, by one hit.
    async fn until_due(&self) {
        let left = self.get("nothing").await.unwrap().ttl_left;
        self.clock
            .advance(left.saturating_sub(Duration::from_millis(1)));
    }

    fn loads(&self) -> usize {
        self.database.started.load(Ordering::SeqCst)
    }

    fn numbers(&self) -> SummaryNumbers {
        self.stats.take_snapshot(crate::stats::Window::Start).total
    }

    /// Until the background has come to rest: every flight has ended.
    async fn settled(&self) {
        while self.cache.inner.flights.failure_count() > 0 {
            tokio::task::yield_now().await;
        }
    }
}

fn away() -> RequestError {
    RequestError::Unavailable {
        detail: "away".into(),
    }
}

fn body(reply: &Reply) -> &[u8] {
    &reply.entry.body
}
