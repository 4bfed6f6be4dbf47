//! The counters kept per query: each one once, with its name and what it counts, and the sharded
//! cells they live in. What the numbers mean together is in `snapshot`.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// One counter of a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(usize)]
pub enum Counter {
    /// `hit_memory`
    HitMemory,
    /// `hit_redis`
    HitRedis,
    /// `stale_revalidating`
    StaleRevalidating,
    /// `stale_load_error`
    StaleLoadError,
    /// `coalesced`
    Coalesced,
    /// `miss`
    Miss,
    /// `bypass_cache_off`
    BypassCacheOff,
    /// `bypass_too_large`
    BypassTooLarge,
    /// `bypass_compare`
    BypassCompare,
    /// `error`
    Error,
    /// `loads`
    Loads,
    /// `load_errors`
    LoadErrors,
    /// `load_microseconds`
    LoadMicros,
    /// `time_saved_microseconds`
    SavedMicros,
    /// `served_bytes`
    ServedBytes,
    /// `compressions`
    Compressions,
}

/// Every counter with its name and what it counts, in the order of [`Counter`].
pub const COUNTERS: [(Counter, &str, &str); 16] = [
    (
        Counter::HitMemory,
        "hit_memory",
        "Requests answered with a fresh copy from memory.",
    ),
    (
        Counter::HitRedis,
        "hit_redis",
        "Requests answered with a fresh copy from Redis.",
    ),
    (
        Counter::StaleRevalidating,
        "stale_revalidating",
        "Requests answered with a stale copy while a refresh ran.",
    ),
    (
        Counter::StaleLoadError,
        "stale_load_error",
        "Requests answered with a stale copy because loading failed.",
    ),
    (
        Counter::Coalesced,
        "coalesced",
        "Requests that waited for another request's load.",
    ),
    (
        Counter::Miss,
        "miss",
        "Requests whose own load ran and succeeded.",
    ),
    (
        Counter::BypassCacheOff,
        "bypass_cache_off",
        "Requests of queries that are never cached.",
    ),
    (
        Counter::BypassTooLarge,
        "bypass_too_large",
        "Requests whose answer is known to be too large to store.",
    ),
    (
        Counter::BypassCompare,
        "bypass_compare",
        "Requests of a comparison, which asks one tier alone or the database.",
    ),
    (Counter::Error, "error", "Requests that got no value."),
    (
        Counter::Loads,
        "loads",
        "Statements run on the database, refreshes included.",
    ),
    (Counter::LoadErrors, "load_errors", "Loads that failed."),
    (
        Counter::LoadMicros,
        "load_microseconds",
        "Time spent in loads.",
    ),
    (
        Counter::SavedMicros,
        "time_saved_microseconds",
        "Load time of the served copies less the requests' own time.",
    ),
    (
        Counter::ServedBytes,
        "served_bytes",
        "Bytes of bodies served from the cache.",
    ),
    (
        Counter::Compressions,
        "compressions",
        "Variants of bodies that were encoded.",
    ),
];

/// Threads share no cell as long as there are no more of them than shards.
const SHARDS: usize = 8;

/// All counters of one query. Recording is a relaxed addition to the calling thread's shard.
#[derive(Debug, Default)]
pub(super) struct Cells {
    shards: [Shard; SHARDS],
}

/// Aligned so that two threads never write to one cache line (nor to a pair that is fetched
/// together).
#[derive(Debug, Default)]
#[repr(align(128))]
struct Shard([AtomicU64; COUNTERS.len()]);

impl Cells {
    pub(super) fn add(&self, counter: Counter, amount: u64) {
        self.shards[shard()].0[counter as usize].fetch_add(amount, Ordering::Relaxed);
    }

    pub(super) fn sum(&self, counter: Counter) -> u64 {
        self.shards
            .iter()
            .map(|shard| shard.0[counter as usize].load(Ordering::Relaxed))
            .fold(0, u64::wrapping_add)
    }
}

/// The calling thread's shard: handed out in turn.
fn shard() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static MINE: Cell<usize> = const { Cell::new(usize::MAX) };
    }
    MINE.with(|mine| {
        if mine.get() == usize::MAX {
            mine.set(NEXT.fetch_add(1, Ordering::Relaxed) % SHARDS);
        }
        mine.get()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_the_order_of_the_counters_and_names_each_once() {
        let mut names: Vec<_> = COUNTERS.iter().map(|(_, name, _)| *name).collect();
        for (index, (counter, _, help)) in COUNTERS.iter().enumerate() {
            assert_eq!(*counter as usize, index);
            assert!(help.ends_with('.'), "{help}");
        }
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), COUNTERS.len());
    }

    #[test]
    fn threads_add_to_one_sum() {
        let cells = Cells::default();
        std::thread::scope(|scope| {
            for _ in 0..2 * SHARDS {
                scope.spawn(|| (0..1000).for_each(|_| cells.add(Counter::Miss, 1)));
            }
        });
        assert_eq!(cells.sum(Counter::Miss), 2000 * SHARDS as u64);
        assert_eq!(cells.sum(Counter::HitMemory), 0);
    }
}
