//! What was counted of one query in one stretch of time, or of all queries, or of all instances:
//! plain numbers that can be added, taken from each other, kept and sent. Ratios are computed from
//! them in `numbers`, never added.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::counter::{COUNTERS, Counter};
use super::distribution::Distribution;
use super::sent::by_name;
use super::tiers::words;

words! {
    /// What is timed.
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

/// No count comes near it, and thousands of them can be added.
pub(super) const MOST: u64 = 1 << 48;
/// The same of bytes, and of microseconds of many at once.
pub(super) const MOST_MEASURED: u64 = 1 << 60;

/// See the head of this file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    counts: Counts,
    #[serde(with = "times", default)]
    times: [Distribution; Timed::ALL.len()],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Counts([u64; COUNTERS.len()]);

impl Default for Tally {
    /// Nothing.
    fn default() -> Tally {
        Tally {
            counts: Counts([0; COUNTERS.len()]),
            times: Default::default(),
        }
    }
}

impl Tally {
    /// From a count for each counter and a distribution for each timed thing.
    pub(super) fn of(
        count: impl Fn(Counter) -> u64,
        time: impl Fn(Timed) -> Distribution,
    ) -> Tally {
        Tally {
            counts: Counts(COUNTERS.map(|(counter, ..)| count(counter))),
            times: Timed::ALL.map(time),
        }
    }

    /// What one counter counted.
    pub fn count(&self, counter: Counter) -> u64 {
        self.counts.0[counter as usize]
    }

    /// How long what is timed took.
    pub fn time(&self, timed: Timed) -> &Distribution {
        &self.times[timed as usize]
    }

    /// Whether nothing has been counted.
    pub fn is_empty(&self) -> bool {
        self.counts.0.iter().all(|count| *count == 0)
    }

    /// Whether it can be one's own: what others sent is added up only then.
    pub(super) fn is_sound(&self) -> bool {
        let mut counted = COUNTERS.iter().zip(self.counts.0);
        let is_possible = |((_, name, _), count): (&(Counter, &str, &str), u64)| {
            let measured = name.ends_with("_microseconds") || name.ends_with("_bytes");
            count <= if measured { MOST_MEASURED } else { MOST }
        };
        counted.all(is_possible) && self.times.iter().all(Distribution::is_sound)
    }

    /// Adds another.
    pub fn add(&mut self, other: &Tally) {
        for (mine, theirs) in self.counts.0.iter_mut().zip(other.counts.0) {
            *mine = mine.saturating_add(theirs);
        }
        for (mine, theirs) in self.times.iter_mut().zip(&other.times) {
            mine.add(theirs);
        }
    }

    /// What has come since an `earlier` state of the same.
    #[must_use]
    pub fn since(&self, earlier: &Tally) -> Tally {
        let mut later = self.clone();
        for (mine, theirs) in later.counts.0.iter_mut().zip(earlier.counts.0) {
            *mine = mine.saturating_sub(theirs);
        }
        for (mine, theirs) in later.times.iter_mut().zip(&earlier.times) {
            *mine = mine.since(theirs);
        }
        later
    }
}

impl<'a> std::iter::Sum<&'a Tally> for Tally {
    fn sum<I: Iterator<Item = &'a Tally>>(tallies: I) -> Tally {
        tallies.fold(Tally::default(), |mut sum, tally| {
            sum.add(tally);
            sum
        })
    }
}

/// By name and without zeros, so that instances of different versions understand each other.
impl Serialize for Counts {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let counted = COUNTERS.iter().zip(self.0).filter(|(_, count)| *count > 0);
        serializer.collect_map(counted.map(|((_, name, _), count)| (*name, count)))
    }
}

/// What has a name that is not known here is passed over.
impl<'de> Deserialize<'de> for Counts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Counts, D::Error> {
        by_name(deserializer, COUNTERS.map(|(_, name, _)| name)).map(Counts)
    }
}

/// Distributions likewise.
mod times {
    use serde::{Deserializer, Serializer};

    use super::{Distribution, Timed};

    type Times = [Distribution; Timed::ALL.len()];

    pub(super) fn serialize<S: Serializer>(
        times: &Times,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let each = Timed::ALL.iter().zip(times);
        let each = each.filter(|(_, times)| **times != Distribution::default());
        serializer.collect_map(each.map(|(what, times)| (what.name(), times)))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Times, D::Error> {
        super::by_name(from, Timed::ALL.map(Timed::name))
    }
}
