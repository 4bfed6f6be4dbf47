//! The board: which flights there are, and what is remembered of those that ended. Who may lead
//! and how an end is told is the flight's.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use tokio::sync::Notify;

use super::super::key::{Key, KeyDigest};
use super::waiter::FlightWaiter;
use crate::error::RequestError;

/// Ends remembered at once. Beyond it an end is forgotten at once, which costs a load and nothing
/// else.
pub(super) const REMEMBERED: usize = 10_000;

#[derive(Default)]
pub(super) struct FlightTable {
    pub(super) flying: HashMap<KeyDigest, ActiveFlight>,
    /// Flights that a hard purge took off the board and that go on, by their number: a later
    /// purge concerns them too.
    pub(super) parted: HashMap<u64, ActiveFlight>,
    pub(super) remembered: HashMap<KeyDigest, NegativeEntry>,
    pub(super) next: u64,
}

/// A flight as it stands on the board.
pub(super) struct ActiveFlight {
    pub(super) number: u64,
    pub(super) key: Key,
    pub(super) waiter: FlightWaiter,
    pub(super) signals: Arc<FlightSignals>,
}

/// The signals that a flight receives from outside.
#[derive(Default)]
pub(super) struct FlightSignals {
    /// The number of the latest hard purge that took it off the board; 0: none.
    pub(super) doomed: AtomicU64,
    /// The number of the latest soft purge of its entry; 0: none.
    pub(super) expired: AtomicU64,
    /// Another instance has something to say about its key.
    pub(super) nudge: Notify,
}

pub(super) struct NegativeEntry {
    pub(super) key: Key,
    pub(super) until: Instant,
    pub(super) memo: NegativeReason,
}

pub(super) enum NegativeReason {
    /// The error, and the number of failures in a row. It is kept when its time is over, so that
    /// the next failure waits longer.
    Failed(Arc<RequestError>, u32),
    TooLarge,
}

impl FlightTable {
    /// Takes the flight off the board, unless the key is another one's by now.
    pub(super) fn take_off(&mut self, key: &Key, number: u64) {
        if self
            .flying
            .get(key.digest())
            .is_some_and(|listed| listed.number == number)
        {
            self.flying.remove(key.digest());
        }
        self.parted.remove(&number);
    }

    pub(super) fn remember_failure(
        &mut self,
        key: &Key,
        until: Instant,
        memo: NegativeReason,
        now: Instant,
    ) {
        if self.remembered.len() >= REMEMBERED {
            self.remembered.retain(|_, known| now < known.until);
        }
        let digest = key.digest();
        if self.remembered.len() < REMEMBERED || self.remembered.contains_key(digest) {
            let key = key.clone();
            let known = NegativeEntry { key, until, memo };
            self.remembered.insert(*digest, known);
        }
    }

    /// Takes off what a hard purge concerns, and forgets how such flights ended.
    pub(super) fn detach_purged(&mut self, concerned: impl Fn(&Key) -> bool, number: u64) {
        let parting = self.flying.extract_if(|_, listed| concerned(&listed.key));
        let parting = parting.map(|(_, listed)| (listed.number, listed));
        self.parted.extend(parting);
        for listed in self.parted.values().filter(|listed| concerned(&listed.key)) {
            listed.signals.doomed.fetch_max(number, Ordering::SeqCst);
            listed.signals.nudge.notify_one();
        }
        self.remembered.retain(|_, known| !concerned(&known.key));
    }

    /// Tells the flights of an entry of a soft purge.
    pub(super) fn expire_entry(&self, digest: &KeyDigest, number: u64) {
        let flights = self
            .flying
            .get(digest)
            .into_iter()
            .chain(self.parted.values());
        for listed in flights.filter(|listed| listed.key.digest() == digest) {
            listed.signals.expired.fetch_max(number, Ordering::SeqCst);
            listed.waiter.expire_offer(number);
        }
    }

    /// Forgets which loads failed.
    pub(super) fn clear_failures(&mut self) {
        self.remembered
            .retain(|_, known| matches!(known.memo, NegativeReason::TooLarge));
    }
}
