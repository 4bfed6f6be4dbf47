//! The clock that freshness, windows and the breaker are measured by. It only moves forward, so a
//! jump of the wall clock changes nothing; tests turn it by hand.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Tells the time.
#[derive(Debug, Clone, Default)]
pub struct Clock(Face);

#[derive(Debug, Clone, Default)]
enum Face {
    #[default]
    Machine,
    Runtime,
    Hand(Arc<Hand>),
}

#[derive(Debug)]
struct Hand {
    start: Instant,
    nanos: AtomicU64,
}

impl Clock {
    /// The machine's own, monotonic clock.
    pub fn real() -> Clock {
        Clock(Face::Machine)
    }

    /// The clock of the tokio runtime, which a test may have stopped.
    pub fn of_runtime() -> Clock {
        Clock(Face::Runtime)
    }

    /// A clock that stands still until [`Clock::advance`]; its clones move with it.
    pub fn by_hand() -> Clock {
        Clock(Face::Hand(Arc::new(Hand {
            start: Instant::now(),
            nanos: AtomicU64::new(0),
        })))
    }

    /// Now.
    pub fn now(&self) -> Instant {
        match &self.0 {
            Face::Machine => Instant::now(),
            Face::Runtime => tokio::time::Instant::now().into_std(),
            Face::Hand(hand) => {
                hand.start + Duration::from_nanos(hand.nanos.load(Ordering::SeqCst))
            }
        }
    }

    /// Moves a clock made by [`Clock::by_hand`]; the machine's own is not moved.
    pub fn advance(&self, by: Duration) {
        if let Face::Hand(hand) = &self.0 {
            let nanos = u64::try_from(by.as_nanos()).unwrap_or(u64::MAX);
            hand.nanos.fetch_add(nanos, Ordering::SeqCst);
        }
    }
}
