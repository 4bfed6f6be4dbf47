//! How often something may happen: a line in the log, or what would make a bad day worse.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Lets something happen only so often.
pub(super) struct Throttle {
    every: Duration,
    last: Mutex<(Option<Instant>, u64)>,
}

impl Throttle {
    pub(super) fn new(every: Duration) -> Throttle {
        Throttle {
            every,
            last: Mutex::default(),
        }
    }

    /// Whether it may happen now, and how often it was held back since it last did.
    pub(super) fn allows(&self, now: Instant) -> Option<u64> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last
            .0
            .is_some_and(|last| now.saturating_duration_since(last) < self.every)
        {
            last.1 += 1;
            return None;
        }
        let held_back = last.1;
        *last = (Some(now), 0);
        Some(held_back)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_throttle_lets_one_through_per_period_and_counts_the_others() {
        let throttle = Throttle::new(Duration::from_mins(1));
        let now = Instant::now();
        assert_eq!(throttle.allows(now), Some(0));
        assert_eq!(throttle.allows(now), None);
        assert_eq!(throttle.allows(now + Duration::from_secs(59)), None);
        assert_eq!(throttle.allows(now + Duration::from_mins(1)), Some(2));
    }
}
