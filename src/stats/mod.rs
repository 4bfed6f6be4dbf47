//! Every counter once. No rendering in here, and nothing that waits: recording is a relaxed
//! addition, and a snapshot is read from memory alone, so `/stats` works with Redis and the
//! database down.

mod counter;
mod snapshot;
mod tiers;

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

pub use counter::{COUNTERS, Counter};
pub use snapshot::{MemorySnapshot, Numbers, QuerySnapshot, RedisSnapshot, Snapshot};
pub use tiers::{Eviction, RedisError, Rejected, TierStats};

use crate::outcome::{BypassReason, Outcome, StaleReason, Tier};
use counter::Cells;

/// All counters of this process. They outlive reloads of everything else.
pub struct Stats {
    started: Instant,
    queries: Vec<Arc<QueryStats>>,
    tiers: TierStats,
    gauges: Mutex<Option<Box<dyn Fn() -> Gauges + Send>>>,
}

/// What is measured when somebody looks, not counted.
#[derive(Debug, Clone, Default)]
pub struct Gauges {
    /// Entries in the memory tier.
    pub memory_entries: u64,
    /// Their weight in bytes.
    pub memory_bytes: u64,
    /// The bound in bytes; 0: no memory tier.
    pub memory_max_bytes: u64,
    /// The Redis tier; `None` where none is configured.
    pub redis: Option<RedisGauge>,
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
        Stats {
            started: Instant::now(),
            queries: names.map(|name| Arc::new(QueryStats::new(name))).collect(),
            tiers: TierStats::default(),
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
        &self.tiers
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
        let queries: Vec<_> = self.queries.iter().map(|query| query.snapshot()).collect();
        let tiers = self.tiers.numbers();
        Snapshot {
            schema: 1,
            uptime_seconds: self.started.elapsed().as_secs_f64(),
            total: Numbers {
                last_load_seconds: None,
                ..Numbers::total(queries.iter().map(|query| &query.numbers))
            },
            queries,
            memory: MemorySnapshot {
                entries: gauges.memory_entries,
                bytes: gauges.memory_bytes,
                max_bytes: gauges.memory_max_bytes,
                evictions: tiers.evictions,
            },
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

    /// One load begins; [`load`](Self::load) tells its end.
    pub fn load_begins(&self) {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
    }

    /// One load ended so, after `elapsed`.
    pub fn load(&self, ok: bool, elapsed: Duration) {
        let one_less = |loads: u64| Some(loads.saturating_sub(1));
        // It always gives a number, so this does not fail.
        let _ = self
            .in_flight
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less);
        self.cells.add(Counter::Loads, 1);
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

    fn snapshot(&self) -> QuerySnapshot {
        QuerySnapshot {
            query: self.name.clone(),
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
mod tests {
    #![allow(clippy::unwrap_used, clippy::float_cmp, reason = "tests")]

    use super::*;

    const EVERY_OUTCOME: [Outcome; 9] = [
        Outcome::Hit(Tier::Memory),
        Outcome::Hit(Tier::Redis),
        Outcome::Stale(StaleReason::Revalidating),
        Outcome::Stale(StaleReason::LoadError),
        Outcome::Coalesced,
        Outcome::Miss,
        Outcome::Bypass(BypassReason::CacheOff),
        Outcome::Bypass(BypassReason::TooLarge),
        Outcome::Error,
    ];

    #[test]
    fn requests_are_the_sum_of_the_outcomes() {
        let stats = Stats::new(["a", "b"].into_iter());
        let mut told = 0;
        for (place, outcome) in EVERY_OUTCOME.into_iter().enumerate() {
            for _ in 0..=place {
                stats
                    .query(place % 2)
                    .request(outcome, Duration::ZERO, Duration::ZERO);
                told += 1;
            }
        }
        let snapshot = stats.snapshot();
        for numbers in snapshot
            .queries
            .iter()
            .map(|q| &q.numbers)
            .chain([&snapshot.total])
        {
            let n = numbers;
            assert_eq!(
                n.requests,
                n.hit_memory + n.hit_redis + n.stale + n.coalesced + n.miss + n.bypass + n.error
            );
            assert_eq!(n.stale, n.stale_revalidating + n.stale_load_error);
        }
        assert_eq!(snapshot.total.requests, told);
    }

    #[test]
    fn ratios_are_none_when_nothing_but_bypasses_was_asked() {
        let stats = Stats::new(["a"].into_iter());
        stats.query(0).request(
            Outcome::Bypass(BypassReason::CacheOff),
            Duration::ZERO,
            Duration::ZERO,
        );
        let total = stats.snapshot().total;
        assert_eq!(
            (total.requests, total.hit_ratio, total.offload),
            (1, None, None)
        );
    }

    #[test]
    fn ratios_and_time_saved_follow_their_definitions() {
        let stats = Stats::new(["a"].into_iter());
        let query = stats.query(0);
        let (own, load) = (Duration::from_millis(1), Duration::from_secs(5));
        query.load(true, load);
        query.request(Outcome::Miss, load, load);
        query.request(Outcome::Hit(Tier::Memory), own, load);
        query.request(Outcome::Hit(Tier::Redis), own, load);
        // Slower than the load itself: nothing saved, and nothing taken off either.
        query.request(Outcome::Hit(Tier::Redis), 2 * load, load);
        query.request(Outcome::Coalesced, own, load);
        query.request(
            Outcome::Bypass(BypassReason::TooLarge),
            own,
            Duration::from_secs(99),
        );
        let n = stats.snapshot().total;
        assert_eq!(n.hit_ratio, Some(3.0 / 5.0));
        assert_eq!(n.offload, Some(1.0 - 1.0 / 5.0));
        assert_eq!(n.time_saved_seconds, 2.0 * 4.999);
        assert_eq!(
            stats.snapshot().queries[0].numbers.last_load_seconds,
            Some(5.0)
        );
    }

    #[test]
    fn a_failed_load_is_a_load_and_does_not_change_the_latest_time() {
        let stats = Stats::new(["a"].into_iter());
        stats.query(0).load(true, Duration::from_secs(5));
        stats.query(0).load(false, Duration::from_secs(1));
        let n = &stats.snapshot().queries[0].numbers;
        assert_eq!((n.loads, n.load_errors, n.load_seconds), (2, 1, 6.0));
        assert_eq!(n.last_load_seconds, Some(5.0));
    }

    #[test]
    fn the_snapshot_as_json_has_its_schema_and_every_counter_from_the_start() {
        let stats = Stats::new(["slow"].into_iter());
        stats.measure(|| Gauges {
            memory_entries: 3,
            redis: Some(RedisGauge {
                breaker: "closed",
                ..RedisGauge::default()
            }),
            ..Gauges::default()
        });
        let json = serde_json::to_value(stats.snapshot()).unwrap();
        assert_eq!(json["schema"], 1);
        assert_eq!(json["queries"][0]["query"], "slow");
        assert_eq!(json["queries"][0]["hit_memory"], 0);
        assert!(json["queries"][0]["hit_ratio"].is_null());
        assert_eq!(json["memory"]["entries"], 3);
        assert_eq!(json["memory"]["evictions"]["size"], 0);
        assert_eq!(json["redis"]["errors"]["timeout"], 0);
        assert_eq!(json["redis"]["rejected"]["other_key"], 0);
    }
}
