//! The state of the database: the result of the latest contact, the one log line on each change of
//! it, and the refusal of loads while it is known to be away. A database that is away is asked by
//! `prober`; the meaning of a driver's error is the driver's side's.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use tokio::sync::watch;

use super::contact::{AwayCause, ContactResult};
use super::prober::{self, ProbedDatabase};
use crate::defence::Defence;
use crate::error::RequestError;

/// The time between two log lines that say that the database is full.
const FULL_EVERY: Duration = Duration::from_mins(1);
/// The time for which it is remembered that the database had no connection to give. Loads on
/// connections that are open are answered in between, and say nothing about the others.
const FULL_STAYS: Duration = Duration::from_secs(10);

/// The state of the database, from the latest contact; nothing is asked.
#[derive(Debug, Clone, Default)]
pub struct Health {
    /// `None` before the first contact.
    pub up: Option<bool>,
    /// The time for which it has been so.
    pub since: Duration,
    /// Loads are refused, and a prober asks in their place.
    pub refuses: bool,
    /// The reason why it is down, or took no more connections some seconds ago; for logs and pages
    /// under `debug`. `None` while all is well.
    pub last_error: Option<Arc<str>>,
    /// The same in one word of ours, for everybody: `connect` (nobody is there, or the connection
    /// broke), `timeout`, `auth`, `full`, `locked`, `starting`, `tls`, `open` (a file that cannot
    /// be opened, or is no database) or `other`.
    pub class: Option<&'static str>,
}

/// Asks the database how it is, by itself and within its own limit.
pub(super) type HealthQuestion = Box<dyn Fn() -> BoxFuture<'static, ContactResult> + Send + Sync>;

/// Remembers how the database is.
pub(super) struct HealthCell(Arc<HealthShared>);

/// The part that the prober sees.
struct HealthShared {
    name: String,
    now: Mutex<HealthState>,
    recoveries: watch::Sender<u64>,
    ask: HealthQuestion,
}

#[derive(Default)]
struct HealthState {
    up: Option<bool>,
    since: Option<Instant>,
    cause: Option<AwayCause>,
    /// A prober is at work.
    probed: bool,
    said_full: Option<Instant>,
    /// The moment when it last had no connection to give.
    full: Option<Instant>,
}

impl HealthCell {
    /// `name` is for the log.
    pub(super) fn new(name: impl Into<String>, ask: HealthQuestion) -> HealthCell {
        HealthCell(Arc::new(HealthShared {
            name: name.into(),
            now: Mutex::default(),
            recoveries: watch::Sender::new(0),
            ask,
        }))
    }

    pub(super) fn get(&self) -> Health {
        let now = self.0.lock();
        let cause = now.cause();
        Health {
            up: now.up,
            since: now.since.map(|since| since.elapsed()).unwrap_or_default(),
            refuses: now.is_refusing(),
            last_error: cause.map(|cause| Arc::clone(&cause.words)),
            class: cause.map(|cause| cause.class),
        }
    }

    /// Returns why a load need not be tried: the database is away, and a prober is at work who will
    /// tell when it is back. With the cause that was found.
    pub(super) fn load_refusal(&self) -> Option<RequestError> {
        let now = self.0.lock();
        let cause = now.cause.as_ref().filter(|_| now.is_refusing())?;
        let detail = Arc::clone(&cause.words);
        Some(RequestError::Unavailable { detail })
    }

    /// Asks once; what that tells is not remembered.
    pub(super) fn ask_once(&self) -> BoxFuture<'static, ContactResult> {
        self.0.ask_once()
    }

    /// Returns a number that grows each time the database is back.
    pub(super) fn watch_recoveries(&self) -> watch::Receiver<u64> {
        self.0.recoveries.subscribe()
    }

    /// Remembers what a contact told, and has the database asked where that is called for. Must
    /// be called on the engine runtime.
    pub(super) fn report_contact(&self, contact: ContactResult) {
        let called_for = matches!(contact, ContactResult::Away(_) | ContactResult::Doubtful(_));
        let (change, start) = {
            let mut now = self.0.lock();
            let change = match contact {
                // The prober finds out.
                ContactResult::Doubtful(_) => None,
                contact => now.take_in(contact),
            };
            let start = called_for && !now.probed && !Defence::Prober.is_off();
            now.probed |= start;
            (change, start)
        };
        self.0.announce_change(change);
        if start {
            prober::start(&self.0);
        }
    }
}

impl ProbedDatabase for HealthShared {
    fn ask_once(&self) -> BoxFuture<'static, ContactResult> {
        (self.ask)()
    }

    fn conclude_probe(&self, contact: ContactResult) -> bool {
        let (done, change) = {
            let mut now = self.lock();
            let change = now.take_in(match contact {
                ContactResult::Doubtful(cause) => ContactResult::Away(cause),
                contact => contact,
            });
            // In one step with what is remembered, so that whoever finds it away from here on
            // starts the next.
            now.probed = now.up == Some(false);
            (!now.probed, change)
        };
        self.announce_change(change);
        done
    }

    fn note_unprobed(&self) {
        self.lock().probed = false;
    }
}

impl HealthShared {
    fn announce_change(&self, change: Option<HealthChange>) {
        let name = &self.name;
        match change {
            None => {}
            Some(HealthChange::Up) => tracing::info!(database = name, "the database answers"),
            Some(HealthChange::Back) => {
                tracing::info!(database = name, "the database is back");
                self.recoveries.send_modify(|number| *number += 1);
            }
            Some(HealthChange::Down(cause)) => {
                tracing::warn!(database = name, cause = %cause, "the database is unavailable");
            }
            Some(HealthChange::Full(cause)) => {
                let class = cause.class;
                tracing::warn!(database = name, cause = %cause, "the database is {class}");
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HealthState> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A change that is worth a log line.
#[derive(Debug, PartialEq)]
enum HealthChange {
    Up,
    Back,
    Down(AwayCause),
    Full(AwayCause),
}

impl HealthState {
    fn is_refusing(&self) -> bool {
        self.up == Some(false) && self.probed
    }

    /// Returns what is wrong with it.
    fn cause(&self) -> Option<&AwayCause> {
        let is_past = self.up == Some(true) && self.full.is_none_or(|at| at.elapsed() > FULL_STAYS);
        self.cause.as_ref().filter(|_| !is_past)
    }

    /// Takes in a contact. A cause that changes while the database stays as it is, is remembered
    /// and no news.
    fn take_in(&mut self, contact: ContactResult) -> Option<HealthChange> {
        let before = self.up;
        let (up, cause) = match &contact {
            // This contact does not tell whether there are connections to be had again.
            ContactResult::Answered => {
                (true, self.cause().filter(|_| before == Some(true)).cloned())
            }
            ContactResult::Full(cause) => {
                self.full = Some(Instant::now());
                (true, Some(cause.clone()))
            }
            ContactResult::Away(cause) => (false, Some(cause.clone())),
            ContactResult::Doubtful(_) | ContactResult::Nothing => return None,
        };
        if before != Some(up) {
            self.since = Some(Instant::now());
        }
        self.up = Some(up);
        self.cause = cause;
        match (before, contact) {
            (Some(false), ContactResult::Answered | ContactResult::Full(_)) => {
                Some(HealthChange::Back)
            }
            (None, ContactResult::Answered) => Some(HealthChange::Up),
            (None | Some(true), ContactResult::Away(cause)) => Some(HealthChange::Down(cause)),
            (_, ContactResult::Full(cause)) if self.full_is_news() => {
                Some(HealthChange::Full(cause))
            }
            _ => None,
        }
    }

    /// Returns whether a full database is worth a line. It serves the connections that are open, so
    /// full and not full alternate with every load; it is said once in a while.
    fn full_is_news(&mut self) -> bool {
        let now = Instant::now();
        let news = self.said_full.is_none_or(|said| now - said > FULL_EVERY);
        if news {
            self.said_full = Some(now);
        }
        news
    }
}

#[cfg(test)]
mod tests;
