//! The data that the metrics are made of.

use crate::stats::{Process, Snapshot};

/// What the metrics are made of.
#[derive(Debug, Clone, Copy)]
pub struct Metrics<'a> {
    /// All numbers since the start: a window would make counters fall.
    pub snapshot: &'a Snapshot,
    /// What the system says of this process.
    pub process: &'a Process,
    /// How reloads went.
    pub reloads: Reloads,
    /// From which commit this program was built; `None`: nobody said.
    pub commit: Option<&'a str>,
}

/// Reloads of settings and queries.
#[derive(Debug, Clone, Copy, Default)]
pub struct Reloads {
    /// How many there were.
    pub all: u64,
    /// How many of them changed nothing, because something was wrong.
    pub failed: u64,
    /// Whether the latest was one of these.
    pub last_failed: bool,
    /// Since when the settings are in force, in seconds since 1970.
    pub settings_since: u64,
}
