//! A question to the cache, and what a load brings. The answer is in `reply`.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::key::Key;
use crate::stats::QueryStats;

/// The time for which an entry lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// The time for which it is fresh, counted from the arrival of the result.
    pub ttl: Duration,
    /// The time past `ttl` for which it is served at once while a refresh runs.
    pub stale_while_revalidate: Duration,
    /// The time past `ttl` for which it is served because loading fails.
    pub stale_if_error: Duration,
}

impl Policy {
    /// Returns how long Redis keeps an entry that was asked for once: visitors' own values, each of
    /// which nobody else will ask for, must not fill it.
    pub(super) fn physical_once(&self) -> Duration {
        self.ttl.saturating_add(self.stale_while_revalidate)
    }

    /// Returns how long the tiers keep an entry; Redis from its second reader on.
    pub(super) fn retention(&self) -> Duration {
        let window = self.stale_while_revalidate.max(self.stale_if_error);
        self.ttl.saturating_add(window)
    }
}

/// A question to the cache.
#[derive(Debug, Clone, Copy)]
pub struct Lookup<'a> {
    /// The key of the entry.
    pub key: &'a Key,
    /// The time for which it lives.
    pub policy: Policy,
    /// The time for which the caller waits for a load, its own or another's: the load's own
    /// deadline plus a margin, so that the crowd is not let loose just as the answer arrives.
    pub patience: Duration,
    /// The place where the request and its load are counted.
    pub stats: &'a Arc<QueryStats>,
}

/// The result of a load.
#[derive(Debug, Clone)]
pub struct LoadedValue {
    /// The body, as it will be served.
    pub body: Bytes,
    /// Opaque to the cache, kept with the body (the app keeps the column names here).
    pub head: Bytes,
    /// The number of rows that the body holds.
    pub rows: u64,
    /// True where it comes from another database than the one that the key names: whoever asked is
    /// answered, and nothing is stored.
    pub is_foreign: bool,
}
