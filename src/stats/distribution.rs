//! The distribution of times: counts over buckets of one ratio, so that a median of microseconds
//! and one of seconds are equally exact. Sparse counts are kept and sent sparse. Recording into
//! such counts is `histogram`'s.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::sent::{MOST, MOST_MEASURED};

/// Buckets for each doubling: each is at most 9 % wide.
const PER_OCTAVE: u16 = 8;
/// Doublings from [`LOWEST`] on, up to a quarter of an hour.
const OCTAVES: u16 = 32;
/// The upper edge of the first bucket, in nanoseconds: of it, 512 µs and its doublings are edges.
const LOWEST: f64 = 250.0;
/// The first bucket, those of the octaves, and one for whatever took longer.
pub(super) const BUCKETS: usize = (PER_OCTAVE * OCTAVES) as usize + 2;

/// The edges that histograms for others show, by the number of doublings: 0.512 ms to 33.6 s. They
/// are edges of buckets, so that no count has to be guessed.
const SHOWN: std::ops::RangeInclusive<u16> = 11..=27;

/// The eight edges within a doubling: 2^(n/8).
const EDGES: [f64; PER_OCTAVE as usize] = [
    1.0,
    1.090_507_732_665_257_7,
    1.189_207_115_002_721,
    1.296_839_554_651_009_6,
    std::f64::consts::SQRT_2,
    1.542_210_825_407_940_7,
    1.681_792_830_507_429,
    1.834_008_086_409_342_4,
];

/// A float's digits without its exponent.
const MANTISSA: u64 = (1 << 52) - 1;

/// Returns the time in nanoseconds; five hundred years and more are as long.
pub(super) fn whole_nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// Returns the bucket a time falls into; each takes in its upper edge. Found in the bits of the
/// number, as a logarithm would cost a request more than all else that is counted of it.
pub(super) fn time_bucket(time: Duration) -> usize {
    #[expect(
        clippy::cast_precision_loss,
        reason = "buckets are wider than what is lost"
    )]
    let ratio = whole_nanos(time) as f64 / LOWEST;
    if ratio <= 1.0 {
        return 0;
    }
    let bits = ratio.to_bits();
    // Above one, so neither the sign nor a negative exponent is in the way.
    let doublings = (bits >> 52) - 1023;
    let passed = |edge: &&f64| bits & MANTISSA > edge.to_bits() & MANTISSA;
    let place = usize::from(PER_OCTAVE) * usize::try_from(doublings).unwrap_or(usize::MAX / 16);
    (place + EDGES.iter().filter(passed).count()).min(BUCKETS - 1)
}

/// Returns the upper edge of a bucket in seconds.
fn upper_edge(bucket: u16) -> f64 {
    let doublings = f64::from(bucket) / f64::from(PER_OCTAVE);
    LOWEST / 1e9 * doublings.exp2()
}

/// Counted times. Two of them add up to the one of all their times.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Distribution {
    /// Bucket and count, in the order of buckets, without those that are empty.
    counts: Vec<(u16, u64)>,
    /// All times together, in nanoseconds.
    sum: u64,
}

impl Distribution {
    /// Makes it from a count for each bucket.
    pub(super) fn from_counts(counts: impl Iterator<Item = u64>, sum_nanos: u64) -> Distribution {
        let counts = counts
            .enumerate()
            .filter(|(_, count)| *count > 0)
            .map(|(bucket, count)| (u16::try_from(bucket).unwrap_or(u16::MAX), count))
            .collect();
        Distribution {
            counts,
            sum: sum_nanos,
        }
    }

    /// Returns how many there are.
    pub fn count(&self) -> u64 {
        self.counts.iter().map(|(_, count)| count).sum()
    }

    /// Returns whether the buckets are some that there are, in their order, with counts that can be
    /// added.
    pub(super) fn is_sound(&self) -> bool {
        let total = self
            .counts
            .iter()
            .try_fold(0_u64, |total, (bucket, count)| {
                let known = usize::from(*bucket) < BUCKETS && *count > 0;
                total
                    .checked_add(*count)
                    .filter(|sum| known && *sum <= MOST)
            });
        total.is_some()
            && self.counts.is_sorted_by(|(a, _), (b, _)| a < b)
            && self.sum <= MOST_MEASURED
    }

    /// Returns all times together.
    #[expect(
        clippy::cast_precision_loss,
        reason = "nanoseconds are exact below 2^53, a hundred days; above, to a part in 10^16"
    )]
    pub fn sum_seconds(&self) -> f64 {
        self.sum as f64 / 1e9
    }

    /// Returns whether there is none.
    pub fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }

    /// Returns the sum in nanoseconds, and each bucket with its count.
    pub(super) fn sum_and_buckets(&self) -> (u64, &[(u16, u64)]) {
        (self.sum, &self.counts)
    }

    /// Returns the time that a share `q` of them did not pass, by the nearest rank, in seconds,
    /// exact to half a bucket (4.5 %), and at either end to a bucket; `None` where there are none.
    /// It is never above the longest nor below the shortest of them, although neither is kept: that
    /// would not be known of a window, whose times are a difference of two states. Where all are in
    /// one bucket it is their mean: who always takes five seconds reads 5 s.
    pub fn quantile(&self, q: f64) -> Option<f64> {
        if let [(bucket, count)] = self.counts[..] {
            return Some(self.mean_within(bucket, count));
        }
        let count = self.count();
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a rank within the count"
        )]
        let rank = ((q * count as f64).ceil() as u64).max(1);
        let mut passed = 0;
        self.counts.iter().find_map(|(bucket, count)| {
            passed += count;
            (passed >= rank).then(|| self.bucket_value(*bucket))
        })
    }

    /// Returns what stands for the times of one of several buckets. In between, its middle lies
    /// between others. At the ends it may lie beyond all times; there the sum of all tells what the
    /// mean in this bucket is at least (at most), which the longest (shortest) time is too.
    #[expect(clippy::cast_precision_loss, reason = "as in mean_within")]
    fn bucket_value(&self, bucket: u16) -> f64 {
        let others = |edge_of: fn(u16) -> f64| -> f64 {
            let others = self.counts.iter().filter(|(other, _)| *other != bucket);
            others.map(|(other, n)| edge_of(*other) * *n as f64).sum()
        };
        let of = |all: &(u16, u64)| (all.0 == bucket).then_some(all.1 as f64);
        let is_last = self.counts.last().and_then(of);
        let is_first = self.counts.first().and_then(of);
        let (lowest, middle, highest) = (
            lower_edge(bucket),
            bucket_middle(bucket),
            upper_edge(bucket),
        );
        if let Some(count) = is_last {
            let at_least = (self.sum_seconds() - others(upper_edge)) / count;
            return at_least.max(lowest).min(middle.max(lowest));
        }
        if let Some(count) = is_first {
            let at_most = (self.sum_seconds() - others(lower_edge)) / count;
            return at_most.max(middle).min(highest);
        }
        middle
    }

    /// The mean where all are in one bucket. Count and sum are read one after the other, so the sum
    /// may be of more or fewer of them: what it gives is held to the bucket.
    #[expect(
        clippy::cast_precision_loss,
        reason = "a count is far below 2^53; the sum as in sum_seconds"
    )]
    fn mean_within(&self, bucket: u16, count: u64) -> f64 {
        // The last bucket takes in whatever took longer.
        let highest = if usize::from(bucket) == BUCKETS - 1 {
            f64::INFINITY
        } else {
            upper_edge(bucket)
        };
        (self.sum_seconds() / count as f64).clamp(lower_edge(bucket), highest)
    }

    /// Returns, for each edge that is shown, from the shortest: the edge in seconds, and how many
    /// took no longer. The times longer than the last are in [`Distribution::count`] alone.
    pub fn shown_edges(&self) -> impl Iterator<Item = (f64, u64)> + '_ {
        SHOWN.map(|doublings| {
            let bound = doublings * PER_OCTAVE;
            let up_to = self.counts.iter();
            let up_to = up_to.take_while(|(bucket, _)| *bucket <= bound);
            (upper_edge(bound), up_to.map(|(_, count)| count).sum())
        })
    }

    /// Adds those of another.
    pub fn add(&mut self, other: &Distribution) {
        self.merge(other, u64::saturating_add);
    }

    /// Returns what has come since an `earlier` state of the same.
    #[must_use]
    pub fn difference_since(&self, earlier: &Distribution) -> Distribution {
        let mut later = self.clone();
        later.merge(earlier, u64::saturating_sub);
        later.counts.retain(|(_, count)| *count > 0);
        later
    }

    fn merge(&mut self, other: &Distribution, combine: fn(u64, u64) -> u64) {
        for (bucket, count) in &other.counts {
            match self
                .counts
                .binary_search_by_key(bucket, |(bucket, _)| *bucket)
            {
                Ok(at) => self.counts[at].1 = combine(self.counts[at].1, *count),
                Err(at) => self.counts.insert(at, (*bucket, combine(0, *count))),
            }
        }
        self.sum = combine(self.sum, other.sum);
    }
}

/// Returns the lower edge of a bucket in seconds.
fn lower_edge(bucket: u16) -> f64 {
    bucket.checked_sub(1).map_or(0.0, upper_edge)
}

/// Returns what stands for all times of a bucket.
fn bucket_middle(bucket: u16) -> f64 {
    if bucket == 0 {
        return upper_edge(0);
    }
    (upper_edge(bucket - 1) * upper_edge(bucket)).sqrt()
}

#[cfg(test)]
mod tests;
