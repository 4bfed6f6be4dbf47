//! The work of a flight: it looks again, loads and stores. It runs as a task of the engine runtime,
//! so that a caller who leaves changes nothing, and a retired generation of workers takes no load
//! with it.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::AbortHandle;

use super::clearance::{LoadDecision, LoadPermit};
use super::core::{Cache, CacheCore};
use super::entry::{Entry, Freshness, LoadContext};
use super::flight::{FailureBackoff, Flight, FlightResult};
use super::lease::Lease;
use super::load_request::LoadRequest;
use super::lookup::LoadedValue;
use super::purge_request::PurgeKind;
use super::{envelope, note};
use crate::error::RequestError;
use crate::outcome::Tier;
use crate::stats::{LoadEnd, LoadError, NotKept};

impl Cache {
    /// Waits for the loads under way, so that the other instances find in Redis what they bring,
    /// and no lease is left behind. Returns at once where there is no Redis: nobody would have
    /// anything of them. Cancel-safe; has no end of its own while new loads begin.
    pub async fn loads_end(&self) {
        if self.inner.redis.is_some() {
            self.inner.flights.wait_until_ended().await;
        }
    }
}

impl CacheCore {
    /// Begins a flight's work and returns at once.
    pub(super) fn take_off<F, Fut>(
        self: &Arc<Self>,
        flight: Flight,
        order: LoadRequest,
        load: F,
    ) -> AbortHandle
    where
        F: FnOnce(Duration) -> Fut + Send + 'static,
        Fut: Future<Output = Result<LoadedValue, RequestError>> + Send + 'static,
    {
        let inner = Arc::clone(self);
        let under_way = self.flights.under_way();
        let task = self.engine.spawn(async move {
            inner.run_load(flight, order, load).await;
            drop(under_way);
        });
        task.abort_handle()
    }

    async fn run_load<F, Fut>(self: Arc<Self>, mut flight: Flight, order: LoadRequest, load: F)
    where
        F: FnOnce(Duration) -> Fut,
        Fut: Future<Output = Result<LoadedValue, RequestError>>,
    {
        // Between the caller's look and this flight another one may have ended.
        if let Some(entry) = self.look_again(&order) {
            flight.finish(FlightResult::Done(entry, Some(Tier::Memory)));
            return;
        }
        let began = tokio::time::Instant::now();
        let cleared = match self.clear(&mut flight, &order).await {
            LoadDecision::Load(cleared) => cleared,
            LoadDecision::Found(entry) => {
                flight.finish(FlightResult::Done(entry, Some(Tier::Redis)));
                return;
            }
            LoadDecision::Noted(error, backoff) => return flight.finish_failed(error, backoff),
        };
        let rank = cleared.rank;
        let origin = LoadContext {
            generations: self.generations.query_epochs(order.key.family()),
            rank,
        };
        // A database that hangs has been waited for by the holder of the lease already.
        let waited = began.elapsed();
        let entry = match self.load(&order, origin, || load(waited)).await {
            Ok(entry) => Arc::new(entry),
            Err(error) => {
                let words = note::encode_error(&error);
                let backoff = flight.finish(FlightResult::Failed(error));
                return self.give_back(cleared, &order, words.zip(backoff)).await;
            }
        };
        if entry.is_foreign {
            flight.finish(FlightResult::Done(entry, None));
            return self.give_back(cleared, &order, None).await;
        }
        self.tell_if_not_kept(&order, &entry);
        if !self.is_storable(&entry) {
            flight.finish(FlightResult::TooLarge(entry));
            let note = (note::TOO_LARGE.to_owned(), note::too_large());
            return self.give_back(cleared, &order, Some(note)).await;
        }
        let physical = order.policy.retention();
        let entry = self.keep_loaded(&entry, physical, || flight.is_doomed(rank.order));
        // In memory by now, so that no purge misses both.
        if flight.is_expired(entry.rank.order) {
            entry.note_purge(PurgeKind::Soft);
        }
        flight.finish(FlightResult::Done(Arc::clone(&entry), None));
        // A request that comes now finds it in memory; without a memory tier, the flight still
        // tells the waiters until Redis can.
        let on_board = (!self.memory.is_enabled()).then_some(flight);
        self.store(cleared, &entry, &order).await;
        drop(on_board);
    }

    /// Says so where an answer is too large to be kept anywhere: every request will load it.
    fn tell_if_not_kept(&self, order: &LoadRequest, entry: &Entry) {
        let is_kept = self.memory.has_room(entry) || self.redis.is_some();
        let (bytes, limit, setting) = if !self.is_storable(entry) {
            (
                envelope::envelope_size(entry),
                self.max_entry,
                "[cache] max_entry",
            )
        } else if self.memory.is_enabled() && !is_kept {
            let bytes = usize::try_from(entry.memory_size()).unwrap_or(usize::MAX);
            (bytes, self.memory.max_bytes(), "[cache] memory")
        } else {
            return;
        };
        let (query, now) = (order.key.query(), self.clock.now());
        order.stats.not_kept(NotKept {
            bytes: u64::try_from(bytes).unwrap_or(u64::MAX),
            limit: u64::try_from(limit).unwrap_or(u64::MAX),
            setting,
            at: std::time::Instant::now(),
        });
        if let Some(unlogged) = self.not_kept.allows(query.to_owned(), now) {
            tracing::warn!(
                query,
                bytes,
                limit,
                unlogged = (unlogged > 0).then_some(unlogged),
                "an answer is larger than {setting}: it is not kept, and every request loads it"
            );
        }
    }

    /// The fresh entry that has got into memory since the caller looked.
    fn look_again(&self, order: &LoadRequest) -> Option<Arc<Entry>> {
        self.memory.get(&order.key).filter(|entry| {
            // One that is due is what this flight was begun to replace.
            entry.rank.sequence > order.base.sequence
                && entry.freshness(&order.policy, self.clock.now()) == Freshness::Fresh
        })
    }

    /// Gives up the right to load, with a note for the fleet.
    async fn give_back(
        &self,
        cleared: LoadPermit,
        order: &LoadRequest,
        note: Option<(String, FailureBackoff)>,
    ) {
        let lease = cleared.lease.map(Lease::into_value);
        if lease.is_none() && note.is_none() {
            return;
        }
        let Some(redis) = self.redis.as_ref().filter(|_| cleared.rank.order > 0) else {
            return;
        };
        let note = note
            .as_ref()
            .map(|(words, backoff)| (words.as_str(), *backoff));
        let hard = cleared.rank.hard;
        redis
            .release_lease(&order.key, hard, lease.as_deref(), note)
            .await;
    }

    pub(super) async fn load<F, Fut>(
        &self,
        order: &LoadRequest,
        origin: LoadContext,
        load: F,
    ) -> Result<Entry, RequestError>
    where
        F: FnOnce() -> Fut,
        Fut: Future<Output = Result<LoadedValue, RequestError>>,
    {
        order.stats.load_begins();
        let mut count = LoadCount {
            inner: self,
            order,
            started: self.clock.now(),
            asleep: self.clock.time_asleep(),
            // It stands as long as there is no end: for a panic, or the end of the program.
            error: Some(LoadError::Internal),
            was_tried: true,
        };
        let loaded = load().await;
        count.was_tried = !matches!(loaded, Err(RequestError::NotTried { .. }));
        count.error = loaded.as_ref().err().map(LoadError::from_error);
        let (load_time, aged) = count.load_times();
        drop(count);
        let now = self.clock.now();
        let entry = Entry::new_loaded(&order.key, origin, loaded?, load_time, now);
        Ok(entry.read_before(aged))
    }

    /// Returns whether it is what its key names, and within `max_entry`.
    pub(super) fn is_storable(&self, entry: &Entry) -> bool {
        !entry.is_foreign && envelope::envelope_size(entry) <= self.max_entry
    }
}

/// The shortest sleep of a machine.
const A_SLEEP: Duration = Duration::from_secs(1);

/// Counts a load once, however it ends.
struct LoadCount<'a> {
    inner: &'a CacheCore,
    order: &'a LoadRequest,
    started: Instant,
    /// The time for which the machine had slept by then.
    asleep: Duration,
    error: Option<LoadError>,
    was_tried: bool,
}

impl LoadCount<'_> {
    /// Returns how long the load has taken, and how long before now its rows may have been read.
    /// They may have waited for the machine to wake, or for the process to be let go on: no load
    /// takes longer than its caller waits. Such rows are as old as that, and may be stored at that
    /// age.
    fn load_times(&self) -> (Duration, Duration) {
        let clock = &self.inner.clock;
        let whole = clock.now().saturating_duration_since(self.started);
        let slept = clock.time_asleep().saturating_sub(self.asleep);
        // A sleep of less is the time between two looks at clocks.
        let slept = if slept < A_SLEEP {
            Duration::ZERO
        } else {
            slept
        };
        let load_time = whole.saturating_sub(slept).min(self.order.patience);
        (load_time, whole.saturating_sub(load_time))
    }
}

impl Drop for LoadCount<'_> {
    fn drop(&mut self) {
        if !self.was_tried {
            return self.order.stats.load_not_tried();
        }
        self.order.stats.load_ends(&LoadEnd {
            key: self.order.key.id(),
            trigger: self.order.trigger,
            elapsed: self.load_times().0,
            error: self.error,
        });
    }
}
