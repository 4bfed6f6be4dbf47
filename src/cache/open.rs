//! The start of a cache: its tiers are made, and connecting and listening begin.

use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::task::JoinSet;

use super::clock::Clock;
use super::core::{Cache, CacheCore};
use super::flight::SingleFlight;
use super::memory::Memory;
use super::pending::PendingPurges;
use super::redis::RedisTier;
use super::trust::CopyTrust;
use super::{backplane, envelope};
use crate::error::StartupError;
use crate::logging::{LOG_EVERY, LogThrottles};
use crate::settings::{self, Settings};
use crate::stats::Stats;

/// Redis holds no longer values.
const REDIS_MAX: usize = 512 << 20;

impl Cache {
    /// Opens the tiers that the settings name. Connects to Redis in the background, on `engine`,
    /// which must outlive the cache's callers; that Redis is away is no error.
    pub fn open(
        settings: &Settings,
        engine: Handle,
        stats: Arc<Stats>,
    ) -> Result<Cache, StartupError> {
        let (cache, redis) = (&settings.cache, settings.redis.as_ref());
        Cache::with_clock(cache, redis, engine, stats, Clock::of_machine())
    }

    /// [`Cache::open`] with a clock of the caller's choice. Deadlines (of Redis, of patience) are
    /// kept by the runtime's own timer all the same.
    #[allow(
        clippy::needless_pass_by_value,
        reason = "the counters are shared, like everything else that is handed over here"
    )]
    pub fn with_clock(
        cache: &settings::CacheSettings,
        redis: Option<&settings::RedisSettings>,
        engine: Handle,
        stats: Arc<Stats>,
        clock: Clock,
    ) -> Result<Cache, StartupError> {
        let max_entry = max_entry(cache);
        let open =
            |redis| RedisTier::open(redis, max_entry, &engine, Arc::clone(&stats), clock.clone());
        let redis = redis.map(open).transpose()?;
        Ok(Cache::with_redis(cache, redis, engine, &stats, clock))
    }

    pub(super) fn with_redis(
        cache: &settings::CacheSettings,
        redis: Option<RedisTier>,
        engine: Handle,
        stats: &Arc<Stats>,
        clock: Clock,
    ) -> Cache {
        let generations = Arc::default();
        let cache = Cache::begin_tasks(CacheCore {
            redis: redis.map(Arc::new),
            tiers: Arc::default(),
            memory: Memory::new(cache.memory, clock.clone(), Arc::clone(stats)),
            flights: SingleFlight::new(clock.clone()),
            pending: PendingPurges::new(&generations, Vec::new()),
            confirmations: Arc::default(),
            name: Arc::default(),
            not_kept: Arc::new(LogThrottles::new(LOG_EVERY)),
            generations,
            trust: Arc::new(CopyTrust::new(clock.now())),
            stats: Arc::clone(stats),
            max_entry: max_entry(cache),
            engine,
            clock,
            listening: JoinSet::new(),
        });
        cache.install_gauges(stats);
        cache
    }

    /// Begins to connect and to listen.
    pub(super) fn begin_tasks(mut inner: CacheCore) -> Cache {
        if let Some(redis) = &inner.redis {
            inner.tiers.add(redis);
            let (warmed, heard) = (Arc::clone(redis), Arc::clone(redis));
            inner
                .engine
                .spawn(async move { warmed.connect_eagerly().await });
            let listening = backplane::listen_forever(heard, inner.without_redis());
            inner.listening.spawn_on(listening, &inner.engine);
        }
        let inner = Arc::new(inner);
        Cache { inner }
    }
}

/// Returns the bound on an entry, in bytes.
pub(super) fn max_entry(cache: &settings::CacheSettings) -> usize {
    let bound = REDIS_MAX - envelope::OVERHEAD;
    usize::try_from(cache.max_entry).map_or(bound, |max| max.min(bound))
}
