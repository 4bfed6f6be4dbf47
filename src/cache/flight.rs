//! Flights: one load per key in this process, for which the others wait. This file knows who
//! leads and how a flight ends; what a `waiter` hears is in its file, what is listed meanwhile and
//! remembered afterwards is on the `board`, what is done in flight is `fill`'s.

mod aloft;
mod board;
mod waiter;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

pub(super) use aloft::LoadGuard;
use aloft::LoadTracker;
use board::{ActiveFlight, FlightSignals, FlightTable, NegativeEntry, NegativeReason};
use waiter::FlightState;
pub(super) use waiter::{FlightEvent, FlightResult, FlightWaiter};

use super::chance;
use super::clock::Clock;
use super::entry::Entry;
use super::key::{Key, KeyDigest};
use super::purge_request::PurgeKind;
use crate::defence::Defence;
use crate::error::RequestError;

/// The part of a caller in the load of a key.
pub(super) enum FlightRole {
    /// Load it; the others wait.
    Lead(Flight),
    /// Wait for the one who loads it.
    Follow(FlightWaiter),
    /// Take this error: loading failed a moment ago.
    Failed(RequestError),
    /// Load it without waiting for others: it is known not to be stored.
    TooLarge,
}

/// The time for which a failed load is not tried again: at first, …
const BACKOFF: Duration = Duration::from_secs(1);
/// … and at most, doubling with each failure in a row …
const MAX_BACKOFF: Duration = Duration::from_secs(30);
/// … and up to a quarter longer, so that failing keys are not all tried again in one moment.
const JITTER: u32 = 4;
/// The time for which a key is taken for too large to store.
pub(super) const TOO_LARGE_FOR: Duration = Duration::from_mins(1);

/// All flights of this process.
pub(super) struct SingleFlight {
    board: Mutex<FlightTable>,
    aloft: LoadTracker,
    clock: Clock,
}

/// One flight, in the hands of who leads it. However it is dropped, the flight ends: without an
/// end being told, as [`FlightResult::Dangling`].
pub(super) struct Flight {
    flights: Arc<SingleFlight>,
    key: Key,
    number: u64,
    /// The number of failed loads of this key in a row, before this one.
    failures: u32,
    news: watch::Sender<FlightState>,
    signals: Arc<FlightSignals>,
}

/// The time for which a load that failed is not to be tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FailureBackoff {
    /// The time from now on.
    pub(super) wait: Duration,
    /// The number of failures in a row.
    pub(super) failures: u32,
}

impl SingleFlight {
    pub(super) fn new(clock: Clock) -> Arc<SingleFlight> {
        Arc::new(SingleFlight {
            board: Mutex::default(),
            aloft: LoadTracker::default(),
            clock,
        })
    }

    /// Returns what the caller is to do about `key`. Of all who ask while there is no flight, one
    /// leads.
    pub(super) fn join(self: &Arc<Self>, key: &Key) -> FlightRole {
        let (now, digest) = (self.clock.now(), key.digest());
        let mut board = self.lock();
        if let Some(listed) = board.flying.get(digest) {
            return FlightRole::Follow(listed.waiter.clone());
        }
        match board.remembered.get(digest) {
            Some(known) if now < known.until => match &known.memo {
                NegativeReason::Failed(cause, _) => {
                    return FlightRole::Failed(RequestError::Again {
                        cause: Arc::clone(cause),
                        wait: known.until - now,
                    });
                }
                NegativeReason::TooLarge => return FlightRole::TooLarge,
            },
            _ => {}
        }
        FlightRole::Lead(self.begin_flight(&mut board, key))
    }

    /// Leads a flight, whatever is remembered of the one before; or the one under way.
    pub(super) fn board_anyway(self: &Arc<Self>, key: &Key) -> FlightRole {
        let mut board = self.lock();
        match board.flying.get(key.digest()) {
            Some(listed) => FlightRole::Follow(listed.waiter.clone()),
            None => FlightRole::Lead(self.begin_flight(&mut board, key)),
        }
    }

    fn begin_flight(self: &Arc<Self>, board: &mut FlightTable, key: &Key) -> Flight {
        let failures = match board.remembered.remove(key.digest()) {
            Some(NegativeEntry {
                memo: NegativeReason::Failed(_, failures),
                ..
            }) => failures,
            _ => 0,
        };
        let news = watch::Sender::default();
        let waiter = FlightWaiter::subscribe_to(&news);
        let number = board.next;
        board.next += 1;
        let signals = Arc::<FlightSignals>::default();
        let listed = ActiveFlight {
            number,
            key: key.clone(),
            waiter,
            signals: Arc::clone(&signals),
        };
        board.flying.insert(*key.digest(), listed);
        Flight {
            flights: Arc::clone(self),
            key: key.clone(),
            number,
            failures,
            news,
            signals,
        }
    }

    /// Takes the flights of a query that a hard purge concerns off the board, so that who comes
    /// from now on neither joins nor waits for them, and forgets how such flights ended. `number`
    /// is the purge's; a load that was given a higher one is not concerned.
    pub(super) fn detach_query(&self, family: &str, number: u64) {
        self.lock()
            .detach_purged(|key| key.family() == family, number);
    }

    /// [`SingleFlight::detach_query`] for one entry.
    pub(super) fn doom_entry(&self, digest: &KeyDigest, number: u64) {
        self.lock()
            .detach_purged(|key| key.digest() == digest, number);
    }

    /// A soft purge concerns what is being loaded for this entry, up to the purge's number.
    pub(super) fn expire_entry(&self, digest: &KeyDigest, number: u64) {
        self.lock().expire_entry(digest, number);
    }

    /// Tells the flight of this entry, if there is one, to look again.
    pub(super) fn wake_entry(&self, digest: &KeyDigest) {
        if let Some(listed) = self.lock().flying.get(digest) {
            listed.signals.nudge.notify_one();
        }
    }

    /// Counts the work of one flight as under way, until what this gives is dropped.
    pub(super) fn under_way(&self) -> LoadGuard {
        self.aloft.one_more()
    }

    /// Waits until no flight's work is under way. Cancel-safe.
    pub(super) async fn wait_until_ended(&self) {
        self.aloft.wait_until_none().await;
    }

    /// Forgets which loads failed.
    pub(super) fn clear_failures(&self) {
        self.lock().clear_failures();
    }

    /// Returns how long a load that has failed so many times in a row is not tried again. A
    /// database that is away is asked every second, so that it is noticed soon when it is back; the
    /// same statement would only fail in the same way.
    fn failure_backoff(error: &RequestError, failures: u32) -> Duration {
        if Defence::Backoff.is_off() {
            return Duration::ZERO;
        }
        if !is_of_the_query(error) {
            return BACKOFF;
        }
        let doubled = 2_u32.saturating_pow(failures - 1);
        let wait = BACKOFF.saturating_mul(doubled).min(MAX_BACKOFF);
        wait + chance::up_to(wait / JITTER)
    }

    fn lock(&self) -> MutexGuard<'_, FlightTable> {
        switch_task();
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(test)]
    pub(super) fn failure_count(&self) -> usize {
        self.lock().flying.len()
    }
}

/// Returns whether the statement itself failed, so that it would do so on every instance.
fn is_of_the_query(error: &RequestError) -> bool {
    matches!(
        error,
        RequestError::Failed { .. }
            | RequestError::RefusedValue(_)
            | RequestError::Refused { .. }
            | RequestError::BadQuery { .. }
            | RequestError::TooLarge { .. }
            | RequestError::Timeout { .. }
    )
}

impl Flight {
    /// Returns whom the leader waits with.
    pub(super) fn leader_waiter(&self) -> FlightWaiter {
        FlightWaiter::subscribe_to(&self.news)
    }

    /// Shows a copy to all who wait and to who boards from now on: those who can do with it need
    /// not wait for the end.
    pub(super) fn offer_stale(&self, copy: &Arc<Entry>) {
        let offer = Arc::clone(copy);
        self.news.send_modify(|news| news.offer = Some(offer));
        // Without a memory tier, a purge finds it here alone: before this, or from now on.
        if self.is_expired(copy.rank.order) {
            copy.note_purge(PurgeKind::Soft);
        }
    }

    /// Tells the end to all who wait. The flight stays on the board until it is dropped, and who
    /// boards it until then gets this end too; failures are remembered. Gives how long this one
    /// is.
    pub(super) fn finish(&self, end: FlightResult) -> Option<FailureBackoff> {
        match end {
            FlightResult::Failed(error) => {
                let failures = self.failures.saturating_add(1);
                let wait = SingleFlight::failure_backoff(&error, failures);
                let backoff = FailureBackoff { wait, failures };
                self.finish_failed(error, backoff);
                Some(backoff)
            }
            FlightResult::TooLarge(_) => {
                self.remove_and_remember(TOO_LARGE_FOR, NegativeReason::TooLarge);
                switch_task();
                self.send_end(end);
                None
            }
            FlightResult::Done(..) | FlightResult::Dangling => {
                self.send_end(end);
                None
            }
        }
    }

    fn send_end(&self, end: FlightResult) {
        self.news.send_modify(|news| news.end = Some(end));
    }

    /// Lands with an error that is to be remembered for so long.
    pub(super) fn finish_failed(&self, error: RequestError, backoff: FailureBackoff) {
        self.remove_and_remember(
            backoff.wait,
            NegativeReason::Failed(Arc::new(error.clone()), backoff.failures),
        );
        switch_task();
        self.send_end(FlightResult::Failed(error));
    }

    /// The load has failed so many times in a row elsewhere, which counts as here.
    pub(super) fn raise_failures(&mut self, times: u32) {
        self.failures = self.failures.max(times);
    }

    /// Removes the flight and remembers its failure in one step, so that no load begins in between.
    fn remove_and_remember(&self, wait: Duration, memo: NegativeReason) {
        let now = self.flights.clock.now();
        let mut board = self.flights.lock();
        // A failure that a purge has made forgotten stays forgotten.
        if self.signals.doomed.load(Ordering::SeqCst) == 0 {
            board.remember_failure(&self.key, now + wait, memo, now);
        }
        board.take_off(&self.key, self.number);
    }

    /// Returns whether a hard purge has taken it off the board that concerns a load with this order
    /// number (0: without one).
    pub(super) fn is_doomed(&self, order: u64) -> bool {
        is_concerned(&self.signals.doomed, order)
    }

    /// Returns whether a soft purge of its entry concerns a load with this order number (0: without
    /// one).
    pub(super) fn is_expired(&self, order: u64) -> bool {
        is_concerned(&self.signals.expired, order)
    }

    /// Waits until somebody calls [`SingleFlight::wake_entry`]; also when that was since the last time.
    /// Cancel-safe.
    pub(super) async fn wait_for_wake(&self) {
        self.signals.nudge.notified().await;
    }
}

/// Returns whether the purge of this number (0: there was none) concerns a load.
fn is_concerned(purge: &AtomicU64, order: u64) -> bool {
    let purge = purge.load(Ordering::SeqCst);
    purge > 0 && (order == 0 || order <= purge)
}

impl Drop for Flight {
    fn drop(&mut self) {
        // First off the board, so that who is woken finds it free.
        self.flights.lock().take_off(&self.key, self.number);
        switch_task();
        self.news.send_if_modified(|news| {
            let dangling = news.end.is_none();
            if dangling {
                news.end = Some(FlightResult::Dangling);
            }
            dangling
        });
    }
}

/// Lets another thread come in between, in the tests that try this.
#[cfg(not(test))]
fn switch_task() {}
#[cfg(test)]
use interleaved::switch_task;

#[cfg(test)]
mod interleaved;
#[cfg(test)]
mod tests;
