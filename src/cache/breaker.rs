//! Keeps a failing Redis from costing every request its deadline. It decides who may ask; what a
//! failure is, the Redis tier decides.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::chance;
use crate::defence::Defence;
use crate::stats::RedisError;

/// Failures in a row that open it.
const FAILURES: u32 = 3;
/// The time for which nobody asks, …
const OPEN: Duration = Duration::from_secs(5);
/// … and up to how much longer, so that a fleet does not probe in step.
const JITTER: Duration = Duration::from_millis(500);

/// The state of the target, and the permission to ask it.
#[derive(Debug)]
pub(super) struct Breaker {
    inner: Mutex<BreakerCore>,
}

#[derive(Debug)]
struct BreakerCore {
    state: BreakerPhase,
    up: Option<bool>,
    since: Instant,
    last_error: Option<RedisError>,
    complaint: Option<RedisError>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum BreakerPhase {
    Closed { failures: u32 },
    Open { until: Instant },
    HalfOpen,
}

/// The state that decides whether commands are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BreakerState {
    /// They are.
    Closed,
    /// None is.
    Open,
    /// One is, to see.
    HalfOpen,
}

impl BreakerState {
    /// Returns the word for it.
    pub fn name(self) -> &'static str {
        match self {
            BreakerState::Closed => "closed",
            BreakerState::Open => "open",
            BreakerState::HalfOpen => "half-open",
        }
    }
}

/// The state of Redis, as it is remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RedisState {
    /// True where the latest contact succeeded; `None` before the first.
    pub up: Option<bool>,
    /// True where commands are sent to it.
    pub breaker: BreakerState,
    /// The latest failure, also when it is up again.
    pub last_error: Option<RedisError>,
    /// The error that Redis has answered since it last took something, although it is up.
    pub complaint: Option<RedisError>,
    /// The time for which it has been up, or not.
    pub since: Duration,
}

/// The effect of an answer, or of none, on the breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BreakerChange {
    None,
    Opened,
    /// The first success after failures.
    Recovered,
}

/// The right to ask once. Dropped without a verdict (its request went away), it changes nothing;
/// if it was the probe, the next one asks.
pub(super) struct BreakerPermit<'a> {
    breaker: &'a Breaker,
    probe: bool,
    judged: bool,
}

impl Breaker {
    pub(super) fn new(now: Instant) -> Breaker {
        Breaker {
            inner: Mutex::new(BreakerCore {
                state: BreakerPhase::Closed { failures: 0 },
                up: None,
                since: now,
                last_error: None,
                complaint: None,
            }),
        }
    }

    /// Returns the right to ask now, if there is one.
    pub(super) fn try_admit(&self, now: Instant) -> Option<BreakerPermit<'_>> {
        let mut inner = self.lock();
        let probe = match inner.state {
            BreakerPhase::Closed { .. } => false,
            BreakerPhase::Open { until } if until <= now => {
                inner.state = BreakerPhase::HalfOpen;
                true
            }
            BreakerPhase::Open { .. } | BreakerPhase::HalfOpen => return None,
        };
        Some(BreakerPermit {
            breaker: self,
            probe,
            judged: false,
        })
    }

    /// Notes that the next one may ask, however long it was to stay open: something says that it is
    /// worth it.
    pub(super) fn allow_retry(&self, now: Instant) {
        let mut inner = self.lock();
        if let BreakerPhase::Open { .. } = inner.state {
            inner.state = BreakerPhase::Open { until: now };
        }
    }

    /// Returns whether [`Breaker::try_admit`] would admit now; takes nothing.
    pub(super) fn lets_through(&self, now: Instant) -> bool {
        match self.lock().state {
            BreakerPhase::Closed { .. } => true,
            BreakerPhase::Open { until } => until <= now,
            BreakerPhase::HalfOpen => false,
        }
    }

    /// Returns whether the latest contact failed.
    pub(super) fn is_down(&self) -> bool {
        self.lock().up == Some(false)
    }

    pub(super) fn redis_state(&self, now: Instant) -> RedisState {
        let inner = self.lock();
        RedisState {
            up: inner.up,
            breaker: match inner.state {
                BreakerPhase::Closed { .. } => BreakerState::Closed,
                BreakerPhase::Open { .. } => BreakerState::Open,
                BreakerPhase::HalfOpen => BreakerState::HalfOpen,
            },
            last_error: inner.last_error,
            complaint: inner.complaint,
            since: now.saturating_duration_since(inner.since),
        }
    }

    /// Notes that it has taken something: there is nothing to complain of any more.
    pub(super) fn clear_complaint(&self) {
        self.lock().complaint = None;
    }

    fn open_until(now: Instant) -> BreakerPhase {
        BreakerPhase::Open {
            until: now + OPEN + chance::up_to(JITTER),
        }
    }

    fn lock(&self) -> MutexGuard<'_, BreakerCore> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl BreakerPermit<'_> {
    /// Notes that it answered as it should.
    pub(super) fn record_success(mut self, now: Instant) -> BreakerChange {
        self.judged = true;
        let mut inner = self.breaker.lock();
        match inner.state {
            BreakerPhase::Closed { .. } => inner.state = BreakerPhase::Closed { failures: 0 },
            BreakerPhase::HalfOpen if self.probe => {
                inner.state = BreakerPhase::Closed { failures: 0 }
            }
            // The answer to a question from before it opened says nothing about now.
            BreakerPhase::Open { .. } | BreakerPhase::HalfOpen => return BreakerChange::None,
        }
        if inner.up == Some(true) {
            return BreakerChange::None;
        }
        inner.up = Some(true);
        inner.since = now;
        if inner.last_error.is_some() {
            BreakerChange::Recovered
        } else {
            BreakerChange::None
        }
    }

    /// Notes that it answered, with an error that does not make it unusable.
    pub(super) fn record_complaint(self, error: RedisError, now: Instant) -> BreakerChange {
        let breaker = self.breaker;
        let change = self.record_success(now);
        let mut inner = breaker.lock();
        inner.last_error = Some(error);
        inner.complaint = Some(error);
        change
    }

    /// Notes that it did not answer, or so that it must be taken for down.
    pub(super) fn record_failure(mut self, error: RedisError, now: Instant) -> BreakerChange {
        self.judged = true;
        let next_open = Breaker::open_until(now);
        let mut inner = self.breaker.lock();
        inner.last_error = Some(error);
        let failures = match inner.state {
            BreakerPhase::Closed { failures } => failures + 1,
            BreakerPhase::HalfOpen if self.probe => FAILURES,
            BreakerPhase::Open { .. } | BreakerPhase::HalfOpen => return BreakerChange::None,
        };
        if inner.up != Some(false) {
            inner.up = Some(false);
            inner.since = now;
        }
        if failures < FAILURES || Defence::Breaker.is_off() {
            inner.state = BreakerPhase::Closed { failures };
            return BreakerChange::None;
        }
        inner.state = next_open;
        BreakerChange::Opened
    }
}

impl Drop for BreakerPermit<'_> {
    fn drop(&mut self) {
        if self.judged || !self.probe {
            return;
        }
        let mut inner = self.breaker.lock();
        if inner.state == BreakerPhase::HalfOpen {
            let until = inner.since;
            inner.state = BreakerPhase::Open { until };
        }
    }
}

#[cfg(test)]
mod tests;
