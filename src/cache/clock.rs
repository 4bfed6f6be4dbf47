//! The clock that freshness, windows and the breaker are measured by. It only moves forward, so a
//! jump of the wall clock changes nothing; tests turn it by hand. On Linux it goes on while the
//! machine sleeps, which the clock of [`Instant`] does not: an age counts the sleep of a laptop.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use crate::stats::since_boot;

/// Tells the time.
#[derive(Debug, Clone, Default)]
pub struct Clock(ClockSource);

#[derive(Debug, Clone, Default)]
enum ClockSource {
    #[default]
    Machine,
    Runtime,
    Hand(Arc<ManualClock>),
}

#[derive(Debug)]
struct ManualClock {
    start: Instant,
    nanos: AtomicU64,
    /// The part of it that counts as sleep.
    slept: AtomicU64,
}

/// The clock of the machine, begun when it is first asked.
static BOOT: LazyLock<BootClock> = LazyLock::new(|| BootClock {
    start: Instant::now(),
    at_start: since_boot(),
});

/// A clock that counts the machine's sleep, told as [`Instant`]s.
struct BootClock {
    start: Instant,
    at_start: Duration,
}

impl BootClock {
    fn now(&self) -> Instant {
        self.start + since_boot().saturating_sub(self.at_start)
    }

    /// Returns the sleep since the start. [`Instant`] does not count it.
    fn time_asleep(&self) -> Duration {
        // In this order, so that the time between the two is not taken for sleep.
        let whole = since_boot().saturating_sub(self.at_start);
        whole.saturating_sub(self.start.elapsed())
    }
}

impl Clock {
    /// Returns the machine's own, monotonic clock.
    pub fn of_machine() -> Clock {
        Clock(ClockSource::Machine)
    }

    /// Returns the clock of the tokio runtime, which a test may have stopped.
    pub fn of_runtime() -> Clock {
        Clock(ClockSource::Runtime)
    }

    /// A clock that stands still until [`Clock::advance`]; its clones move with it.
    pub fn by_hand() -> Clock {
        Clock(ClockSource::Hand(Arc::new(ManualClock {
            start: Instant::now(),
            nanos: AtomicU64::new(0),
            slept: AtomicU64::new(0),
        })))
    }

    /// Returns now.
    pub fn now(&self) -> Instant {
        match &self.0 {
            ClockSource::Machine => BOOT.now(),
            ClockSource::Runtime => tokio::time::Instant::now().into_std(),
            ClockSource::Hand(hand) => {
                hand.start + Duration::from_nanos(hand.nanos.load(Ordering::SeqCst))
            }
        }
    }

    /// Returns how long the machine has slept since the program began, as far as that can be known.
    pub(super) fn time_asleep(&self) -> Duration {
        match &self.0 {
            ClockSource::Machine => BOOT.time_asleep(),
            ClockSource::Runtime => Duration::ZERO,
            ClockSource::Hand(hand) => Duration::from_nanos(hand.slept.load(Ordering::SeqCst)),
        }
    }

    /// Moves a clock made by [`Clock::by_hand`] as the sleep of the machine does.
    #[cfg(test)]
    pub(super) fn advance_asleep(&self, by: Duration) {
        self.advance(by);
        if let ClockSource::Hand(hand) = &self.0 {
            let nanos = u64::try_from(by.as_nanos()).unwrap_or(u64::MAX);
            hand.slept.fetch_add(nanos, Ordering::SeqCst);
        }
    }

    /// Moves a clock made by [`Clock::by_hand`]; the machine's own is not moved.
    pub fn advance(&self, by: Duration) {
        if let ClockSource::Hand(hand) = &self.0 {
            let nanos = u64::try_from(by.as_nanos()).unwrap_or(u64::MAX);
            hand.nanos.fetch_add(nanos, Ordering::SeqCst);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_counts_what_the_machine_has_slept() {
        // The test lets it seem to have slept for so long since the start: the clock of instants
        // stood still.
        let asleep = Duration::from_secs(1);
        let boot = BootClock {
            start: Instant::now(),
            at_start: since_boot().saturating_sub(asleep),
        };
        assert!(boot.now() >= boot.start + asleep);
        let slept = boot.time_asleep();
        assert!(slept <= asleep && slept > asleep / 2, "{slept:?}");
    }

    #[test]
    fn the_clock_never_goes_back() {
        let clock = Clock::of_machine();
        let times = [(); 1000].map(|()| clock.now());
        assert!(times.is_sorted());
    }
}
