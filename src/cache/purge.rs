//! The ways in which stored copies become old before their time: purges, soft and hard, of one
//! entry or of a whole query; and the load that somebody asks for.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::boarding::{abandoned_load, wait};
use super::core::{Cache, CacheCore};
use super::entry::Entry;
use super::flight::{FlightResult, FlightRole};
use super::key::KeyDigest;
use super::load_request::LoadRequest;
use super::lookup::{LoadedValue, Lookup};
use super::pending::PendingPurge;
use super::purge_request::{PurgeKind, PurgeReach, PurgeScope, RefreshResult};
use super::rank::LoadVersion;
use crate::error::RequestError;
use crate::stats::{Fleet, Trigger};

/// The interval at which pending purges are tried again.
const RETRY: Duration = Duration::from_secs(1);

impl Cache {
    /// Makes stored copies stale, or gone for good. A load that began before it brings nothing
    /// back, whoever runs it.
    ///
    /// Takes at most the deadline of Redis. Not to be dropped half-way by a client that leaves:
    /// call it from a task of the engine runtime.
    pub async fn purge_scope(&self, scope: PurgeScope<'_>, kind: PurgeKind) -> PurgeReach {
        self.purge_within(scope, kind, Duration::ZERO, None).await
    }

    /// Makes all copies of a query stale because of something that every instance hears of, this
    /// one so long ago: of their purges since then one will do, so that what is loaded after the
    /// first is not made stale by the next. Otherwise as [`Cache::purge_scope`].
    pub async fn expire_for_news(&self, family: &str, heard_ago: Duration) -> PurgeReach {
        self.purge_within(PurgeScope::Query(family), PurgeKind::Soft, heard_ago, None)
            .await
    }

    /// `token`: the other instances are asked to confirm it with this.
    pub(super) async fn purge_within(
        &self,
        scope: PurgeScope<'_>,
        kind: PurgeKind,
        within: Duration,
        token: Option<&str>,
    ) -> PurgeReach {
        let inner = &self.inner;
        inner.stats.tier_stats().count_fleet(match kind {
            PurgeKind::Soft => Fleet::Expired,
            PurgeKind::Hard => Fleet::Purged,
        });
        let (family, entry) = match scope {
            PurgeScope::Query(family) => (family, None),
            PurgeScope::Entry { key, life } => (key.family(), Some((key, life))),
        };
        let others = inner.tell_others(family, entry, kind, within);
        let Some(redis) = &inner.redis else {
            others.await;
            inner.purge_here(scope, kind, None);
            return PurgeReach::Fleet;
        };
        let told = redis.purge_stored(family, entry, kind, within, token);
        let (number, ()) = tokio::join!(told, others);
        inner.purge_here(scope, kind, number);
        if number.is_some() {
            return PurgeReach::Fleet;
        }
        inner.remember_purge(PendingPurge {
            family: family.to_owned(),
            entry: entry.map(|(key, life)| (key.clone(), life)),
            kind,
        });
        PurgeReach::Instance
    }

    /// Loads the value for a key again, unless a copy was loaded less than `max_age` ago, which
    /// then is in memory, or loading failed a moment ago; zero: in any case. Through the flight and
    /// the lease, as every load. Counted as a load that `trigger` began, and not as a request.
    ///
    /// Fails as [`Cache::get_or_load`] does, and never gives a stale copy for an answer.
    /// Cancel-safe: a load it began goes on and is stored.
    pub async fn refresh_entry<F, Fut>(
        &self,
        lookup: Lookup<'_>,
        max_age: Duration,
        trigger: Trigger,
        load: F,
    ) -> Result<RefreshResult, RequestError>
    where
        F: FnOnce(Duration) -> Fut + Send + 'static,
        Fut: Future<Output = Result<LoadedValue, RequestError>> + Send + 'static,
    {
        let inner = &self.inner;
        let on_demand = max_age.is_zero();
        let mut order = LoadRequest::from_lookup(&lookup, None).with_trigger(trigger);
        order.anyway = on_demand;
        if on_demand {
            // Only what begins from now on is an answer.
            order.base = LoadVersion {
                order: u64::MAX,
                ..LoadVersion::without_redis()
            };
        } else if let Some(copy) = inner.newest_copy(&lookup).await {
            let age = copy.age(inner.clock.now());
            if !copy.is_expired() && age < max_age {
                return Ok(RefreshResult::Recent { age });
            }
            order.base = copy.rank;
        }
        let deadline = Instant::now() + lookup.patience;
        // A flight under way may have read what was there before the caller asked: it is waited
        // for, and not taken for the answer. One that began meanwhile is.
        let mut is_answer = !on_demand;
        loop {
            let role = if on_demand {
                inner.flights.board_anyway(lookup.key)
            } else {
                inner.flights.join(lookup.key)
            };
            match role {
                FlightRole::Lead(flight) => {
                    let waiter = flight.leader_waiter();
                    inner.take_off(flight, order, load);
                    return refresh_result(wait(waiter, deadline, &lookup).await?);
                }
                FlightRole::Follow(waiter) => {
                    let end = wait(waiter, deadline, &lookup).await?;
                    if is_answer && !matches!(end, FlightResult::Dangling) {
                        return refresh_result(end);
                    }
                    is_answer = true;
                }
                FlightRole::Failed(error) => return Err(error),
                FlightRole::TooLarge => return Ok(RefreshResult::Loaded),
            }
        }
    }

    /// Forgets which loads have failed, so that they are tried again at once: the database is
    /// back.
    pub fn clear_failures(&self) {
        self.inner.flights.clear_failures();
    }
}

fn refresh_result(end: FlightResult) -> Result<RefreshResult, RequestError> {
    match end {
        FlightResult::Done(..) | FlightResult::TooLarge(_) => Ok(RefreshResult::Loaded),
        FlightResult::Failed(error) => Err(error),
        FlightResult::Dangling => Err(abandoned_load()),
    }
}

impl CacheCore {
    /// A purge takes effect in this process. `number` is the one that Redis gave it.
    pub(super) fn purge_here(&self, scope: PurgeScope<'_>, kind: PurgeKind, number: Option<u64>) {
        let family = match scope {
            PurgeScope::Query(family) => family,
            PurgeScope::Entry { key, .. } => {
                return self.purge_digest(key.family(), key.digest(), kind, number);
            }
        };
        let generations = self.generations.query_epochs(family);
        match kind {
            PurgeKind::Soft => generations.note_expiry(number),
            PurgeKind::Hard => {
                generations.note_purge(number);
                self.flights
                    .detach_query(family, number.unwrap_or(u64::MAX));
            }
        }
    }

    /// A purge of one entry takes effect in this process.
    pub(super) fn purge_digest(
        &self,
        family: &str,
        digest: &KeyDigest,
        kind: PurgeKind,
        number: Option<u64>,
    ) {
        let number = number.unwrap_or(u64::MAX);
        // First the flights, then memory: what lands in between looks for its doom.
        self.generations
            .query_epochs(family)
            .note_entry_purge(digest, kind, number);
        match kind {
            PurgeKind::Soft => self.flights.expire_entry(digest, number),
            PurgeKind::Hard => self.flights.doom_entry(digest, number),
        }
        if let Some(copy) = self.memory.by_digest(digest)
            && copy.rank.order <= number
        {
            copy.note_purge(kind);
        }
    }

    /// Keeps a purge for when Redis is back; until then nothing in Redis is used for its query.
    fn remember_purge(self: &Arc<Self>, purge: PendingPurge) {
        let generations = self.generations.query_epochs(&purge.family);
        let mut pending = self.pending.lock();
        if pending.contains(&purge) {
            return;
        }
        generations.begin_pending();
        pending.push(purge);
        let is_first = pending.len() == 1;
        drop(pending);
        if is_first {
            self.go_on_applying();
        }
    }

    /// Tries to apply what is pending until it is, or the cache is gone.
    pub(super) fn go_on_applying(self: &Arc<Self>) {
        let inner = Arc::downgrade(self);
        self.engine.spawn(async move {
            loop {
                sleep(RETRY).await;
                let Some(inner) = inner.upgrade() else { return };
                if inner.apply_pending().await {
                    return;
                }
            }
        });
    }

    /// Tells Redis of the purges that it has not heard of; whether it has now heard of all.
    async fn apply_pending(&self) -> bool {
        let Some(redis) = &self.redis else {
            return true;
        };
        loop {
            let first = self.pending.lock().first().cloned();
            let Some(purge) = first else { return true };
            let none = Duration::ZERO;
            let entry = purge.entry.as_ref().map(|(key, life)| (key, *life));
            let told = redis.purge_stored(&purge.family, entry, purge.kind, none, None);
            let Some(number) = told.await else {
                return false;
            };
            let scope = match entry {
                Some((key, life)) => PurgeScope::Entry { key, life },
                None => PurgeScope::Query(&purge.family),
            };
            // A copy that was read meanwhile may be older than the purge.
            self.purge_here(scope, purge.kind, Some(number));
            let mut pending = self.pending.lock();
            pending.retain(|other| *other != purge);
            self.generations.query_epochs(&purge.family).end_pending();
            let none_left = pending.is_empty();
            drop(pending);
            tracing::info!(
                query = purge.family,
                "a purge that waited for Redis is applied"
            );
            if none_left {
                return true;
            }
        }
    }

    /// Returns the newest usable copy, here or in Redis.
    async fn newest_copy(&self, lookup: &Lookup<'_>) -> Option<Arc<Entry>> {
        let copy = self.memory.get(lookup.key);
        let found = self
            .look_in_redis(lookup.key, &lookup.policy, copy.as_ref())
            .await;
        found.copy.map(|(entry, _)| entry).or(copy)
    }
}
