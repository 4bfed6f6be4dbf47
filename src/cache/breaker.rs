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
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    state: State,
    up: Option<bool>,
    since: Instant,
    last_error: Option<RedisError>,
    complaint: Option<RedisError>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
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
pub(super) enum Change {
    None,
    Opened,
    /// The first success after failures.
    Recovered,
}

/// The right to ask once. Dropped without a verdict (its request went away), it changes nothing;
/// if it was the probe, the next one asks.
pub(super) struct Permit<'a> {
    breaker: &'a Breaker,
    probe: bool,
    judged: bool,
}

impl Breaker {
    pub(super) fn new(now: Instant) -> Breaker {
        Breaker {
            inner: Mutex::new(Inner {
                state: State::Closed { failures: 0 },
                up: None,
                since: now,
                last_error: None,
                complaint: None,
            }),
        }
    }

    /// Returns the right to ask now, if there is one.
    pub(super) fn admit(&self, now: Instant) -> Option<Permit<'_>> {
        let mut inner = self.lock();
        let probe = match inner.state {
            State::Closed { .. } => false,
            State::Open { until } if until <= now => {
                inner.state = State::HalfOpen;
                true
            }
            State::Open { .. } | State::HalfOpen => return None,
        };
        Some(Permit {
            breaker: self,
            probe,
            judged: false,
        })
    }

    /// Notes that the next one may ask, however long it was to stay open: something says that it is
    /// worth it.
    pub(super) fn retry(&self, now: Instant) {
        let mut inner = self.lock();
        if let State::Open { .. } = inner.state {
            inner.state = State::Open { until: now };
        }
    }

    /// Returns whether [`Breaker::admit`] would admit now; takes nothing.
    pub(super) fn lets_through(&self, now: Instant) -> bool {
        match self.lock().state {
            State::Closed { .. } => true,
            State::Open { until } => until <= now,
            State::HalfOpen => false,
        }
    }

    /// Returns whether the latest contact failed.
    pub(super) fn is_down(&self) -> bool {
        self.lock().up == Some(false)
    }

    pub(super) fn state(&self, now: Instant) -> RedisState {
        let inner = self.lock();
        RedisState {
            up: inner.up,
            breaker: match inner.state {
                State::Closed { .. } => BreakerState::Closed,
                State::Open { .. } => BreakerState::Open,
                State::HalfOpen => BreakerState::HalfOpen,
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

    fn open_until(now: Instant) -> State {
        State::Open {
            until: now + OPEN + chance::up_to(JITTER),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Permit<'_> {
    /// Notes that it answered as it should.
    pub(super) fn success(mut self, now: Instant) -> Change {
        self.judged = true;
        let mut inner = self.breaker.lock();
        match inner.state {
            State::Closed { .. } => inner.state = State::Closed { failures: 0 },
            State::HalfOpen if self.probe => inner.state = State::Closed { failures: 0 },
            // The answer to a question from before it opened says nothing about now.
            State::Open { .. } | State::HalfOpen => return Change::None,
        }
        if inner.up == Some(true) {
            return Change::None;
        }
        inner.up = Some(true);
        inner.since = now;
        if inner.last_error.is_some() {
            Change::Recovered
        } else {
            Change::None
        }
    }

    /// Notes that it answered, with an error that does not make it unusable.
    pub(super) fn complaint(self, error: RedisError, now: Instant) -> Change {
        let breaker = self.breaker;
        let change = self.success(now);
        let mut inner = breaker.lock();
        inner.last_error = Some(error);
        inner.complaint = Some(error);
        change
    }

    /// Notes that it did not answer, or so that it must be taken for down.
    pub(super) fn failure(mut self, error: RedisError, now: Instant) -> Change {
        self.judged = true;
        let next_open = Breaker::open_until(now);
        let mut inner = self.breaker.lock();
        inner.last_error = Some(error);
        let failures = match inner.state {
            State::Closed { failures } => failures + 1,
            State::HalfOpen if self.probe => FAILURES,
            State::Open { .. } | State::HalfOpen => return Change::None,
        };
        if inner.up != Some(false) {
            inner.up = Some(false);
            inner.since = now;
        }
        if failures < FAILURES || Defence::Breaker.is_off() {
            inner.state = State::Closed { failures };
            return Change::None;
        }
        inner.state = next_open;
        Change::Opened
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        if self.judged || !self.probe {
            return;
        }
        let mut inner = self.breaker.lock();
        if inner.state == State::HalfOpen {
            let until = inner.since;
            inner.state = State::Open { until };
        }
    }
}

#[cfg(test)]
mod tests;
