//! The comparison that the home page shows, kept by each worker for a second: reading and writing
//! it costs several times what a hit costs, and kept by all together it would take a lock.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::view::{ComparisonPanel, SpeedComparison};

const KEPT_FOR: Duration = Duration::from_secs(1);

thread_local! {
    /// The comparison of the site that was asked for last: a worker has one.
    static KEPT: RefCell<Option<KeptComparison>> = const { RefCell::new(None) };
}

struct KeptComparison {
    /// The number of its site.
    site: u64,
    until: Instant,
    race: Rc<ComparisonPanel>,
}

/// See the head of this file; of one site's home query.
#[derive(Debug)]
pub(super) struct KeptRace(u64);

impl Default for KeptRace {
    fn default() -> KeptRace {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        KeptRace(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

impl KeptRace {
    /// Returns what is known at `now`; `read` where that is too old. As long as there is not yet
    /// something to compare, it is read every time.
    pub(super) fn panel_at(
        &self,
        now: Instant,
        read: impl FnOnce() -> SpeedComparison,
    ) -> Rc<ComparisonPanel> {
        KEPT.with_borrow_mut(|kept| {
            let is_good = |kept: &&KeptComparison| kept.site == self.0 && now < kept.until;
            if let Some(good) = kept.as_ref().filter(is_good) {
                return Rc::clone(&good.race);
            }
            let comparison = read();
            let race = Rc::new(ComparisonPanel::new(comparison));
            *kept = comparison.is_whole().then(|| KeptComparison {
                site: self.0,
                until: now + KEPT_FOR,
                race: Rc::clone(&race),
            });
            race
        })
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    fn both(count: u64) -> SpeedComparison {
        SpeedComparison {
            load: Some((Duration::from_secs(5), 1)),
            copy: Some((Duration::from_micros(300), count)),
        }
    }

    #[test]
    fn it_is_read_until_there_is_something_to_compare_and_then_once_a_second() {
        let (pace, start, reads) = (KeptRace::default(), Instant::now(), Cell::new(0));
        let at = |millis, there: SpeedComparison| {
            let race = pace.panel_at(start + Duration::from_millis(millis), || {
                reads.set(reads.get() + 1);
                there
            });
            (reads.get(), race.comparison())
        };
        let half = SpeedComparison {
            copy: None,
            ..both(1)
        };
        assert_eq!(at(0, half), (1, half));
        assert_eq!(at(1, half), (2, half));
        assert_eq!(at(2, both(7)), (3, both(7)));
        assert_eq!(at(1_001, both(9)), (3, both(7)));
        assert_eq!(at(1_002, both(9)), (4, both(9)));
    }

    #[test]
    fn a_site_shows_nothing_of_the_one_before() {
        let now = Instant::now();
        let (old, new) = (KeptRace::default(), KeptRace::default());
        assert_eq!(old.panel_at(now, || both(7)).comparison(), both(7));
        assert_eq!(new.panel_at(now, || both(1)).comparison(), both(1));
    }
}
