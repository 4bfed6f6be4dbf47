//! All numbers at one moment, as `/stats.json` shows them. Field names are an interface: scripts
//! read them, so they are only added to. What follows from counts is computed in `numbers`.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::fleet::InstanceTotals;
use super::instance::InstanceInfo;
use super::numbers::SummaryNumbers;
use super::serving::{AsideSnapshot, UnsentSnapshot};
use super::tally::CounterTally;
pub use super::window::Window;

/// The version of the layout of [`StatsSnapshot`].
pub(super) const SCHEMA: u32 = 1;

/// All numbers at one moment.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct StatsSnapshot {
    /// The version of this layout.
    pub schema: u32,
    /// The time over which `total`, `queries`, `slowest` and `instances` count; all else counts
    /// since the start, or is as it is now.
    pub window: Window,
    /// The time for which that was: less than the window where the process is younger.
    pub window_seconds: f64,
    /// The instance that says so.
    pub instance: InstanceInfo,
    /// The moment of it, in seconds since 1970.
    pub generated_at: f64,
    /// The seconds since this process began to count; reloads change nothing about that.
    pub uptime_seconds: f64,
    /// All queries together.
    pub total: SummaryNumbers,
    /// Each query, in the catalog's order; then those that are not in it any more and have
    /// numbers.
    pub queries: Vec<QuerySnapshot>,
    /// The recent course of the numbers, whatever the window; for drawings.
    pub series: SnapshotSeries,
    /// The slowest loads of the window, the slowest first.
    pub slowest: Vec<SlowLoad>,
    /// The keys asked for most since the start, estimated, the hottest first.
    pub hottest: Vec<HotKey>,
    /// The memory tier.
    pub memory: MemorySnapshot,
    /// The Redis tier; `None` where none is configured.
    pub redis: Option<RedisSnapshot>,
    /// The database.
    pub database: DatabaseSnapshot,
    /// Answers that wait to be sent.
    pub unsent: UnsentSnapshot,
    /// Requests that were refused because they could not be read, since the start.
    pub unread: u64,
    /// Work beside the workers: large pages, and encodings of large bodies.
    pub aside: AsideSnapshot,
    /// The effects of the instances on each other's loads and copies, and the number of purges that
    /// were asked for.
    pub fleet: BTreeMap<String, u64>,
    /// All instances that share this Redis.
    pub instances: InstanceTotals,
}

/// One query's numbers.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct QuerySnapshot {
    /// Its name.
    pub query: String,
    /// It is not in the catalog any more.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub removed: bool,
    /// The time for which its copies are fresh, in seconds; `None` where they are not kept.
    #[serde(default)]
    pub ttl_seconds: Option<f64>,
    /// Its numbers.
    #[serde(flatten)]
    pub numbers: SummaryNumbers,
    /// The latest answer that was too large to be kept; `None` where there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_kept: Option<NotKeptSnapshot>,
    /// The counts that they were computed from.
    #[serde(skip)]
    pub tally: CounterTally,
}

/// An answer that was too large to be kept.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct NotKeptSnapshot {
    /// Its size.
    pub bytes: u64,
    /// The bound.
    pub limit: u64,
    /// The setting that says so.
    pub setting: String,
    /// The time since it was loaded.
    pub age_seconds: f64,
}

/// The recent course of the numbers: one point for each step of time, the latest last. `None` is a
/// step in which nothing was counted, because the process was not there yet.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct SnapshotSeries {
    /// The time for which a step is.
    pub step_seconds: u32,
    /// The moment when the latest step ended, in seconds since 1970.
    pub ends_at: f64,
    /// The points, at most [`SnapshotSeries::POINTS`].
    pub points: Vec<Option<SeriesPoint>>,
}

impl SnapshotSeries {
    /// The number of points: as many as there are slots.
    pub const POINTS: usize = 60;
}

/// One step of a [`SnapshotSeries`], all queries together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct SeriesPoint {
    /// The ratio, as in [`SummaryNumbers`].
    pub hit_ratio: Option<f64>,
    /// The rate, as in [`SummaryNumbers`].
    pub requests_per_second: f64,
    /// The rate, as in [`SummaryNumbers`].
    pub loads_per_second: f64,
    /// The time, as in [`SummaryNumbers`].
    pub time_saved_seconds: f64,
    /// The time, as in [`SummaryNumbers`].
    pub hit_p95_seconds: Option<f64>,
    /// The time, as in [`SummaryNumbers`].
    pub load_p95_seconds: Option<f64>,
}

/// One load among the slowest.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct SlowLoad {
    /// The query's name.
    pub query: String,
    /// Tells its key from others, and nothing about it.
    pub key: String,
    /// The time for which it took.
    pub seconds: f64,
    /// The moment when it ended, in seconds since 1970.
    pub at: f64,
    /// The cause that began it.
    pub trigger: String,
    /// The class of its error; `None`: it succeeded.
    pub error: Option<String>,
    /// Its parameters, where the query says `show-params`; for pages alone.
    #[serde(skip)]
    pub params: Option<String>,
}

/// One of the keys asked for most.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct HotKey {
    /// The query's name.
    pub query: String,
    /// Tells it from others, and nothing about it.
    pub key: String,
    /// The number of requests for it, at most.
    pub requests: u64,
    /// The number by which that may be too high.
    pub over: u64,
    /// Its parameters, where the query says `show-params`; for pages alone.
    #[serde(skip)]
    pub params: Option<String>,
}

/// Shows no parameters, which are for pages alone.
impl fmt::Debug for SlowLoad {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SlowLoad")
            .field("query", &self.query)
            .field("key", &self.key)
            .field("seconds", &self.seconds)
            .finish_non_exhaustive()
    }
}

/// Shows no parameters, which are for pages alone.
impl fmt::Debug for HotKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HotKey")
            .field("query", &self.query)
            .field("key", &self.key)
            .field("requests", &self.requests)
            .finish_non_exhaustive()
    }
}

/// The memory tier.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct MemorySnapshot {
    /// Entries held.
    pub entries: u64,
    /// Their weight.
    pub bytes: u64,
    /// The bound; 0: no memory tier.
    pub max_bytes: u64,
    /// Entries that left, by cause.
    pub evictions: BTreeMap<String, u64>,
}

/// The Redis tier.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct RedisSnapshot {
    /// True where the latest contact succeeded; `None` before the first.
    pub up: Option<bool>,
    /// `closed`, `open` or `half-open`.
    pub breaker: String,
    /// The time for which it has been `up`, or not.
    pub since_seconds: f64,
    /// The class of the latest failure.
    pub last_error: Option<String>,
    /// The class of what it says instead of taking what it is given, though it is `up`; `None` from
    /// the next that it takes.
    pub complaint: Option<String>,
    /// Look-ups that were answered.
    pub reads: u64,
    /// Envelopes that were stored.
    pub writes: u64,
    /// Their bytes.
    pub written_bytes: u64,
    /// Failures by class.
    pub errors: BTreeMap<String, u64>,
    /// Values found that could not be used, by reason.
    pub rejected: BTreeMap<String, u64>,
    /// Entries that Redis did not take, by reason.
    pub refused: BTreeMap<String, u64>,
    /// Its connections.
    pub pool: PoolSnapshot,
    /// The answers of the server about itself; `None` before it was first asked.
    pub info: Option<RedisInfo>,
}

/// The answers of Redis about itself (`INFO`), of the whole server. A field is `None` where it does
/// not say, or may not be asked.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RedisInfo {
    /// The time since it was said.
    pub age_seconds: f64,
    /// Its version.
    pub redis_version: Option<String>,
    /// The time for which it has run.
    pub uptime_in_seconds: Option<u64>,
    /// `master` or `slave`.
    pub role: Option<String>,
    /// Everybody's connections.
    pub connected_clients: Option<u64>,
    /// Bytes in use.
    pub used_memory: Option<u64>,
    /// The bound in bytes; 0: no limit.
    pub maxmemory: Option<u64>,
    /// The policy when that is reached.
    pub maxmemory_policy: Option<String>,
    /// Keys that left for want of space.
    pub evicted_keys: Option<u64>,
    /// Keys whose time was over.
    pub expired_keys: Option<u64>,
    /// Reads that found a key.
    pub keyspace_hits: Option<u64>,
    /// Reads that found none.
    pub keyspace_misses: Option<u64>,
    /// Clients turned away because there were too many.
    pub rejected_connections: Option<u64>,
}

/// The database.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct DatabaseSnapshot {
    /// `postgres` or `sqlite`.
    pub kind: String,
    /// True where the latest contact succeeded; `None` before the first.
    pub up: Option<bool>,
    /// `closed` (loads are tried), `open` (it is away, and a prober asks).
    pub breaker: String,
    /// The time for which it has been `up`, or not.
    pub since_seconds: f64,
    /// The class of what keeps it away, or of its latest complaint; never its words.
    pub last_error: Option<String>,
    /// Its connections.
    pub pool: PoolSnapshot,
    /// True where its messages are heard; `None` where nothing is to be heard.
    pub listening: Option<bool>,
    /// True where it says which database it is, whatever name it is reached by; `None` before the
    /// first contact.
    pub says_which: Option<bool>,
}

/// Connections of one pool.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PoolSnapshot {
    /// The connections at work, or being opened.
    pub used: u64,
    /// Open, without work.
    pub idle: u64,
    /// The most there may be.
    pub max: u64,
    /// The loads that wait for one.
    pub waiting: u64,
    /// The number of waits in vain, since the start.
    pub timeouts: u64,
    /// Taken by statements that go on although their sessions were terminated.
    #[serde(default)]
    pub stuck: u64,
}
