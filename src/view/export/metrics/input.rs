//! The data that the metrics are made of.

use crate::stats::{ProcessNumbers, StatsSnapshot};

/// The data that the metrics are made of.
#[derive(Debug, Clone, Copy)]
pub struct MetricsInput<'a> {
    /// All numbers since the start: a window would make counters fall.
    pub snapshot: &'a StatsSnapshot,
    /// The numbers that the system gives of this process.
    pub process: &'a ProcessNumbers,
    /// The results of reloads.
    pub reloads: ReloadCounts,
    /// The commit that this program was built from; `None`: nobody said.
    pub commit: Option<&'a str>,
}

/// Reloads of settings and queries.
#[derive(Debug, Clone, Copy, Default)]
pub struct ReloadCounts {
    /// The number that there were.
    pub all: u64,
    /// The number of them that changed nothing, because something was wrong.
    pub failed: u64,
    /// True where the latest was one of these.
    pub last_failed: bool,
    /// The moment since when the settings are in force, in seconds since 1970.
    pub settings_since: u64,
}
