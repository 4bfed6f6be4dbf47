//! The medians that the home page compares, kept for a second: reading them costs several times
//! what a hit costs.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::stats::QueryStats;
use crate::view::Comparison;

const KEPT_FOR: Duration = Duration::from_secs(1);

/// See the head of this file; of one query.
#[derive(Debug)]
pub(super) struct Pace {
    since: Instant,
    /// When what is kept is too old, in microseconds after `since`.
    until: AtomicU64,
    load: Median,
    copy: Median,
}

/// One median and of how many it is, without a lock: all workers come by here. The two may be of
/// readings that followed each other, which nobody can tell.
#[derive(Debug, Default)]
struct Median {
    nanos: AtomicU64,
    /// 0: there is none.
    count: AtomicU64,
}

impl Median {
    fn keep(&self, median: Option<(Duration, u64)>) {
        let (time, count) = median.unwrap_or_default();
        let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        self.nanos.store(nanos, Ordering::Relaxed);
        self.count.store(count, Ordering::Relaxed);
    }

    fn kept(&self) -> Option<(Duration, u64)> {
        let count = self.count.load(Ordering::Relaxed);
        let time = Duration::from_nanos(self.nanos.load(Ordering::Relaxed));
        (count > 0).then_some((time, count))
    }
}

impl Default for Pace {
    fn default() -> Pace {
        Pace {
            since: Instant::now(),
            until: AtomicU64::new(0),
            load: Median::default(),
            copy: Median::default(),
        }
    }
}

impl Pace {
    /// What is known at `now`. Whoever finds it too old reads it anew; the others go on with what
    /// is there. As long as there is nothing to compare, it is read every time.
    pub(super) fn of(&self, query: &QueryStats, now: Instant) -> Comparison {
        let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        let now = micros(now.saturating_duration_since(self.since));
        let until = self.until.load(Ordering::Relaxed);
        let next = now.saturating_add(micros(KEPT_FOR));
        let is_ours = now >= until
            && self
                .until
                .compare_exchange(until, next, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok();
        let kept = Comparison {
            load: self.load.kept(),
            copy: self.copy.kept(),
        };
        if !is_ours && kept.load.is_some() && kept.copy.is_some() {
            return kept;
        }
        let pace = query.pace();
        let read = Comparison::new(&pace.copy, &pace.load);
        self.load.keep(read.load);
        self.copy.keep(read.copy);
        read
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::{Outcome, Tier};
    use crate::stats::Stats;

    #[test]
    fn it_is_read_until_there_is_something_to_compare_and_then_once_a_second() {
        let stats = Stats::new(["version"].into_iter());
        let query = stats.query(0);
        let pace = Pace::default();
        let at = |millis| pace.of(query, pace.since + Duration::from_millis(millis));
        let copies = |comparison: Comparison| comparison.copy.map_or(0, |(_, count)| count);
        let hit = || {
            let (own, load) = (Duration::from_micros(300), Duration::from_secs(5));
            query.request(Outcome::Hit(Tier::Memory), own, load);
        };
        assert_eq!(at(0), Comparison::default());
        hit();
        assert_eq!(copies(at(1)), 1);
        hit();
        assert_eq!((copies(at(2)), at(2).load), (2, None));
        query.load_begins();
        query.load_ends(true, Duration::from_secs(5));
        assert_eq!(at(3).load.map(|(_, count)| count), Some(1));
        hit();
        assert_eq!(copies(at(999)), 2);
        assert_eq!(copies(at(1_000)), 3);
        hit();
        assert_eq!(copies(at(1_999)), 3);
        assert_eq!(copies(at(2_000)), 4);
    }
}
