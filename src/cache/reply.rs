//! An answer of the cache, and where its time went.

use std::sync::Arc;
use std::time::Duration;

use super::entry::Entry;
use super::lookup::Policy;
use crate::outcome::Outcome;

/// The place where a request's time went; zero where it did not go.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LookupTimings {
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
    /// The way in which it was obtained.
    pub outcome: Outcome,
    /// The time since the result arrived from the database.
    pub age: Duration,
    /// The TTL of this entry: the policy's, shortened by its jitter.
    pub ttl: Duration,
    /// The rest of its TTL; zero when stale.
    pub ttl_left: Duration,
    /// The policy it was looked up with.
    pub policy: Policy,
    /// True where the value is kept in a tier (for `Cache-Status`): not when it bypasses the cache,
    /// is too large, or there is no tier to keep it.
    pub stored: bool,
    /// The place where this request's time went.
    pub timings: LookupTimings,
}
