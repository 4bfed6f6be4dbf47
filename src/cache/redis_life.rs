//! The time for which Redis keeps an entry, as far as this process knows: short for one reader,
//! long from the second one on. The point at which Redis is told so is in `keeping`.

use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

/// Redis has had the entry: only then does its absence there say something.
const THERE: u8 = 1;
/// Redis keeps it for all of its life, or is about to be told.
const LASTING: u8 = 2;
/// A second reader has come.
const READ_AGAIN: u8 = 4;

/// The life of an entry in Redis.
#[derive(Default)]
pub(super) struct RedisLife {
    marks: AtomicU8,
    /// The time for which Redis kept it from its load when it came from there.
    pub(super) kept_for: Duration,
}

impl RedisLife {
    pub(super) fn new(kept_for: Duration) -> RedisLife {
        RedisLife {
            marks: AtomicU8::default(),
            kept_for,
        }
    }

    pub(super) fn is_there(&self) -> bool {
        self.marks.load(Ordering::Relaxed) & THERE != 0
    }

    /// Notes that Redis keeps the entry for so long, where `whole` is all of its life. Returns
    /// whether the caller has to let it last, because a second reader has come before.
    pub(super) fn begin_life(&self, kept_for: Duration, whole: Duration) -> bool {
        if kept_for >= whole {
            self.marks.fetch_or(THERE | LASTING, Ordering::SeqCst);
            return false;
        }
        let before = self.marks.fetch_or(THERE, Ordering::SeqCst);
        before & READ_AGAIN != 0 && self.claim_renewal()
    }

    /// Notes a second reader. Returns whether the caller has to let the entry last; true once at
    /// most.
    pub(super) fn read_again(&self) -> bool {
        let marks = self.marks.load(Ordering::Relaxed);
        // The path of every hit: nothing is written once it is known.
        if marks & LASTING != 0 || marks & (READ_AGAIN | THERE) == READ_AGAIN {
            return false;
        }
        let before = self.marks.fetch_or(READ_AGAIN, Ordering::SeqCst);
        before & THERE != 0 && self.claim_renewal()
    }

    fn claim_renewal(&self) -> bool {
        self.marks.fetch_or(LASTING, Ordering::SeqCst) & LASTING == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORT: Duration = Duration::from_secs(1);
    const WHOLE: Duration = Duration::from_secs(2);

    #[test]
    fn a_second_reader_lets_it_last_once_whether_it_comes_before_redis_has_the_entry_or_after() {
        let after = RedisLife::default();
        assert!(!after.is_there() && !after.begin_life(SHORT, WHOLE));
        assert!(after.is_there() && after.read_again());
        assert!(!after.read_again());
        let before = RedisLife::default();
        assert!(!before.read_again() && !before.read_again() && !before.is_there());
        assert!(before.begin_life(SHORT, WHOLE));
        assert!(!before.read_again());
    }

    #[test]
    fn what_is_kept_for_all_of_its_life_need_not_be_told_again() {
        let life = RedisLife::new(WHOLE);
        assert!(!life.begin_life(WHOLE, WHOLE) && !life.read_again());
        let life = RedisLife::default();
        assert!(!life.read_again() && !life.begin_life(WHOLE, WHOLE));
    }
}
