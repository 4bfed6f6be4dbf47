//! Every counter once. No rendering in here, and nothing that waits: recording is a relaxed
//! addition, and a snapshot is read from memory alone, so `/stats` works with Redis and the
//! database down.

mod counter;
mod ledger;
mod snapshot;
mod tiers;

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

pub use counter::{COUNTERS, Counter};
pub use snapshot::{MemorySnapshot, Numbers, QuerySnapshot, RedisSnapshot, Snapshot};
pub use tiers::{Eviction, Fleet, RedisError, Refused, Rejected, TierStats};

use crate::outcome::{BypassReason, Outcome, StaleReason, Tier};
use counter::Cells;
use ledger::Ledger;

/// All counters of this process, by the places of one catalog. They outlive reloads of everything
/// else: [`Stats::renewed`] has them by the places of the next.
pub struct Stats {
    queries: Vec<Arc<QueryStats>>,
    ledger: Arc<Ledger>,
    gauges: Mutex<Option<Box<dyn Fn() -> Gauges + Send>>>,
}

/// What is measured when somebody looks, not counted.
#[derive(Debug, Clone, Default)]
pub struct Gauges {
    /// The memory tier.
    pub memory: MemoryGauge,
    /// The Redis tier; `None` where none is configured.
    pub redis: Option<RedisGauge>,
}

/// How full the memory tier is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MemoryGauge {
    /// Entries held.
    pub entries: u64,
    /// Their weight in bytes.
    pub bytes: u64,
    /// The bound in bytes; 0: no memory tier.
    pub max_bytes: u64,
}

/// How Redis is, from remembered state.
#[derive(Debug, Clone, Default)]
pub struct RedisGauge {
    /// Whether the latest contact succeeded; `None` before the first.
    pub up: Option<bool>,
    /// `closed`, `open` or `half-open`.
    pub breaker: &'static str,
    /// How long it has been so.
    pub since: Duration,
    /// The latest failure.
    pub last_error: Option<RedisError>,
}

/// The counters of one query.
#[derive(Debug)]
pub struct QueryStats {
    name: String,
    cells: Cells,
    in_flight: AtomicU64,
    /// Microseconds + 1; 0 before the first load.
    last_load: AtomicU64,
}

impl Stats {
    /// One set of counters per query, in the catalog's order.
    pub fn new<'a>(names: impl Iterator<Item = &'a str>) -> Stats {
        Stats::over(Arc::default(), names)
    }

    /// The same counters for another catalog: those of a query that stays go on, and those of one
    /// that is gone stay in the totals. What is measured has to be given anew.
    #[must_use]
    pub fn renewed<'a>(&self, names: impl Iterator<Item = &'a str>) -> Stats {
        Stats::over(Arc::clone(&self.ledger), names)
    }

    fn over<'a>(ledger: Arc<Ledger>, names: impl Iterator<Item = &'a str>) -> Stats {
        Stats {
            queries: ledger.open(names),
            ledger,
            gauges: Mutex::new(None),
        }
    }

    /// The counters of the query at this place in the catalog.
    ///
    /// # Panics
    ///
    /// When the catalog has no such place.
    pub fn query(&self, index: usize) -> &Arc<QueryStats> {
        &self.queries[index]
    }

    /// The counters of the tiers.
    pub fn tiers(&self) -> &TierStats {
        &self.ledger.tiers
    }

    /// Where a snapshot reads what is measured; the latest one given counts.
    pub fn measure(&self, gauges: impl Fn() -> Gauges + Send + 'static) {
        *self.gauges.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(gauges));
    }

    /// All numbers now. While requests are being counted, two numbers may be from moments that
    /// lie a little apart; `requests` always is the sum of its outcomes.
    pub fn snapshot(&self) -> Snapshot {
        let gauges = self
            .gauges
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .as_ref()
            .map(|read| read())
            .unwrap_or_default();
        let mut queries: Vec<_> = self.queries.iter().map(|query| query.snapshot()).collect();
        queries.extend(self.ledger.others(&self.queries));
        let tiers = self.ledger.tiers.numbers();
        Snapshot {
            schema: 1,
            uptime_seconds: self.ledger.started.elapsed().as_secs_f64(),
            total: Numbers {
                last_load_seconds: None,
                ..Numbers::total(queries.iter().map(|query| &query.numbers))
            },
            queries,
            memory: MemorySnapshot {
                entries: gauges.memory.entries,
                bytes: gauges.memory.bytes,
                max_bytes: gauges.memory.max_bytes,
                evictions: tiers.evictions,
            },
            fleet: tiers.fleet,
            redis: gauges.redis.map(|redis| RedisSnapshot {
                up: redis.up,
                breaker: redis.breaker,
                since_seconds: redis.since.as_secs_f64(),
                last_error: redis.last_error.map(RedisError::name),
                reads: tiers.reads,
                writes: tiers.writes,
                written_bytes: tiers.written_bytes,
                errors: tiers.errors,
                rejected: tiers.rejected,
                refused: tiers.refused,
            }),
        }
    }
}

impl fmt::Debug for Stats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stats")
            .field("queries", &self.queries)
            .finish_non_exhaustive()
    }
}

impl QueryStats {
    fn new(name: &str) -> QueryStats {
        QueryStats {
            name: name.to_owned(),
            cells: Cells::default(),
            in_flight: AtomicU64::new(0),
            last_load: AtomicU64::new(0),
        }
    }

    /// One request ended so. `elapsed` is its own time, `load_time` the one stored with the
    /// served entry (zero without one): their difference is the time saved.
    pub fn request(&self, outcome: Outcome, elapsed: Duration, load_time: Duration) {
        let counter = match outcome {
            Outcome::Hit(Tier::Memory) => Counter::HitMemory,
            Outcome::Hit(Tier::Redis) => Counter::HitRedis,
            Outcome::Stale(StaleReason::Revalidating) => Counter::StaleRevalidating,
            Outcome::Stale(StaleReason::LoadError) => Counter::StaleLoadError,
            Outcome::Coalesced => Counter::Coalesced,
            Outcome::Miss => Counter::Miss,
            Outcome::Bypass(BypassReason::CacheOff) => Counter::BypassCacheOff,
            Outcome::Bypass(BypassReason::TooLarge) => Counter::BypassTooLarge,
            Outcome::Bypass(BypassReason::Compare) => Counter::BypassCompare,
            Outcome::Error => Counter::Error,
        };
        self.cells.add(counter, 1);
        if matches!(outcome, Outcome::Hit(_) | Outcome::Stale(_)) {
            let saved = micros(load_time.saturating_sub(elapsed));
            if saved > 0 {
                self.cells.add(Counter::SavedMicros, saved);
            }
        }
    }

    /// One load begins; [`load_ends`](Self::load_ends) tells its end.
    pub fn load_begins(&self) {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        self.cells.add(Counter::Loads, 1);
    }

    /// A load that [began](Self::load_begins) ended so, after `elapsed`.
    pub fn load_ends(&self, ok: bool, elapsed: Duration) {
        self.in_flight.fetch_sub(1, Ordering::Relaxed);
        self.cells.add(Counter::LoadMicros, micros(elapsed));
        if ok {
            self.last_load
                .store(micros(elapsed).saturating_add(1), Ordering::Relaxed);
        } else {
            self.cells.add(Counter::LoadErrors, 1);
        }
    }

    /// One variant of a body was encoded.
    pub fn compression(&self) {
        self.cells.add(Counter::Compressions, 1);
    }

    /// Bytes of bodies served from a tier.
    pub fn served(&self, bytes: u64) {
        self.cells.add(Counter::ServedBytes, bytes);
    }

    /// How long the latest load that succeeded took; `None` before the first.
    pub fn last_load(&self) -> Option<Duration> {
        let stored = self.last_load.load(Ordering::Relaxed);
        stored.checked_sub(1).map(Duration::from_micros)
    }

    /// Whether anything has happened to it.
    fn has_counted(&self) -> bool {
        let any = |(counter, ..): &(Counter, &str, &str)| self.cells.sum(*counter) > 0;
        COUNTERS.iter().any(any) || self.in_flight.load(Ordering::Relaxed) > 0
    }

    fn snapshot(&self) -> QuerySnapshot {
        QuerySnapshot {
            query: self.name.clone(),
            removed: false,
            numbers: Numbers {
                loads_in_flight: self.in_flight.load(Ordering::Relaxed),
                ..Numbers::read(&self.cells, self.last_load().map(|d| d.as_secs_f64()))
            },
        }
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
