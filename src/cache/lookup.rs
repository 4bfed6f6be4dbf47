//! A question to the cache, and what a load brings. The answer is in `reply`.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::key::Key;
use crate::stats::QueryStats;

/// How long an entry lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// How long it is fresh, counted from the arrival of the result.
    pub ttl: Duration,
    /// How long past `ttl` it is served at once while a refresh runs.
    pub stale_while_revalidate: Duration,
    /// How long past `ttl` it is served because loading fails.
    pub stale_if_error: Duration,
}

impl Policy {
    /// How long Redis keeps an entry that was asked for once: visitors' own values, each of which
    /// nobody else will ask for, must not fill it.
    pub(super) fn physical_once(&self) -> Duration {
        self.ttl.saturating_add(self.stale_while_revalidate)
    }

    /// How long the tiers keep an entry; Redis from its second reader on.
    pub(super) fn physical(&self) -> Duration {
        let window = self.stale_while_revalidate.max(self.stale_if_error);
        self.ttl.saturating_add(window)
    }
}

/// What is asked of the cache.
#[derive(Debug, Clone, Copy)]
pub struct Lookup<'a> {
    /// What the entry is found by.
    pub key: &'a Key,
    /// How long it lives.
    pub policy: Policy,
    /// How long the caller waits for a load, its own or another's: the load's own deadline plus a
    /// margin, so that the crowd is not let loose just as the answer arrives.
    pub patience: Duration,
    /// Where the request and its load are counted.
    pub stats: &'a Arc<QueryStats>,
}

/// What a load brings.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The body, as it will be served.
    pub body: Bytes,
    /// Opaque to the cache, kept with the body (the app keeps the column names here).
    pub head: Bytes,
    /// How many rows the body holds.
    pub rows: u64,
    /// Whether it comes from another database than the one that the key names: whoever asked is
    /// answered, and nothing is stored.
    pub is_foreign: bool,
}
