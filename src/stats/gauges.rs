//! The gauges: numbers that are measured when somebody looks, not counted.

use std::time::Duration;

use super::tiers::RedisError;

/// See the head of this file.
#[derive(Debug, Clone, Default)]
pub struct Gauges {
    /// The memory tier.
    pub memory: MemoryGauge,
    /// The Redis tier; `None` where none is configured.
    pub redis: Option<RedisGauge>,
}

/// The fill of the memory tier.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MemoryGauge {
    /// Entries held.
    pub entries: u64,
    /// Their weight in bytes.
    pub bytes: u64,
    /// The bound in bytes; 0: no memory tier.
    pub max_bytes: u64,
}

/// The state of Redis, as it is remembered.
#[derive(Debug, Clone, Default)]
pub struct RedisGauge {
    /// True where the latest contact succeeded; `None` before the first.
    pub up: Option<bool>,
    /// `closed`, `open` or `half-open`.
    pub breaker: &'static str,
    /// The time for which it has been so.
    pub since: Duration,
    /// The latest failure.
    pub last_error: Option<RedisError>,
    /// The reason why it takes nothing, though it is up.
    pub complaint: Option<RedisError>,
}
