//! The speed of one query's copies beside its loads: the two medians that the pages compare. They
//! are read from its counters, so a page that shows them with every answer keeps them for a while.

use super::numbers::Percentiles;
use super::query::QueryStats;
use super::tally::Timed;

/// See the head of this file. Since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct CopySpeedup {
    /// Requests that were answered with a copy, fresh or stale.
    pub copy: Percentiles,
    /// Loads, whatever began them and however they ended.
    pub load: Percentiles,
}

impl QueryStats {
    /// Returns the pace of this query. It reads some hundred counters: microseconds, not
    /// nanoseconds.
    pub fn copy_speedup(&self) -> CopySpeedup {
        let tally = self.tally();
        let mut copy = tally.time_distribution(Timed::Hit).clone();
        copy.add(tally.time_distribution(Timed::Stale));
        CopySpeedup {
            copy: Percentiles::from_distribution(&copy),
            load: Percentiles::from_distribution(tally.time_distribution(Timed::Load)),
        }
    }
}
