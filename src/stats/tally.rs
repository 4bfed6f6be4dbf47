//! What was counted of one query in one stretch of time, or of all queries, or of all instances:
//! plain numbers that can be added, taken from each other, kept and sent. Ratios are computed from
//! them in `numbers`, never added.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::counter::{COUNTERS, Counter};
use super::distribution::Distribution;
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

/// See the head of this file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    counts: Counts,
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
        let named = std::collections::BTreeMap::<String, u64>::deserialize(deserializer)?;
        Ok(Counts(COUNTERS.map(|(_, name, _)| {
            named.get(name).copied().unwrap_or_default()
        })))
    }
}
