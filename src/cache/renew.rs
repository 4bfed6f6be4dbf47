//! The same copies, flights and purges over another Redis: what a reload does where settings of
//! Redis have changed. Each Redis has a cache of its own, so that requests that began before go on
//! with theirs, and a reload that comes to nothing has changed nothing.
//!
//! Order numbers and generations of both are microseconds of their servers' clocks, which are
//! taken to agree: that is what lets a purge in one concern a copy that was numbered by the other.

use std::sync::Arc;
use std::time::Duration;

use deadpool_redis::redis::{self, AsyncConnectionConfig, Client};
use futures_util::future::join_all;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::connect::connection_info;
use super::core::{Cache, CacheCore};
use super::key::Key;
use super::open::max_entry;
use super::pending::PendingPurges;
use super::probe::error_words;
use super::purge_request::PurgeKind;
use super::redis::RedisTier;
use crate::error::StartupError;
use crate::settings;
use crate::stats::{Gauges, Stats};

/// The time for which a Redis that is to be used from now on may take to let us in, and to answer.
const ANSWER: Duration = Duration::from_secs(1);

impl Cache {
    /// Returns the same memory tier, flights and purges under other settings: with another Redis,
    /// or none, or another bound on entries. The bound on memory stays. This cache goes on as it
    /// is.
    ///
    /// Copies in memory stay, and each is compared with the new Redis before its next use; purges
    /// that the Redis so far has not heard of wait for the new one. Connects in the background.
    ///
    /// # Errors
    /// Settings of Redis that the driver does not take.
    pub fn reconfigured(
        &self,
        cache: &settings::CacheSettings,
        redis: Option<&settings::RedisSettings>,
        stats: &Arc<Stats>,
    ) -> Result<Cache, StartupError> {
        let (before, max_entry) = (&self.inner, max_entry(cache));
        let _context = before.engine.enter();
        let (stats_of, clock) = (Arc::clone(stats), before.clock.clone());
        let open = |redis| RedisTier::open(redis, max_entry, &before.engine, stats_of, clock);
        let redis = redis.map(open).transpose()?;
        Ok(self.over_another(redis, max_entry, stats))
    }

    pub(super) fn over_another(
        &self,
        redis: Option<RedisTier>,
        max_entry: usize,
        stats: &Arc<Stats>,
    ) -> Cache {
        let before = &self.inner;
        let purges = before.pending.lock().clone();
        let cache = Cache::begin_tasks(CacheCore {
            redis: redis.map(Arc::new),
            trust: Arc::new(before.trust.of_another(before.clock.now())),
            pending: PendingPurges::new(&before.generations, purges),
            stats: Arc::clone(stats),
            max_entry,
            ..before.without_redis()
        });
        if !cache.inner.pending.lock().is_empty() {
            cache.inner.go_on_applying();
        }
        cache
    }

    /// Lets these counters read from this cache how full the memory tier is and how Redis is.
    pub fn install_gauges(&self, stats: &Stats) {
        let measured = Arc::downgrade(&self.inner);
        stats.set_gauges(move || {
            measured
                .upgrade()
                .map_or_else(Gauges::default, |cache| cache.read_gauges())
        });
    }

    /// Returns whether both are one cache, with one Redis.
    pub fn is_same(&self, other: &Cache) -> bool {
        Arc::ptr_eq(&self.inner, &other.inner)
    }
}

impl CacheCore {
    /// Tells the other Redis of a purge while there are two, because what it still gives to one
    /// cache would get into the memory of both. One that does not answer gives nothing either.
    pub(super) async fn tell_others(
        &self,
        family: &str,
        entry: Option<(&Key, Duration)>,
        kind: PurgeKind,
        within: Duration,
    ) {
        let others = self.tiers.all_but(self.redis.as_ref());
        join_all(
            others
                .iter()
                .map(|tier| tier.purge_stored(family, entry, kind, within, None)),
        )
        .await;
    }

    /// Returns what it shares with others, by itself.
    pub(super) fn without_redis(&self) -> CacheCore {
        CacheCore {
            memory: Arc::clone(&self.memory),
            redis: None,
            tiers: Arc::clone(&self.tiers),
            flights: Arc::clone(&self.flights),
            generations: Arc::clone(&self.generations),
            trust: Arc::clone(&self.trust),
            pending: PendingPurges::new(&self.generations, Vec::new()),
            confirmations: Arc::clone(&self.confirmations),
            name: Arc::clone(&self.name),
            not_kept: Arc::clone(&self.not_kept),
            stats: Arc::clone(&self.stats),
            max_entry: self.max_entry,
            engine: self.engine.clone(),
            clock: self.clock.clone(),
            listening: JoinSet::new(),
        }
    }
}

/// Returns whether the Redis of these settings lets us in and answers, within two seconds. The
/// message says why it does not, without the password. Must run on a tokio runtime.
pub async fn ping_redis(settings: &settings::RedisSettings) -> Result<(), String> {
    let info = connection_info(settings).map_err(|error| error.to_string())?;
    let client = Client::open(info).map_err(|error| error_words(&error))?;
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(ANSWER))
        .set_response_timeout(Some(ANSWER));
    let asked = async {
        let mut connection = client
            .get_multiplexed_async_connection_with_config(&config)
            .await?;
        redis::cmd("PING")
            .query_async::<redis::Value>(&mut connection)
            .await
    };
    match timeout(2 * ANSWER, asked).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(error_words(&error)),
        Err(_) => Err("no answer in time".to_owned()),
    }
}
