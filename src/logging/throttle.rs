//! The bound on how frequently something may happen: a line in the log, or an act that would make a
//! bad day worse. One client that repeats what fails must not fill a disk with it.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The pause between two lines in the log about the same thing.
pub const LOG_EVERY: Duration = Duration::from_mins(1);
/// So many kinds are told apart; what is beyond shares one.
const KINDS: usize = 10_000;

/// Lets something happen only so often.
#[derive(Debug)]
pub struct LogThrottle {
    every: Duration,
    last: Mutex<LatestLine>,
}

/// The latest time that something happened, and the number of times that it was held back since.
#[derive(Debug, Clone, Copy, Default)]
struct LatestLine {
    at: Option<Instant>,
    held_back: u64,
}

impl LatestLine {
    fn allow_line(&mut self, every: Duration, now: Instant) -> Option<u64> {
        let is_early = |at: Instant| now.saturating_duration_since(at) < every;
        if self.at.is_some_and(is_early) {
            self.held_back += 1;
            return None;
        }
        self.at = Some(now);
        Some(std::mem::take(&mut self.held_back))
    }
}

impl LogThrottle {
    /// Lets it happen once in this time.
    pub fn new(every: Duration) -> LogThrottle {
        LogThrottle {
            every,
            last: Mutex::default(),
        }
    }

    /// Returns how often it was held back since it last happened; `None` where it may not happen
    /// now.
    pub fn allow_line(&self, now: Instant) -> Option<u64> {
        lock(&self.last).allow_line(self.every, now)
    }
}

/// A [`LogThrottle`] for each kind of thing.
#[derive(Debug)]
pub struct LogThrottles<K> {
    every: Duration,
    last: Mutex<HashMap<K, LatestLine>>,
    others: LogThrottle,
}

impl<K: Eq + Hash> LogThrottles<K> {
    /// Lets each kind happen once in this time.
    pub fn new(every: Duration) -> LogThrottles<K> {
        LogThrottles {
            every,
            last: Mutex::default(),
            others: LogThrottle::new(every),
        }
    }

    /// Returns how often this kind was held back since it last happened; `None` where it may not
    /// happen now.
    pub fn allows(&self, kind: K, now: Instant) -> Option<u64> {
        let mut last = lock(&self.last);
        if last.len() >= KINDS && !last.contains_key(&kind) {
            return self.others.allow_line(now);
        }
        last.entry(kind).or_default().allow_line(self.every, now)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_throttle_lets_one_through_per_period_and_counts_the_others() {
        let throttle = LogThrottle::new(LOG_EVERY);
        let now = Instant::now();
        assert_eq!(throttle.allow_line(now), Some(0));
        assert_eq!(throttle.allow_line(now), None);
        assert_eq!(throttle.allow_line(now + Duration::from_secs(59)), None);
        assert_eq!(throttle.allow_line(now + LOG_EVERY), Some(2));
    }

    #[test]
    fn each_kind_has_a_period_of_its_own_and_their_number_is_bounded() {
        let throttles = LogThrottles::new(LOG_EVERY);
        let now = Instant::now();
        assert_eq!(throttles.allows(0, now), Some(0));
        assert_eq!(throttles.allows(1, now), Some(0));
        assert_eq!(throttles.allows(0, now), None);
        assert_eq!(throttles.allows(0, now + LOG_EVERY), Some(1));
        for kind in 2..KINDS {
            assert_eq!(throttles.allows(kind, now), Some(0));
        }
        assert_eq!(throttles.allows(KINDS, now), Some(0));
        assert_eq!(throttles.allows(KINDS + 1, now), None);
        assert_eq!(lock(&throttles.last).len(), KINDS);
    }
}
