//! An answer of the cache, and where its time went.

use std::sync::Arc;
use std::time::Duration;

use super::entry::Entry;
use super::lookup::Policy;
use crate::outcome::Outcome;

/// Where a request's time went; zero where it did not go.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Timings {
    /// Looking in memory.
    pub memory: Duration,
    /// Asking Redis.
    pub redis: Duration,
    /// Waiting for another request's load.
    pub wait: Duration,
    /// This request's own load.
    pub load: Duration,
}

/// An answer.
#[derive(Debug, Clone)]
pub struct Reply {
    /// The value.
    pub entry: Arc<Entry>,
    /// How it was come by.
    pub outcome: Outcome,
    /// Since the result arrived from the database.
    pub age: Duration,
    /// The TTL of this entry: the policy's, shortened by its jitter.
    pub ttl: Duration,
    /// What is left of it; zero when stale.
    pub ttl_left: Duration,
    /// The policy it was looked up with.
    pub policy: Policy,
    /// Whether the value is kept in a tier (for `Cache-Status`): not when it bypasses the cache,
    /// is too large, or there is no tier to keep it.
    pub stored: bool,
    /// Where this request's time went.
    pub timings: Timings,
}
