//! Flights: one load per key in this process, for which the others wait. This file knows who
//! leads, who waits, how a flight ended, and what is remembered of an end; what is done in flight
//! is `fill`'s.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::{Clock, Entry, Key};
use crate::error::RequestError;
use crate::outcome::Tier;

/// How a flight ended; every waiter gets the same.
#[derive(Debug, Clone)]
pub(super) enum End {
    /// There is a fresh entry: loaded, or found in a tier after all.
    Done(Arc<Entry>, Option<Tier>),
    /// Loading failed.
    Failed(RequestError),
    /// Loaded, and too large to store.
    TooLarge(Arc<Entry>),
    /// The task panicked or was dropped: nobody knows.
    Dangling,
}

/// What a caller is to do about a key.
pub(super) enum Role {
    /// Load it; the others wait.
    Lead(Flight),
    /// Wait for the one who loads it.
    Follow(Waiter),
    /// Take this error: loading failed a moment ago.
    Failed(RequestError),
    /// Load it without waiting for others: it is known not to be stored.
    TooLarge,
}

/// How long a failed load is not tried again: at first, …
const BACKOFF: Duration = Duration::from_secs(1);
/// … and at most, doubling with each failure in a row …
const MAX_BACKOFF: Duration = Duration::from_secs(30);
/// … and up to a quarter longer, so that failing keys are not all tried again in one moment.
const JITTER: u32 = 4;
/// How long a key is taken for too large to store.
const TOO_LARGE_FOR: Duration = Duration::from_mins(1);
/// Ends remembered at once. Beyond it an end is forgotten at once, which costs a load and nothing
/// else.
const REMEMBERED: usize = 10_000;

/// All flights of this process.
pub(super) struct Flights {
    board: Mutex<Board>,
    clock: Clock,
    random: RandomState,
}

#[derive(Default)]
struct Board {
    flying: HashMap<Key, Listed>,
    remembered: HashMap<Key, (Instant, Memo)>,
    next: u64,
}

/// A flight as it stands on the board.
struct Listed {
    number: u64,
    waiter: Waiter,
}

enum Memo {
    /// With how often in a row. Kept when its time is over, so that the next failure waits longer.
    Failed(RequestError, u32),
    TooLarge,
}

/// One flight, in the hands of who leads it. However it is dropped, the flight ends: without an
/// end being told, as [`End::Dangling`].
pub(super) struct Flight {
    flights: Arc<Flights>,
    key: Key,
    number: u64,
    /// How often in a row this key's load has failed before.
    failures: u32,
    end: watch::Sender<Option<End>>,
}

/// Waits for a flight's end. Woken, not polled; dropping it changes nothing for the others.
#[derive(Clone)]
pub(super) struct Waiter(watch::Receiver<Option<End>>);

impl Flights {
    pub(super) fn new(clock: Clock) -> Arc<Flights> {
        Arc::new(Flights {
            board: Mutex::default(),
            clock,
            random: RandomState::new(),
        })
    }

    /// What the caller is to do about `key`. Of all who ask while there is no flight, one leads.
    pub(super) fn board(self: &Arc<Self>, key: &Key) -> Role {
        let now = self.clock.now();
        let mut board = self.lock();
        if let Some(listed) = board.flying.get(key) {
            return Role::Follow(listed.waiter.clone());
        }
        match board.remembered.get(key) {
            Some((until, memo)) if now < *until => match memo {
                Memo::Failed(error, _) => return Role::Failed(error.clone()),
                Memo::TooLarge => return Role::TooLarge,
            },
            _ => {}
        }
        let failures = match board.remembered.remove(key) {
            Some((_, Memo::Failed(_, failures))) => failures,
            _ => 0,
        };
        let (end, waiter) = watch::channel(None);
        let number = board.next;
        board.next += 1;
        let waiter = Waiter(waiter);
        board.flying.insert(key.clone(), Listed { number, waiter });
        Role::Lead(Flight {
            flights: Arc::clone(self),
            key: key.clone(),
            number,
            failures,
            end,
        })
    }

    /// How long a load that has failed so many times in a row is not tried again. A database that
    /// is away is asked every second, so that it is noticed soon when it is back; the same
    /// statement would only fail in the same way.
    fn backoff(&self, error: &RequestError, failures: u32, now: Instant) -> Duration {
        if !matches!(
            error,
            RequestError::Failed { .. }
                | RequestError::Refused { .. }
                | RequestError::BadQuery { .. }
                | RequestError::TooLarge { .. }
                | RequestError::Timeout { .. }
        ) {
            return BACKOFF;
        }
        let doubled = 2_u32.saturating_pow(failures - 1);
        let wait = BACKOFF.saturating_mul(doubled).min(MAX_BACKOFF);
        let part = self.random.hash_one((now, failures)) % 1000;
        let part = u32::try_from(part).expect("below a thousand");
        wait + wait / JITTER / 1000 * part
    }

    fn lock(&self) -> MutexGuard<'_, Board> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        self.lock().flying.len()
    }
}

impl Board {
    /// Takes the flight off the board, unless the key is another one's by now.
    fn take_off(&mut self, key: &Key, number: u64) {
        if self
            .flying
            .get(key)
            .is_some_and(|listed| listed.number == number)
        {
            self.flying.remove(key);
        }
    }

    fn remember(&mut self, key: &Key, until: Instant, memo: Memo, now: Instant) {
        if self.remembered.len() >= REMEMBERED {
            self.remembered.retain(|_, (until, _)| now < *until);
        }
        if self.remembered.len() < REMEMBERED || self.remembered.contains_key(key) {
            self.remembered.insert(key.clone(), (until, memo));
        }
    }
}

impl Flight {
    /// Whom the leader waits with.
    pub(super) fn waiter(&self) -> Waiter {
        Waiter(self.end.subscribe())
    }

    /// Tells the end to all who wait. The flight stays on the board until it is dropped, and who
    /// boards it until then gets this end too; failures are remembered.
    pub(super) fn land(&self, end: End) {
        let now = self.flights.clock.now();
        let memo = match &end {
            End::Failed(error) => {
                let failures = self.failures.saturating_add(1);
                let wait = self.flights.backoff(error, failures, now);
                Some((now + wait, Memo::Failed(error.clone(), failures)))
            }
            End::TooLarge(_) => Some((now + TOO_LARGE_FOR, Memo::TooLarge)),
            End::Done(..) | End::Dangling => None,
        };
        if let Some((until, memo)) = memo {
            // In one step, so that nobody comes in between and loads.
            let mut board = self.flights.lock();
            board.remember(&self.key, until, memo, now);
            board.take_off(&self.key, self.number);
        }
        self.end.send_replace(Some(end));
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        // First off the board, so that who is woken finds it free.
        self.flights.lock().take_off(&self.key, self.number);
        self.end.send_if_modified(|end| {
            let dangling = end.is_none();
            if dangling {
                *end = Some(End::Dangling);
            }
            dangling
        });
    }
}

impl Waiter {
    /// The flight's end.
    pub(super) async fn end(mut self) -> End {
        match self.0.wait_for(Option::is_some).await {
            Ok(end) => end.clone().unwrap_or(End::Dangling),
            Err(_) => End::Dangling,
        }
    }
}

#[cfg(test)]
mod tests;
