//! The place where one query's counts and times are recorded: a shard for each thread, made when it
//! first records, so that no two threads that serve write to one cache line, and a query that
//! nobody asks for costs next to nothing.

use std::cell::Cell;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use super::counter::{COUNTERS, Counter};
use super::distribution::Distribution;
use super::histogram::Histogram;
use super::tally::{CounterCounts, CounterTally, Timed};

/// Threads share no cell as long as there are no more of them than shards.
const SHARDS: usize = 16;

/// All counters and times of one query. Recording is a few relaxed additions to the calling
/// thread's shard.
#[derive(Default)]
pub(super) struct CounterCells {
    shards: [OnceLock<Box<CounterShard>>; SHARDS],
}

/// Aligned so that two threads never write to one cache line (nor to a pair that is fetched
/// together).
#[repr(align(128))]
pub(super) struct CounterShard {
    counts: [AtomicU64; COUNTERS.len()],
    times: [Histogram; Timed::ALL.len()],
}

impl CounterCells {
    /// Returns the calling thread's shard.
    pub(super) fn own_shard(&self) -> &CounterShard {
        self.shard(thread_number() % SHARDS)
    }

    fn shard(&self, place: usize) -> &CounterShard {
        self.shards[place].get_or_init(|| {
            Box::new(CounterShard {
                counts: [const { AtomicU64::new(0) }; COUNTERS.len()],
                times: std::array::from_fn(|_| Histogram::default()),
            })
        })
    }

    pub(super) fn add(&self, counter: Counter, amount: u64) {
        self.own_shard().add(counter, amount);
    }

    /// Records what takes long enough in one place for all threads, to save memory.
    pub(super) fn record_slow(&self, timed: Timed, time: Duration) {
        self.shard(0).record(timed, time);
    }

    pub(super) fn counts(&self) -> CounterCounts {
        let mut sums = CounterCounts::default();
        for shard in self.made_shards() {
            for (sum, count) in sums.0.iter_mut().zip(&shard.counts) {
                // With the order of `Shard::add`.
                *sum = sum.wrapping_add(count.load(Ordering::Acquire));
            }
        }
        sums
    }

    pub(super) fn tally(&self) -> CounterTally {
        // Counts first: whoever is counted in them is in the times then.
        let counts = self.counts();
        let times = Timed::ALL.map(|timed| {
            let mut sum = Distribution::default();
            for shard in self.made_shards() {
                sum.add(&shard.times[timed as usize].read());
            }
            sum
        });
        CounterTally { counts, times }
    }

    fn made_shards(&self) -> impl Iterator<Item = &CounterShard> {
        self.shards.iter().filter_map(|shard| Some(&**shard.get()?))
    }
}

impl CounterShard {
    pub(super) fn record(&self, timed: Timed, time: Duration) {
        self.times[timed as usize].record(time);
    }

    /// Adds to a counter. A reader of the count also sees what the thread has recorded before.
    pub(super) fn add(&self, counter: Counter, amount: u64) {
        self.counts[counter as usize].fetch_add(amount, Ordering::Release);
    }
}

/// Returns a number for the calling thread, handed out in turn.
pub(super) fn thread_number() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static MINE: Cell<usize> = const { Cell::new(usize::MAX) };
    }
    MINE.with(|mine| {
        if mine.get() == usize::MAX {
            mine.set(NEXT.fetch_add(1, Ordering::Relaxed));
        }
        mine.get()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_add_to_one_sum() {
        let cells = CounterCells::default();
        std::thread::scope(|scope| {
            for _ in 0..2 * SHARDS {
                scope.spawn(|| {
                    for _ in 0..1000 {
                        cells
                            .own_shard()
                            .record(Timed::Hit, Duration::from_micros(3));
                        cells.add(Counter::HitMemory, 1);
                    }
                });
            }
        });
        let tally = cells.tally();
        let all = 2000 * SHARDS as u64;
        assert_eq!(tally.counter_value(Counter::HitMemory), all);
        assert_eq!(tally.time_distribution(Timed::Hit).count(), all);
        assert_eq!(tally.counter_value(Counter::HitRedis), 0);
    }

    #[test]
    fn what_nobody_records_takes_no_space() {
        let cells = CounterCells::default();
        assert_eq!(cells.tally(), CounterTally::default());
        assert_eq!(cells.made_shards().count(), 0);
        assert!(size_of::<CounterCells>() <= 256);
    }
}
