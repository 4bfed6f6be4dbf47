//! What is done in flight: look again, load, store. It runs as a task of the engine runtime, so
//! that a caller who leaves changes nothing, and a retired generation of workers takes no load
//! with it.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::time::{Instant as Deadline, timeout_at};

use super::entry::Life;
use super::flight::{End, Flight, Role, Waiter};
use super::redis::RedisTier;
use super::trip::Trip;
use super::{Entry, Inner, Key, Loaded, Lookup, Policy, envelope};
use crate::error::RequestError;
use crate::outcome::{BypassReason, Outcome, Tier};
use crate::stats::QueryStats;

/// How many flights a caller boards, each of which was left dangling by the one before.
const SUCCESSORS: usize = 3;

/// A lookup as the task keeps it.
struct Order {
    key: Key,
    policy: Policy,
    stats: Arc<QueryStats>,
}

impl Order {
    fn of(lookup: &Lookup<'_>) -> Order {
        Order {
            key: lookup.key.clone(),
            policy: lookup.policy,
            stats: Arc::clone(lookup.stats),
        }
    }
}

impl Inner {
    /// An entry by way of the key's flight: the caller's own, or the one it joins. Waits no longer
    /// than the lookup's patience. Cancel-safe: the load goes on and is stored.
    pub(super) async fn board<F, Fut>(
        self: &Arc<Self>,
        trip: &Trip<'_>,
        load: F,
    ) -> Result<(Arc<Entry>, Outcome), RequestError>
    where
        F: FnOnce() -> Fut + Send + 'static,
        Fut: Future<Output = Result<Loaded, RequestError>> + Send + 'static,
    {
        let lookup = &trip.lookup;
        let deadline = Deadline::now() + lookup.patience;
        for _ in 0..SUCCESSORS {
            match self.flights.board(lookup.key) {
                Role::Lead(flight) => {
                    let waiter = flight.waiter();
                    // What another instance, or a flight that ended just now, has stored is in
                    // memory, or only in Redis where there is no memory tier. One that did not
                    // answer the caller is not waited for again: it has one deadline per request.
                    let only_in_redis = !self.memory.enabled() && self.redis_answers();
                    self.take_off(flight, lookup, only_in_redis, load);
                    return match wait(waiter, deadline, lookup).await? {
                        End::Done(entry, None) | End::TooLarge(entry) => Ok((entry, Outcome::Miss)),
                        End::Done(entry, Some(tier)) => Ok((entry, Outcome::Hit(tier))),
                        End::Failed(error) => Err(error),
                        End::Dangling => Err(dangling()),
                    };
                }
                Role::Follow(waiter) => match wait(waiter, deadline, lookup).await? {
                    End::Done(entry, None) | End::TooLarge(entry) => {
                        return Ok((entry, Outcome::Coalesced));
                    }
                    End::Done(entry, Some(tier)) => return Ok((entry, Outcome::Hit(tier))),
                    End::Failed(error) => return Err(error),
                    End::Dangling => {}
                },
                Role::Failed(error) => return Err(error),
                Role::TooLarge => {
                    let entry = self.load_apart(lookup, load).await?;
                    return Ok((entry, Outcome::Bypass(BypassReason::TooLarge)));
                }
            }
        }
        Err(dangling())
    }

    /// Begins a flight's work and returns at once.
    pub(super) fn take_off<F, Fut>(
        self: &Arc<Self>,
        flight: Flight,
        lookup: &Lookup<'_>,
        look_in_redis: bool,
        load: F,
    ) where
        F: FnOnce() -> Fut + Send + 'static,
        Fut: Future<Output = Result<Loaded, RequestError>> + Send + 'static,
    {
        let (inner, order) = (Arc::clone(self), Order::of(lookup));
        self.engine.spawn(async move {
            inner.fly(flight, order, look_in_redis, load).await;
        });
    }

    async fn fly<F, Fut>(
        self: Arc<Self>,
        flight: Flight,
        order: Order,
        look_in_redis: bool,
        load: F,
    ) where
        F: FnOnce() -> Fut,
        Fut: Future<Output = Result<Loaded, RequestError>>,
    {
        let Order { key, policy, stats } = order;
        // Between the caller's look and this flight another one may have ended.
        if let Some((entry, tier)) = self.look_again(&key, &policy, look_in_redis).await {
            return flight.land(End::Done(entry, Some(tier)));
        }
        let entry = match self.load(&key, &stats, load).await {
            Ok(entry) => Arc::new(entry),
            Err(error) => return flight.land(End::Failed(error)),
        };
        if !self.storable(&entry) {
            return flight.land(End::TooLarge(entry));
        }
        let physical = policy.physical();
        let entry = self.memory.insert(entry, physical);
        flight.land(End::Done(Arc::clone(&entry), None));
        // Who comes now finds it in memory; without a memory tier, the flight still tells them
        // until Redis can.
        let on_board = (!self.memory.enabled()).then_some(flight);
        if let Some(redis) = &self.redis {
            redis.write(&entry, physical).await;
        }
        drop(on_board);
    }

    async fn look_again(
        self: &Arc<Self>,
        key: &Key,
        policy: &Policy,
        look_in_redis: bool,
    ) -> Option<(Arc<Entry>, Tier)> {
        // One that is due is what this flight was begun to replace.
        let fresh = |entry: &Arc<Entry>| entry.life(policy, self.clock.now()) == Life::Fresh;
        if let Some(entry) = self.memory.get(key).filter(fresh) {
            return Some((entry, Tier::Memory));
        }
        if !look_in_redis {
            return None;
        }
        let entry = self.look_in_redis(key, policy).await.filter(fresh)?;
        Some((entry, Tier::Redis))
    }

    /// Whether the latest contact with Redis succeeded.
    fn redis_answers(&self) -> bool {
        let redis = self.redis.as_ref().map(RedisTier::state);
        redis.is_some_and(|state| state.up == Some(true))
    }

    /// The usable copy that Redis has, which is then in memory too; or a newer one that has got
    /// there meanwhile.
    pub(super) async fn look_in_redis(&self, key: &Key, policy: &Policy) -> Option<Arc<Entry>> {
        let entry = self.redis.as_ref()?.read(key).await?;
        if entry.life(policy, self.clock.now()) == Life::Over {
            return None;
        }
        Some(self.memory.insert(Arc::new(entry), policy.physical()))
    }

    /// Runs the load on the engine runtime, past tiers and flights. Cancel-safe: it goes on
    /// without the caller, and nobody gets it.
    pub(super) async fn load_apart<F, Fut>(
        self: &Arc<Self>,
        lookup: &Lookup<'_>,
        load: F,
    ) -> Result<Arc<Entry>, RequestError>
    where
        F: FnOnce() -> Fut + Send + 'static,
        Fut: Future<Output = Result<Loaded, RequestError>> + Send + 'static,
    {
        let (inner, order) = (Arc::clone(self), Order::of(lookup));
        let task = self
            .engine
            .spawn(async move { inner.load(&order.key, &order.stats, load).await });
        match tokio::time::timeout(lookup.patience, task).await {
            Ok(Ok(loaded)) => loaded.map(Arc::new),
            Ok(Err(_)) => Err(dangling()),
            Err(_) => Err(impatient(lookup)),
        }
    }

    async fn load<F, Fut>(
        &self,
        key: &Key,
        stats: &QueryStats,
        load: F,
    ) -> Result<Entry, RequestError>
    where
        F: FnOnce() -> Fut,
        Fut: Future<Output = Result<Loaded, RequestError>>,
    {
        stats.load_begins();
        let mut count = LoadCount {
            inner: self,
            stats,
            started: self.clock.now(),
            ok: false,
        };
        let loaded = load().await?;
        count.ok = true;
        let load_time = count.elapsed();
        drop(count);
        Ok(Entry::loaded(key, loaded, load_time, self.clock.now()))
    }

    /// Whether it is within `max_entry`.
    pub(super) fn storable(&self, entry: &Entry) -> bool {
        envelope::size(entry) <= self.max_entry
    }
}

/// Counts a load once, however it ends.
struct LoadCount<'a> {
    inner: &'a Inner,
    stats: &'a QueryStats,
    started: Instant,
    ok: bool,
}

impl LoadCount<'_> {
    fn elapsed(&self) -> Duration {
        let now = self.inner.clock.now();
        now.saturating_duration_since(self.started)
    }
}

impl Drop for LoadCount<'_> {
    fn drop(&mut self) {
        self.stats.load_ends(self.ok, self.elapsed());
    }
}

async fn wait(
    waiter: Waiter,
    deadline: Deadline,
    lookup: &Lookup<'_>,
) -> Result<End, RequestError> {
    timeout_at(deadline, waiter.end())
        .await
        .map_err(|_| impatient(lookup))
}

fn impatient(lookup: &Lookup<'_>) -> RequestError {
    RequestError::Timeout {
        limit: lookup.patience,
    }
}

fn dangling() -> RequestError {
    RequestError::Internal {
        detail: "the load ended without a result (it panicked, or the program is ending)".into(),
    }
}
