//! What the fake server holds: values under keys, when they expire, and a log of every change.
//! Its time is tokio's, which tests stop, and a skew.

use std::collections::BTreeMap;

use bytes::Bytes;
use tokio::time::Instant;

/// The server's clock when it starts: any time long after 1970.
const START_US: i64 = 1_800_000_000_000_000;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cache) enum Held {
    Text(Bytes),
    List(Vec<Bytes>),
}

struct Slot {
    held: Held,
    /// By the server's clock, in milliseconds.
    expires: Option<i64>,
}

/// One change, as it was made.
#[derive(Clone, Debug)]
pub(in crate::cache) struct Change {
    pub(in crate::cache) at: Instant,
    /// Whose connection asked for it.
    pub(in crate::cache) by: usize,
    pub(in crate::cache) key: String,
    pub(in crate::cache) what: What,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cache) enum What {
    Set {
        value: Bytes,
        /// In milliseconds.
        life: Option<i64>,
        /// What stood there.
        replaced: Option<Bytes>,
    },
    Removed,
    Expires(i64),
}

pub(super) struct Keyspace {
    slots: BTreeMap<String, Slot>,
    started: Instant,
    /// Added to the clock: a server that took over may be ahead or behind.
    pub(super) skew_us: i64,
    pub(super) log: Vec<Change>,
}

impl Keyspace {
    pub(super) fn new() -> Keyspace {
        Keyspace {
            slots: BTreeMap::new(),
            started: Instant::now(),
            skew_us: 0,
            log: Vec::new(),
        }
    }

    /// The server's clock, in microseconds.
    pub(super) fn now_us(&self) -> i64 {
        let elapsed = i64::try_from(self.started.elapsed().as_micros()).expect("a test is short");
        START_US + self.skew_us + elapsed
    }

    fn now_ms(&self) -> i64 {
        self.now_us() / 1000
    }

    pub(super) fn get(&mut self, key: &str) -> Option<&Held> {
        let now = self.now_ms();
        if self
            .slots
            .get(key)
            .is_some_and(|slot| slot.expires.is_some_and(|expires| now > expires))
        {
            self.slots.remove(key);
        }
        self.slots.get(key).map(|slot| &slot.held)
    }

    /// Keeps `held` for `life` milliseconds, or for ever.
    pub(super) fn set(&mut self, key: &str, held: Held, life: Option<i64>, by: usize) {
        if let Held::Text(text) = &held {
            let replaced = match self.get(key) {
                Some(Held::Text(text)) => Some(text.clone()),
                _ => None,
            };
            let value = text.clone();
            let what = What::Set {
                value,
                life,
                replaced,
            };
            self.note(by, key, what);
        }
        let expires = life.map(|life| self.now_ms() + life);
        self.slots.insert(key.to_owned(), Slot { held, expires });
    }

    /// Whether there was anything.
    pub(super) fn remove(&mut self, key: &str, by: usize) -> bool {
        let was = self.get(key).is_some();
        if was {
            self.note(by, key, What::Removed);
            self.slots.remove(key);
        }
        was
    }

    /// Milliseconds left, as the server says it: -1 for ever, -2 nothing there.
    pub(super) fn left(&mut self, key: &str) -> i64 {
        let now = self.now_ms();
        match (self.get(key).is_some(), self.slots.get(key)) {
            (true, Some(slot)) => slot.expires.map_or(-1, |expires| (expires - now).max(0)),
            _ => -2,
        }
    }

    /// Whether there was anything.
    pub(super) fn expire(&mut self, key: &str, life: i64, by: usize) -> bool {
        if self.get(key).is_none() {
            return false;
        }
        if life <= 0 {
            return self.remove(key, by);
        }
        self.note(by, key, What::Expires(life));
        let expires = Some(self.now_ms() + life);
        if let Some(slot) = self.slots.get_mut(key) {
            slot.expires = expires;
        }
        true
    }

    pub(super) fn flush(&mut self, by: usize) {
        for key in self.keys() {
            self.remove(&key, by);
        }
    }

    pub(super) fn keys(&self) -> Vec<String> {
        self.slots.keys().cloned().collect()
    }

    fn note(&mut self, by: usize, key: &str, what: What) {
        self.log.push(Change {
            at: Instant::now(),
            by,
            key: key.to_owned(),
            what,
        });
    }
}
