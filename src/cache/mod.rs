//! The read path: memory, Redis, a flight, the load. No SQL, no HTTP: it moves opaque bytes and
//! takes a closure that loads them.
//!
//! [`Cache::get_or_load`] is the one way to a value. Around it: `lookup` (what is asked and
//! answered), `key` (what an entry is found by), `entry` (how old it is and what was made of it),
//! `memory` and `redis` (the tiers; `commands` is what Redis is asked, with the scripts in
//! `scripts`, `answers` what it says, `envelope` the stored form, `link` the connections, `connect`
//! how they are made, `breaker` who may use them), `flight` (one load per key here; `boarding` is
//! how one comes to it, `fill` what is done in flight, `keeping` how long Redis keeps what it
//! brings, as `redis_life` says, `clearance` what comes before a load, `lease` one load per key in the fleet, `note` what the fleet knows of a failure), `purge` and
//! `generations` (what makes copies old before their time; `backplane` tells the other instances,
//! `confirm` hears from them,
//! `recheck` finds out what was missed, `trust` says when that is due, `recent` what came meanwhile), `trip` (one lookup's times
//! and its count), `compare` (one tier alone), `renew` (the same copies over another Redis). Beside
//! it, for people: `state` (how both tiers are), `info` (what Redis says of itself) and `reports` (what the instances keep there of
//! themselves). `systems` are the databases that were seen there.

mod answers;
mod backplane;
mod boarding;
mod breaker;
mod chance;
mod clearance;
mod clock;
mod commands;
mod compare;
mod confirm;
mod connect;
mod entry;
mod envelope;
mod fill;
mod flight;
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing;
mod generations;
mod info;
mod keeping;
mod key;
mod lease;
mod link;
mod lookup;
mod memory;
mod note;
mod probe;
mod purge;
mod recent;
mod recheck;
mod redis;
mod redis_life;
mod renew;
mod reports;
mod scripts;
mod state;
mod systems;
#[cfg(test)]
mod tests;
mod trip;
mod trust;

use std::fmt;
use std::future::Future;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::task::JoinSet;

pub use breaker::{BreakerState, RedisState};
pub use clock::Clock;
pub use compare::NoCopy;
pub use confirm::Confirmed;
pub use entry::Entry;
pub use key::{Key, KeyBase, SystemTag};
pub use lookup::{Loaded, Lookup, Policy, Reply, Timings};
pub use probe::probe;
pub use purge::{PurgeKind, Reach, Refreshed, Scope};
pub use renew::answers;
pub use reports::{REPORT_LIFE, Reported, Roll};

use crate::error::{RequestError, StartupError};
use crate::logging::{LOG_EVERY, Throttles};
use crate::outcome::{BypassReason, Outcome, StaleReason, Tier};
use crate::settings::{self, Settings};
use crate::stats::{Stats, Trigger};
use confirm::Confirmations;
use entry::Life;
use fill::Order;
use flight::{Flights, Role};
use generations::AllGenerations;
use memory::Memory;
use recheck::Glance;
use redis::RedisTier;
use renew::{Tiers, Unheard};
use trip::Trip;
use trust::Trust;

/// Both tiers and the flights. Cheap to clone; the clones are one cache.
#[derive(Clone)]
pub struct Cache {
    inner: Arc<Inner>,
}

/// One Redis with what is known of it, over what all caches of the process share: the memory tier,
/// the flights, and what is known of purges.
struct Inner {
    memory: Arc<Memory>,
    redis: Option<Arc<RedisTier>>,
    /// Those of all caches of the process.
    tiers: Arc<Tiers>,
    flights: Arc<Flights>,
    generations: Arc<AllGenerations>,
    trust: Arc<Trust>,
    /// Purges that Redis has not heard of.
    pending: Unheard,
    /// Purges that other instances are to confirm.
    confirmations: Arc<Confirmations>,
    /// How the other instances know this one, once it is said.
    name: Arc<OnceLock<String>>,
    stats: Arc<Stats>,
    /// The lines about answers that are too large to be kept, by query.
    not_kept: Arc<Throttles<String>>,
    /// In bytes of body, head and canonical parameters.
    max_entry: usize,
    engine: Handle,
    clock: Clock,
    /// What hears the messages of the other instances; it ends with this.
    listening: JoinSet<()>,
}

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
        Cache::with_clock(cache, redis, engine, stats, Clock::real())
    }

    /// [`Cache::open`] with a clock of the caller's choice. Deadlines (of Redis, of patience) are
    /// kept by the runtime's own timer all the same.
    #[allow(
        clippy::needless_pass_by_value,
        reason = "the counters are shared, like everything else that is handed over here"
    )]
    pub fn with_clock(
        cache: &settings::Cache,
        redis: Option<&settings::Redis>,
        engine: Handle,
        stats: Arc<Stats>,
        clock: Clock,
    ) -> Result<Cache, StartupError> {
        let max_entry = max_entry(cache);
        let open =
            |redis| RedisTier::open(redis, max_entry, &engine, Arc::clone(&stats), clock.clone());
        let redis = redis.map(open).transpose()?;
        Ok(Cache::over(cache, redis, engine, &stats, clock))
    }

    fn over(
        cache: &settings::Cache,
        redis: Option<RedisTier>,
        engine: Handle,
        stats: &Arc<Stats>,
        clock: Clock,
    ) -> Cache {
        let generations = Arc::default();
        let cache = Cache::begin(Inner {
            redis: redis.map(Arc::new),
            tiers: Arc::default(),
            memory: Memory::new(cache.memory, clock.clone(), Arc::clone(stats)),
            flights: Flights::new(clock.clone()),
            pending: Unheard::new(&generations, Vec::new()),
            confirmations: Arc::default(),
            name: Arc::default(),
            not_kept: Arc::new(Throttles::new(LOG_EVERY)),
            generations,
            trust: Arc::new(Trust::new(clock.now())),
            stats: Arc::clone(stats),
            max_entry: max_entry(cache),
            engine,
            clock,
            listening: JoinSet::new(),
        });
        cache.is_measured_by(stats);
        cache
    }

    /// Begins to connect and to listen.
    fn begin(mut inner: Inner) -> Cache {
        if let Some(redis) = &inner.redis {
            inner.tiers.add(redis);
            let (warmed, heard) = (Arc::clone(redis), Arc::clone(redis));
            inner.engine.spawn(async move { warmed.warm().await });
            let listening = backplane::listen(heard, inner.without_redis());
            inner.listening.spawn_on(listening, &inner.engine);
        }
        let inner = Arc::new(inner);
        Cache { inner }
    }

    /// The value for a key: from memory, from Redis, or by `load`, of which one runs per key and
    /// process at a time, as a task of the engine runtime. The whole read path. `load` is told how
    /// long it has been waited for: while another instance's load ran, which then brought nothing.
    ///
    /// Fails with the load's error, the same one for every waiter, or with
    /// [`RequestError::Timeout`] when patience runs out while the load goes on; but not while
    /// there is a copy within stale-if-error. Redis is never the reason.
    ///
    /// Cancel-safe: dropped, it takes nothing from anybody; a load it began goes on and is
    /// stored. It is then not counted as a request. Needs a tokio runtime with time.
    pub async fn get_or_load<F, Fut>(
        &self,
        lookup: Lookup<'_>,
        load: F,
    ) -> Result<Reply, RequestError>
    where
        F: FnOnce(Duration) -> Fut + Send + 'static,
        Fut: Future<Output = Result<Loaded, RequestError>> + Send + 'static,
    {
        let inner = &self.inner;
        let mut trip = Trip::start(inner, lookup);
        let (mut copy, mut tier) = (inner.memory.get(lookup.key), Tier::Memory);
        let mut glance = Glance::default();
        if inner.redis.is_some() && trip.must_ask_redis(copy.as_ref()) {
            trip.step(|timings| &mut timings.memory);
            let served = copy.as_ref().filter(|copy| trip.is_served_by(copy));
            let (key, policy) = (lookup.key, &lookup.policy);
            glance = inner.look_in_redis(key, policy, served).await;
            if let Some((found, from)) = glance.copy.take() {
                (copy, tier) = (Some(found), from);
            }
            trip.step(|timings| &mut timings.redis);
        }
        if let Some(copy) = &copy {
            let life = trip.life_served(copy);
            let copy = Arc::clone(copy);
            let hit = Outcome::Hit(tier);
            match life {
                Life::Fresh => return Ok(trip.answer(copy, hit)),
                Life::Unconfirmed => return Ok(trip.answer(copy, REVALIDATING)),
                _ => {}
            }
            if matches!(life, Life::Due | Life::Stale) {
                let role = inner.flights.board(lookup.key);
                let outcome = match (life, &role) {
                    (Life::Due, _) => Some(hit),
                    (_, Role::Lead(_) | Role::Follow(_)) => Some(REVALIDATING),
                    (_, Role::Failed(_)) => Some(LOAD_ERROR),
                    // Nothing newer would ever be stored: the copy is of no more use.
                    (_, Role::TooLarge) => None,
                };
                if let Some(outcome) = outcome {
                    if let Role::Lead(flight) = role {
                        let order = Order::of(&lookup, Some(&copy)).by(Trigger::Refresh);
                        let order = order.after(&glance);
                        inner.take_off(flight, order, load);
                    }
                    return Ok(trip.answer(copy, outcome));
                }
            }
        }
        let order = Order::of(&lookup, copy.as_deref()).after(&glance);
        let came = inner.board(&trip, order, load).await;
        trip.step(match &came {
            Ok((_, Outcome::Miss | Outcome::Bypass(_))) => |timings| &mut timings.load,
            _ => |timings| &mut timings.wait,
        });
        match (came, copy.filter(|copy| trip.life(copy) != Life::Over)) {
            (Ok((entry, outcome)), _) => Ok(trip.answer(entry, outcome)),
            (Err(_), Some(copy)) => Ok(trip.answer(copy, LOAD_ERROR)),
            (Err(error), None) => Err(trip.fail(error)),
        }
    }

    /// Runs `load` past both tiers and all flights, as a task of the engine runtime, for this
    /// reason. Errors as those of [`Cache::get_or_load`], never a stale copy.
    ///
    /// Cancel-safe: the load goes on without the caller, and its result is dropped.
    pub async fn bypass<F, Fut>(
        &self,
        lookup: Lookup<'_>,
        why: BypassReason,
        load: F,
    ) -> Result<Reply, RequestError>
    where
        F: FnOnce(Duration) -> Fut + Send + 'static,
        Fut: Future<Output = Result<Loaded, RequestError>> + Send + 'static,
    {
        let mut trip = Trip::start(&self.inner, lookup);
        let trigger = match why {
            BypassReason::Compare => Trigger::Admin,
            _ => Trigger::Request,
        };
        let loaded = self.inner.load_apart(&lookup, trigger, load).await;
        trip.step(|timings| &mut timings.load);
        match loaded {
            Ok(entry) => Ok(trip.answer(entry, Outcome::Bypass(why))),
            Err(error) => Err(trip.fail(error)),
        }
    }
}

const REVALIDATING: Outcome = Outcome::Stale(StaleReason::Revalidating);
const LOAD_ERROR: Outcome = Outcome::Stale(StaleReason::LoadError);

/// The bound on an entry, in bytes.
fn max_entry(cache: &settings::Cache) -> usize {
    let bound = REDIS_MAX - envelope::OVERHEAD;
    usize::try_from(cache.max_entry).map_or(bound, |max| max.min(bound))
}

/// Without what it holds: entries are result rows, connections know the password.
impl fmt::Debug for Cache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cache").finish_non_exhaustive()
    }
}
