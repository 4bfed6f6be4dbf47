//! Every counter once. No rendering in here.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use crate::outcome::Outcome;

/// All counters of this process.
#[derive(Debug)]
pub struct Stats {
    queries: Vec<Arc<QueryStats>>,
}

/// The counters of one query.
#[derive(Debug)]
pub struct QueryStats {
    name: String,
}

impl Stats {
    /// One set of counters per query, in the catalog's order.
    pub fn new<'a>(names: impl Iterator<Item = &'a str>) -> Stats { let _ = names; todo!() }
    pub fn query(&self, index: usize) -> &Arc<QueryStats> { &self.queries[index] }
    pub fn snapshot(&self) -> Snapshot { todo!() }
}

impl QueryStats {
    /// One request ended so. `elapsed` is its own time, `load_time` the one stored with the
    /// served entry: their difference is the time saved.
    pub fn request(&self, outcome: Outcome, elapsed: Duration, load_time: Duration) { let _ = (&self.name, outcome, elapsed, load_time); }
    /// One load ended so, after `elapsed`.
    pub fn load(&self, ok: bool, elapsed: Duration) { let _ = (ok, elapsed); }
    /// One variant of a body was encoded.
    pub fn compression(&self) {}
    /// Bytes of bodies served from a tier.
    pub fn served(&self, bytes: u64) { let _ = bytes; }
}

/// All numbers at one moment, as `/stats.json` shows them.
#[derive(Debug, Clone, Serialize)]
pub struct Snapshot {
    pub schema: u32,
    pub uptime_seconds: f64,
    pub total: Numbers,
    pub queries: Vec<QuerySnapshot>,
    // + redis errors, memory entries and bytes …
}

#[derive(Debug, Clone, Serialize)]
pub struct QuerySnapshot {
    pub query: String,
    #[serde(flatten)]
    pub numbers: Numbers,
}

#[derive(Debug, Clone, Default, Serialize)]
pub struct Numbers {
    pub requests: u64,
    pub hit_memory: u64,
    pub hit_redis: u64,
    pub stale: u64,
    pub coalesced: u64,
    pub miss: u64,
    pub bypass: u64,
    pub error: u64,
    pub loads: u64,
    pub load_errors: u64,
    pub load_seconds: f64,
    pub hit_ratio: Option<f64>,
    pub offload: Option<f64>,
    pub time_saved_seconds: f64,
    pub served_bytes: u64,
    pub compressions: u64,
}
