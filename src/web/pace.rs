//! The medians that the home page compares, kept for a second: reading them costs several times
//! what a hit costs.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

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
    /// What is known at `now`. Whoever finds it too old has it read anew; the others go on with what
    /// is there. As long as there is nothing to compare, it is read every time.
    pub(super) fn at(&self, now: Instant, read: impl FnOnce() -> Comparison) -> Comparison {
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
        let read = read();
        self.load.keep(read.load);
        self.copy.keep(read.copy);
        read
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn it_is_read_until_there_is_something_to_compare_and_then_once_a_second() {
        let pace = Pace::default();
        let reads = Cell::new(0);
        let both = Comparison {
            load: Some((Duration::from_secs(5), 1)),
            copy: Some((Duration::from_micros(300), 7)),
        };
        let half = Comparison { copy: None, ..both };
        let at = |millis, there: Comparison| {
            let now = pace.since + Duration::from_millis(millis);
            pace.at(now, || {
                reads.set(reads.get() + 1);
                there
            })
        };
        for (number, millis) in [(1, 0), (2, 1), (3, 999)] {
            assert_eq!(at(millis, half), half);
            assert_eq!(reads.get(), number);
        }
        assert_eq!(at(1_000, both), both);
        let later = Comparison {
            copy: Some((Duration::from_micros(400), 9)),
            ..both
        };
        assert_eq!(at(1_999, later), both);
        assert_eq!(reads.get(), 4);
        assert_eq!(at(2_000, later), later);
        assert_eq!(reads.get(), 5);
    }
}
