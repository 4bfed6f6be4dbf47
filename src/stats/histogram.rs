//! Where times are recorded: one counter for each bucket of [`Distribution`].

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::distribution::{BUCKETS, Distribution, bucket};
use super::micros;

/// Times, recorded from any thread without a lock.
#[derive(Debug)]
pub(super) struct Histogram {
    counts: Box<[AtomicU64]>,
    sum_micros: AtomicU64,
}

impl Default for Histogram {
    /// Without any.
    fn default() -> Histogram {
        Histogram {
            counts: (0..BUCKETS).map(|_| AtomicU64::new(0)).collect(),
            sum_micros: AtomicU64::new(0),
        }
    }
}

impl Histogram {
    pub(super) fn record(&self, time: Duration) {
        self.counts[bucket(time)].fetch_add(1, Ordering::Relaxed);
        self.sum_micros.fetch_add(micros(time), Ordering::Relaxed);
    }

    pub(super) fn read(&self) -> Distribution {
        let counts = self
            .counts
            .iter()
            .map(|count| count.load(Ordering::Relaxed));
        Distribution::of(counts, self.sum_micros.load(Ordering::Relaxed))
    }
}
