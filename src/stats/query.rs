//! The counters of one query, and how they are told: a request ended, a load began and ended. The
//! hot path is in here: nothing of it waits, and nothing of it is shared by all threads.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;

use super::cells::CounterCells;
use super::counter::Counter;
use super::hottest::HottestKeys;
use super::load::{KeyId, LoadEnd, NotKept};
use super::slowest::{SlowRecord, SlowestLoads};
use super::tally::{CounterTally, Timed};
use super::uptime::wall_clock;
use crate::outcome::{BypassReason, Outcome, StaleReason, Tier};

/// The longest parameters that are kept to be shown, in bytes.
const LONGEST: usize = 512;

/// See the head of this file.
pub struct QueryStats {
    name: String,
    /// Unlike that of any other query of this process.
    number: u32,
    cells: CounterCells,
    in_flight: AtomicU64,
    /// Microseconds + 1; 0 before the first load.
    last_load: AtomicU64,
    shows_params: AtomicBool,
    not_kept: Mutex<Option<NotKept>>,
    ranks: Arc<LoadRanks>,
}

/// The rankings of all queries of the process.
#[derive(Default)]
pub(super) struct LoadRanks {
    pub(super) hottest: HottestKeys,
    pub(super) slowest: SlowestLoads,
}

impl QueryStats {
    pub(super) fn new(name: &str, number: u32, ranks: &Arc<LoadRanks>) -> QueryStats {
        QueryStats {
            name: name.to_owned(),
            number,
            cells: CounterCells::default(),
            in_flight: AtomicU64::new(0),
            last_load: AtomicU64::new(0),
            shows_params: AtomicBool::new(false),
            not_kept: Mutex::default(),
            ranks: Arc::clone(ranks),
        }
    }

    /// Notes that one request ended so. `elapsed` is its own time, `load_time` the one stored with
    /// the value it got (zero without one): their difference is the time saved.
    pub fn record_request(&self, outcome: Outcome, elapsed: Duration, load_time: Duration) {
        let (counter, timed) = match outcome {
            Outcome::Hit(Tier::Memory) => (Counter::HitMemory, Timed::Hit),
            Outcome::Hit(Tier::Redis) => (Counter::HitRedis, Timed::Hit),
            Outcome::Stale(StaleReason::Revalidating) => (Counter::StaleRevalidating, Timed::Stale),
            Outcome::Stale(StaleReason::LoadError) => (Counter::StaleLoadError, Timed::Stale),
            Outcome::Coalesced => (Counter::Coalesced, Timed::Coalesced),
            Outcome::Miss => (Counter::Miss, Timed::Miss),
            Outcome::Bypass(BypassReason::CacheOff) => (Counter::BypassCacheOff, Timed::Bypass),
            Outcome::Bypass(BypassReason::TooLarge) => (Counter::BypassTooLarge, Timed::Bypass),
            Outcome::Bypass(BypassReason::Compare) => (Counter::BypassCompare, Timed::Bypass),
            Outcome::Error => (Counter::Error, Timed::Error),
        };
        let own = self.cells.own_shard();
        let saving = match timed {
            Timed::Hit | Timed::Stale => Some(Counter::SavedMicros),
            Timed::Coalesced => Some(Counter::CoalescedSavedMicros),
            _ => None,
        };
        if let Some(saving) = saving {
            let saved = whole_micros(load_time.saturating_sub(elapsed));
            if saved > 0 {
                own.add(saving, saved);
            }
        }
        match timed {
            Timed::Hit | Timed::Stale => own.record(timed, elapsed),
            _ => self.cells.record_slow(timed, elapsed),
        }
        // Last: who sees the request counted sees all of it.
        own.add(counter, 1);
    }

    /// Notes that this key was asked for, however that ended.
    pub fn record_key(&self, key: KeyId<'_>) {
        let keep = || self.kept_parameters(key);
        self.ranks.hottest.record_key(self.number, key, keep);
    }

    /// Notes that one load begins; [`load_ends`](Self::load_ends) tells its end, or
    /// [`load_not_tried`](Self::load_not_tried) that it was none.
    pub fn load_begins(&self) {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
    }

    /// Notes that what [began](Self::load_begins) as a load was not tried: it counts as none and
    /// has no time.
    pub fn load_not_tried(&self) {
        self.cells.add(Counter::LoadsNotTried, 1);
        self.in_flight.fetch_sub(1, Ordering::Release);
    }

    /// Notes that a load that [began](Self::load_begins) has ended.
    pub fn load_ends(&self, load: &LoadEnd<'_>) {
        let took = whole_micros(load.elapsed);
        self.cells.add(load.trigger.counter(), 1);
        self.cells.add(Counter::LoadMicros, took);
        self.cells.record_slow(Timed::Load, load.elapsed);
        match load.error {
            None => self
                .last_load
                .store(took.saturating_add(1), Ordering::Relaxed),
            Some(error) => self.cells.add(error.counter(), 1),
        }
        self.ranks.slowest.add(&SlowRecord {
            took,
            at: wall_clock(),
            query: self.number,
            digest: u128::from_le_bytes(*load.key.digest),
            trigger: load.trigger,
            error: load.error,
            canonical: self.kept_parameters(load.key),
        });
        // Last: who sees it gone sees all of it.
        self.in_flight.fetch_sub(1, Ordering::Release);
    }

    /// Notes that an answer is too large for a bound, so it is not kept.
    pub fn not_kept(&self, what: NotKept) {
        *self.not_kept.lock().unwrap_or_else(PoisonError::into_inner) = Some(what);
    }

    /// The latest answer that was too large to be kept.
    pub(super) fn latest_not_kept(&self) -> Option<NotKept> {
        *self.not_kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that one variant of a body was encoded.
    pub fn count_compression(&self) {
        self.cells.add(Counter::Compressions, 1);
    }

    /// Counts bytes of bodies that were served from a tier.
    pub fn count_served(&self, bytes: u64) {
        self.cells.add(Counter::ServedBytes, bytes);
    }

    /// Returns how long the latest load that succeeded took; `None` before the first.
    pub fn last_load(&self) -> Option<Duration> {
        let stored = self.last_load.load(Ordering::Relaxed);
        stored.checked_sub(1).map(Duration::from_micros)
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn number(&self) -> u32 {
        self.number
    }

    pub(super) fn in_flight(&self) -> u64 {
        self.in_flight.load(Ordering::Acquire)
    }

    /// Returns everything since the start.
    pub(super) fn tally(&self) -> CounterTally {
        self.cells.tally()
    }

    /// Returns whether nothing has happened since it was so.
    pub(super) fn is_as(&self, tally: &CounterTally, in_flight: u64) -> bool {
        // A load that has ended is one that began and is not in flight.
        self.in_flight() == in_flight && self.cells.counts() == tally.counts
    }

    /// Returns whether anything has happened to it.
    pub(super) fn has_counted(&self) -> bool {
        !self.cells.counts().is_zero()
    }

    /// Returns whether parameters are kept; gives how it was before.
    pub(super) fn show_params(&self, shows: bool) -> bool {
        self.shows_params.swap(shows, Ordering::Relaxed)
    }

    fn kept_parameters(&self, key: KeyId<'_>) -> Option<Bytes> {
        let is_kept = self.shows_params.load(Ordering::Relaxed)
            && (1..=LONGEST).contains(&key.canonical.len());
        is_kept.then(|| key.canonical.clone())
    }
}

#[cfg(test)]
impl QueryStats {
    /// Counts a whole load that a request began, for tests of what is made of counts.
    pub(crate) fn record_load(&self, elapsed: Duration, error: Option<super::LoadError>) {
        let trigger = super::Trigger::Request;
        self.load_begins();
        self.load_ends(&LoadEnd {
            key: KeyId {
                digest: &[7; 16],
                canonical: &Bytes::new(),
            },
            trigger,
            elapsed,
            error,
        });
    }
}

/// Its name alone: what is ranked are keys.
impl fmt::Debug for QueryStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QueryStats")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

fn whole_micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
