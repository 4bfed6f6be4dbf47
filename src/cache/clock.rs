//! The clock that freshness, windows and the breaker are measured by. It only moves forward, so a
//! jump of the wall clock changes nothing; tests turn it by hand.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Tells the time.
#[derive(Debug, Clone, Default)]
pub struct Clock(Option<Arc<Hand>>);

#[derive(Debug)]
struct Hand {
    start: Instant,
    nanos: AtomicU64,
}

impl Clock {
    /// The machine's own, monotonic clock.
    pub fn real() -> Clock {
        Clock(None)
    }

    /// A clock that stands still until [`Clock::advance`]; its clones move with it.
    pub fn by_hand() -> Clock {
        Clock(Some(Arc::new(Hand {
            start: Instant::now(),
            nanos: AtomicU64::new(0),
        })))
    }

    /// Now.
    pub fn now(&self) -> Instant {
        match &self.0 {
            None => Instant::now(),
            Some(hand) => hand.start + Duration::from_nanos(hand.nanos.load(Ordering::SeqCst)),
        }
    }

    /// Moves a clock made by [`Clock::by_hand`]; the machine's own is not moved.
    pub fn advance(&self, by: Duration) {
        if let Some(hand) = &self.0 {
            let nanos = u64::try_from(by.as_nanos()).unwrap_or(u64::MAX);
            hand.nanos.fetch_add(nanos, Ordering::SeqCst);
        }
    }
}
