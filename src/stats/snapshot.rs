//! All numbers at one moment, as `/stats.json` shows them, and how the derived ones are computed.
//! Field names are an interface: scripts read them, so they are only added to.

use std::collections::BTreeMap;

use serde::Serialize;

use super::counter::{Cells, Counter};

/// All numbers at one moment.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Snapshot {
    /// The version of this layout.
    pub schema: u32,
    /// Since this process began to count.
    pub uptime_seconds: f64,
    /// All queries together.
    pub total: Numbers,
    /// Each query, in the catalog's order; then those that are not in it any more and have
    /// numbers.
    pub queries: Vec<QuerySnapshot>,
    /// The memory tier.
    pub memory: MemorySnapshot,
    /// The Redis tier; `None` where none is configured.
    pub redis: Option<RedisSnapshot>,
    /// What the instances do about each other's loads and copies, and how often purges were asked
    /// for.
    pub fleet: BTreeMap<&'static str, u64>,
}

/// One query's numbers.
#[derive(Debug, Clone, Default, Serialize)]
pub struct QuerySnapshot {
    /// Its name.
    pub query: String,
    /// It is not in the catalog any more.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub removed: bool,
    /// Its numbers.
    #[serde(flatten)]
    pub numbers: Numbers,
}

/// The numbers of one query, or of all.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Numbers {
    /// Requests that were answered: the sum of the seven outcomes below.
    pub requests: u64,
    /// Fresh copies from memory.
    pub hit_memory: u64,
    /// Fresh copies from Redis.
    pub hit_redis: u64,
    /// Stale copies, whatever the reason.
    pub stale: u64,
    /// Stale copies served while a refresh ran.
    pub stale_revalidating: u64,
    /// Stale copies served because loading failed.
    pub stale_load_error: u64,
    /// Answers that another request's load brought.
    pub coalesced: u64,
    /// Answers that the request's own load brought.
    pub miss: u64,
    /// Answers past the cache.
    pub bypass: u64,
    /// Requests without an answer.
    pub error: u64,
    /// Loads that began, refreshes included.
    pub loads: u64,
    /// Loads that run now.
    pub loads_in_flight: u64,
    /// Loads that failed.
    pub load_errors: u64,
    /// Time spent in loads.
    pub load_seconds: f64,
    /// How long the latest load that succeeded took; `None` before the first.
    pub last_load_seconds: Option<f64>,
    /// (memory + Redis + stale) / (requests − bypass); `None` when nothing was asked.
    pub hit_ratio: Option<f64>,
    /// 1 − loads / (requests − bypass); below zero when refreshes outnumber requests.
    pub offload: Option<f64>,
    /// Over the served copies: load time stored with them − the request's own time, where positive.
    pub time_saved_seconds: f64,
    /// Bytes of bodies served from the cache.
    pub served_bytes: u64,
    /// Variants that were encoded.
    pub compressions: u64,
}

/// The memory tier.
#[derive(Debug, Clone, Default, Serialize)]
pub struct MemorySnapshot {
    /// Entries held.
    pub entries: u64,
    /// Their weight.
    pub bytes: u64,
    /// The bound; 0: no memory tier.
    pub max_bytes: u64,
    /// Entries that left, by cause.
    pub evictions: BTreeMap<&'static str, u64>,
}

/// The Redis tier.
#[derive(Debug, Clone, Default, Serialize)]
pub struct RedisSnapshot {
    /// Whether the latest contact succeeded; `None` before the first.
    pub up: Option<bool>,
    /// `closed`, `open` or `half-open`.
    pub breaker: &'static str,
    /// How long it has been `up`, or not.
    pub since_seconds: f64,
    /// The class of the latest failure.
    pub last_error: Option<&'static str>,
    /// Look-ups that were answered.
    pub reads: u64,
    /// Envelopes that were stored.
    pub writes: u64,
    /// Their bytes.
    pub written_bytes: u64,
    /// Failures by class.
    pub errors: BTreeMap<&'static str, u64>,
    /// Values found that could not be used, by reason.
    pub rejected: BTreeMap<&'static str, u64>,
    /// Entries that Redis did not take, by reason.
    pub refused: BTreeMap<&'static str, u64>,
}

impl Numbers {
    /// One query's numbers from its cells.
    pub(super) fn read(cells: &Cells, last_load_seconds: Option<f64>) -> Numbers {
        let sum = |counter| cells.sum(counter);
        Numbers {
            hit_memory: sum(Counter::HitMemory),
            hit_redis: sum(Counter::HitRedis),
            stale_revalidating: sum(Counter::StaleRevalidating),
            stale_load_error: sum(Counter::StaleLoadError),
            coalesced: sum(Counter::Coalesced),
            miss: sum(Counter::Miss),
            bypass: sum(Counter::BypassCacheOff)
                + sum(Counter::BypassTooLarge)
                + sum(Counter::BypassCompare),
            error: sum(Counter::Error),
            loads: sum(Counter::Loads),
            load_errors: sum(Counter::LoadErrors),
            load_seconds: seconds(sum(Counter::LoadMicros)),
            last_load_seconds,
            time_saved_seconds: seconds(sum(Counter::SavedMicros)),
            served_bytes: sum(Counter::ServedBytes),
            compressions: sum(Counter::Compressions),
            ..Numbers::default()
        }
        .derived()
    }

    /// The sum over queries: counts are added, ratios computed from the sums.
    pub(super) fn total<'a>(queries: impl Iterator<Item = &'a Numbers>) -> Numbers {
        let mut total = Numbers::default();
        for n in queries {
            total.hit_memory += n.hit_memory;
            total.hit_redis += n.hit_redis;
            total.stale_revalidating += n.stale_revalidating;
            total.stale_load_error += n.stale_load_error;
            total.coalesced += n.coalesced;
            total.miss += n.miss;
            total.bypass += n.bypass;
            total.error += n.error;
            total.loads += n.loads;
            total.loads_in_flight += n.loads_in_flight;
            total.load_errors += n.load_errors;
            total.load_seconds += n.load_seconds;
            total.time_saved_seconds += n.time_saved_seconds;
            total.served_bytes += n.served_bytes;
            total.compressions += n.compressions;
        }
        total.derived()
    }

    fn derived(mut self) -> Numbers {
        self.stale = self.stale_revalidating + self.stale_load_error;
        let served = self.hit_memory + self.hit_redis + self.stale;
        let cacheable = served + self.coalesced + self.miss + self.error;
        self.requests = cacheable + self.bypass;
        self.hit_ratio = ratio(served, cacheable);
        self.offload = ratio(self.loads, cacheable).map(|loaded| 1.0 - loaded);
        self
    }
}

#[allow(
    clippy::cast_precision_loss,
    reason = "shown with a few digits; exact below 2^53"
)]
fn ratio(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

#[allow(
    clippy::cast_precision_loss,
    reason = "microseconds are exact below 2^53, 285 years"
)]
pub(super) fn seconds(micros: u64) -> f64 {
    micros as f64 / 1e6
}
