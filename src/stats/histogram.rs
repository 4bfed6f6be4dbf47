//! The counters of times: one for each bucket of [`Distribution`], made with the first time.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::distribution::{BUCKETS, Distribution, time_bucket, whole_nanos};

/// Times, recorded from any thread without a lock.
#[derive(Default)]
pub(super) struct Histogram(OnceLock<Box<HistogramBuckets>>);

struct HistogramBuckets {
    counts: [AtomicU64; BUCKETS],
    sum_nanos: AtomicU64,
}

impl Histogram {
    pub(super) fn record(&self, time: Duration) {
        let buckets = self.0.get_or_init(|| {
            Box::new(HistogramBuckets {
                counts: [const { AtomicU64::new(0) }; BUCKETS],
                sum_nanos: AtomicU64::new(0),
            })
        });
        buckets.counts[time_bucket(time)].fetch_add(1, Ordering::Relaxed);
        buckets
            .sum_nanos
            .fetch_add(whole_nanos(time), Ordering::Release);
    }

    pub(super) fn read(&self) -> Distribution {
        let Some(buckets) = self.0.get() else {
            return Distribution::default();
        };
        // The sum first: it may lack what is being recorded, and never has more than is counted.
        let sum = buckets.sum_nanos.load(Ordering::Acquire);
        let counts = buckets.counts.iter();
        Distribution::from_counts(counts.map(|count| count.load(Ordering::Relaxed)), sum)
    }
}
