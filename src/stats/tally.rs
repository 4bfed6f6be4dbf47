//! The counts of one query in one stretch of time, or of all queries, or of all instances: plain
//! numbers that can be added, taken from each other, kept and sent. Ratios are computed from them
//! in `numbers`, never added.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::counter::{COUNTERS, Counter, CounterPart};
use super::distribution::Distribution;
use super::sent::{MOST, MOST_MEASURED, by_name};
use super::tiers::words;

words! {
    /// The kind of a time.
    Timed {
        /// Requests answered with a fresh copy.
        Hit => "hit",
        /// Requests answered with a stale copy.
        Stale => "stale",
        /// Requests that waited for another request's load.
        Coalesced => "coalesced",
        /// Requests whose own load ran.
        Miss => "miss",
        /// Requests past the cache.
        Bypass => "bypass",
        /// Requests that got no value.
        Error => "error",
        /// Loads, whatever began them and however they ended.
        Load => "load",
    }
}

/// See the head of this file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CounterTally {
    pub(super) counts: CounterCounts,
    #[serde(with = "times", default)]
    pub(super) times: [Distribution; Timed::ALL.len()],
}

/// One for each counter, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct CounterCounts(pub(super) [u64; COUNTERS.len()]);

impl Default for CounterCounts {
    /// Returns counts of nothing.
    fn default() -> CounterCounts {
        CounterCounts([0; COUNTERS.len()])
    }
}

impl CounterTally {
    /// Returns what one counter counted.
    pub fn counter_value(&self, counter: Counter) -> u64 {
        self.counts.0[counter as usize]
    }

    /// Returns what the counters counted that are parts of this sum.
    pub fn part_sum(&self, part: CounterPart) -> u64 {
        let parts = COUNTERS.iter().zip(self.counts.0);
        parts
            .filter(|((counter, ..), _)| counter.part() == part)
            .fold(0, |sum: u64, (_, count)| sum.saturating_add(count))
    }

    /// Returns how long what is timed took.
    pub fn time_distribution(&self, timed: Timed) -> &Distribution {
        &self.times[timed as usize]
    }

    /// Returns whether nothing has been counted.
    pub fn is_empty(&self) -> bool {
        self.counts.is_zero()
    }

    /// Returns whether it can be one's own: what others sent is added up only then.
    pub(super) fn is_sound(&self) -> bool {
        let mut counted = COUNTERS.iter().zip(self.counts.0);
        let is_possible = |((_, name, _), count): (&(Counter, &str, &str), u64)| {
            let measured = name.ends_with("_microseconds") || name.ends_with("_bytes");
            count <= if measured { MOST_MEASURED } else { MOST }
        };
        counted.all(is_possible) && self.times.iter().all(Distribution::is_sound)
    }

    /// Adds another.
    pub fn add(&mut self, other: &CounterTally) {
        for (mine, theirs) in self.counts.0.iter_mut().zip(other.counts.0) {
            *mine = mine.saturating_add(theirs);
        }
        for (mine, theirs) in self.times.iter_mut().zip(&other.times) {
            mine.add(theirs);
        }
    }

    /// Returns what has come since an `earlier` state of the same.
    #[must_use]
    pub fn difference_since(&self, earlier: &CounterTally) -> CounterTally {
        let mut later = self.clone();
        for (mine, theirs) in later.counts.0.iter_mut().zip(earlier.counts.0) {
            *mine = mine.saturating_sub(theirs);
        }
        for (mine, theirs) in later.times.iter_mut().zip(&earlier.times) {
            *mine = mine.difference_since(theirs);
        }
        later
    }
}

impl CounterCounts {
    pub(super) fn is_zero(&self) -> bool {
        self.0.iter().all(|count| *count == 0)
    }
}

impl<'a> std::iter::Sum<&'a CounterTally> for CounterTally {
    fn sum<I: Iterator<Item = &'a CounterTally>>(tallies: I) -> CounterTally {
        tallies.fold(CounterTally::default(), |mut sum, tally| {
            sum.add(tally);
            sum
        })
    }
}

/// Writes the counts by name and without zeros, so that instances of different versions understand
/// each other.
impl Serialize for CounterCounts {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let counted = COUNTERS.iter().zip(self.0).filter(|(_, count)| *count > 0);
        serializer.collect_map(counted.map(|((_, name, _), count)| (*name, count)))
    }
}

/// Passes over a count whose name is not known here.
impl<'de> Deserialize<'de> for CounterCounts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<CounterCounts, D::Error> {
        by_name(deserializer, COUNTERS.map(|(_, name, _)| name)).map(CounterCounts)
    }
}

/// Distributions likewise.
mod times {
    use serde::{Deserializer, Serializer};

    use super::{Distribution, Timed};

    type TallyTimes = [Distribution; Timed::ALL.len()];

    pub(super) fn serialize<S: Serializer>(
        times: &TallyTimes,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let each = Timed::ALL.iter().zip(times);
        let each = each.filter(|(_, times)| !times.is_empty());
        serializer.collect_map(each.map(|(what, times)| (what.name(), times)))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<TallyTimes, D::Error> {
        super::by_name(from, Timed::ALL.map(Timed::name))
    }
}
