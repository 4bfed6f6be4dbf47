//! The numbers of how answers are made and sent, as `/stats.json` shows them. Counting them is the
//! application's.

use serde::{Deserialize, Serialize};

/// Answers that wait to be sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct UnsentSnapshot {
    /// The memory they hold.
    pub bytes: u64,
    /// The bound.
    pub max_bytes: u64,
    /// Answers that were refused for want of room, since the start.
    pub refused: u64,
    /// The time since the latest was refused.
    pub refused_seconds_ago: Option<f64>,
}

/// Work beside the workers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AsideSnapshot {
    /// The work under way.
    pub running: u64,
    /// The work that waits for its turn.
    pub waiting: u64,
    /// The work that was done since the start.
    pub done: u64,
}
