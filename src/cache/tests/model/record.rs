//! What happened in a case: loads, requests, purges, and when there was what trouble. The rules
//! read it afterwards.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::super::super::purge_request::{PurgeKind, PurgeReach};
use super::super::fake::Change;
use super::steps::{Ending, INSTANCES, Purged};
use crate::outcome::Outcome;

/// A process: the instance, and how often that was started before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Process {
    pub(super) at: usize,
    pub(super) life: usize,
}

#[derive(Clone, Debug)]
pub(super) struct Load {
    pub(super) by: Process,
    pub(super) key: usize,
    pub(super) begin: Instant,
    /// `None` when it never ended, because its process did.
    pub(super) end: Option<(Instant, Ending)>,
}

#[derive(Clone, Debug)]
pub(super) struct Request {
    pub(super) by: Process,
    pub(super) key: usize,
    pub(super) begin: Instant,
    /// Its place among what happened, also within one moment.
    pub(super) place: u64,
    /// `None` when its client left or its process ended.
    pub(super) end: Option<(Instant, Answer)>,
    /// The client left, or the process ended.
    pub(super) gone: bool,
}

#[derive(Clone, Debug)]
pub(super) enum Answer {
    /// What the body says it is, and what the reply says about it.
    Served {
        load: usize,
        key: usize,
        outcome: Outcome,
        age: Duration,
        ttl: Duration,
    },
    Failed(&'static str),
}

#[derive(Clone, Debug)]
pub(super) struct Purge {
    pub(super) by: Process,
    pub(super) scope: Purged,
    pub(super) kind: PurgeKind,
    pub(super) begin: Instant,
    pub(super) end: Option<(Instant, PurgeReach)>,
    /// The end's place among what happened.
    pub(super) place: u64,
}

#[derive(Clone, Debug)]
pub(super) struct Refresh {
    pub(super) by: Process,
    pub(super) key: usize,
    pub(super) begin: Instant,
    pub(super) end: Option<Instant>,
}

/// What the test did that excuses something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    Crash(Process),
    Flush,
    /// Of this entry, or of its query where that is what was evicted.
    Evict {
        key: usize,
        part: super::steps::Part,
    },
    /// In milliseconds.
    Jump(i64),
    Forgive(usize),
}

/// The instance's way to Redis was not as it should be, or the instance stood still.
#[derive(Clone, Copy, Debug)]
pub(super) struct Trouble {
    pub(super) at: usize,
    pub(super) from: Instant,
    pub(super) until: Option<Instant>,
}

#[derive(Default)]
pub(super) struct Record {
    pub(super) loads: Vec<Load>,
    pub(super) requests: Vec<Request>,
    pub(super) purges: Vec<Purge>,
    pub(super) refreshes: Vec<Refresh>,
    pub(super) events: Vec<(Instant, Event)>,
    pub(super) troubles: Vec<Trouble>,
    pub(super) changes: Vec<Change>,
    places: u64,
}

/// A record that tasks write to. Cheap to clone.
#[derive(Clone, Default)]
pub(super) struct Pen(Arc<Mutex<Record>>);

impl Pen {
    pub(super) fn write(&self) -> MutexGuard<'_, Record> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn event(&self, event: Event) {
        self.write().events.push((Instant::now(), event));
    }

    /// From now on the instance has trouble, or has none.
    pub(super) fn trouble(&self, at: usize, is: bool) {
        let (now, mut record) = (Instant::now(), self.write());
        let open = record
            .troubles
            .iter_mut()
            .find(|trouble| trouble.at == at && trouble.until.is_none());
        match (open, is) {
            (None, true) => record.troubles.push(Trouble {
                at,
                from: now,
                until: None,
            }),
            (Some(trouble), false) => trouble.until = Some(now),
            _ => {}
        }
    }
}

/// How long trouble has consequences after it is over: the breaker stays open for up to 5.5 s, a
/// purge that Redis has not heard of is told again every second.
pub(super) const AFTERMATH: Duration = Duration::from_millis(7500);

impl Record {
    /// The next place among what happens.
    pub(super) fn next_place(&mut self) -> u64 {
        self.places += 1;
        self.places
    }

    /// Whether an instance had trouble, or what followed from it, between two moments.
    pub(super) fn troubled(&self, at: usize, from: Instant, to: Instant) -> bool {
        self.trouble_since(at, from, to).is_some()
    }

    /// When such trouble began.
    pub(super) fn trouble_since(&self, at: usize, from: Instant, to: Instant) -> Option<Instant> {
        let between = |trouble: &&Trouble| {
            let over = trouble.until.is_none_or(|until| until + AFTERMATH >= from);
            trouble.at == at && trouble.from <= to && over
        };
        let troubles = self.troubles.iter().filter(between);
        troubles.map(|trouble| trouble.from).min()
    }

    pub(super) fn any_troubled(&self, from: Instant, to: Instant) -> bool {
        (0..INSTANCES).any(|at| self.troubled(at, from, to))
    }

    /// Whether the test did something between two moments.
    pub(super) fn happened(
        &self,
        from: Instant,
        to: Instant,
        what: impl Fn(Event) -> bool,
    ) -> bool {
        self.events
            .iter()
            .any(|(when, event)| (from..=to).contains(when) && what(*event))
    }

    /// Purges that concern an entry.
    pub(super) fn purges_of(&self, key: usize) -> impl Iterator<Item = &Purge> {
        self.purges.iter().filter(move |purge| purge.concerns(key))
    }

    /// Loads of an entry in the order of their beginning, with their numbers.
    pub(super) fn loads_of(&self, key: usize) -> impl Iterator<Item = (usize, &Load)> {
        let loads = self.loads.iter().enumerate();
        loads.filter(move |(_, load)| load.key == key)
    }
}

impl Purge {
    pub(super) fn concerns(&self, key: usize) -> bool {
        match self.scope {
            Purged::Entry(purged) => purged == key,
            Purged::QueryOf(other) => query_of(other) == query_of(key),
        }
    }

    /// Whether it began, or went on, between two moments.
    pub(super) fn is_between(&self, from: Instant, to: Instant) -> bool {
        self.begin <= to && self.end.as_ref().is_none_or(|(end, _)| *end >= from)
    }
}

/// Which query an entry is of.
pub(super) fn query_of(key: usize) -> usize {
    key / 2
}

/// Whether the loads of an entry are known to be quick.
pub(super) fn is_quick(key: usize) -> bool {
    query_of(key) == 1
}
