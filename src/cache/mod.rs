//! The read path: memory, Redis, a flight, the load. No SQL, no HTTP: it moves opaque bytes.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::runtime::Handle;

use crate::error::{RequestError, StartupError};
use crate::outcome::{Outcome, Tier};
use crate::settings::Settings;
use crate::stats::{QueryStats, Stats};

/// How long an entry lives.
#[derive(Debug, Clone, Copy)]
pub struct Policy {
    pub ttl: Duration,
    pub stale_while_revalidate: Duration,
    pub stale_if_error: Duration,
}

/// What one entry is found by.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Key { /* query name, digest, canonical parameters */ }

/// What a load brings.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The body, as it will be served.
    pub body: Bytes,
    /// Opaque to the cache, kept with the body (the app keeps the column names here).
    pub head: Bytes,
    pub rows: u64,
}

/// A stored body with its metadata and what was made of it.
#[derive(Debug)]
pub struct Entry {
    pub body: Bytes,
    pub head: Bytes,
    pub rows: u64,
    /// How long the load took.
    pub load_time: Duration,
    /// Hex digest of the body; the base of every ETag.
    pub etag: String,
    // + variants
}

impl Entry {
    /// The variant in `slot` (0..Entry::SLOTS), made on first use and weighed with the entry.
    pub fn variant(&self, slot: usize, make: impl FnOnce(&Entry) -> Bytes) -> Bytes { let _ = slot; make(self) }
}

/// Where a request's time went; zero where it did not go.
#[derive(Debug, Clone, Copy, Default)]
pub struct Timings {
    pub memory: Duration,
    pub redis: Duration,
    pub wait: Duration,
    pub load: Duration,
}

/// An answer.
#[derive(Debug, Clone)]
pub struct Reply {
    pub entry: Arc<Entry>,
    pub outcome: Outcome,
    /// Since the result arrived from the database.
    pub age: Duration,
    /// What is left of the TTL; zero when stale.
    pub ttl_left: Duration,
    /// Whether the entry was stored (for `Cache-Status`).
    pub stored: bool,
    pub timings: Timings,
}

/// Both tiers and the flights.
#[derive(Debug)]
pub struct Cache {}

impl Cache {
    pub fn open(settings: &Settings, engine: Handle, stats: Arc<Stats>) -> Result<Cache, StartupError> {
        let _ = (settings, engine, stats);
        todo!()
    }

    /// The whole read path on one screen.
    pub async fn get_or_load<F, Fut>(&self, key: &Key, policy: Policy, stats: &Arc<QueryStats>, load: F) -> Result<Reply, RequestError>
    where
        F: FnOnce() -> Fut + Send + 'static,
        Fut: Future<Output = Result<Loaded, RequestError>> + Send + 'static,
    {
        let _ = (key, policy, stats, load, Instant::now(), Tier::Memory);
        todo!()
    }
}
