//! A running process, as reports and snapshots name it.

use serde::{Deserialize, Serialize};

/// One running process.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct InstanceInfo {
    /// Unlike that of any other.
    pub id: String,
    /// The name for people: the machine's name and the process's number.
    pub name: String,
    /// This program's version.
    pub version: String,
    /// The set of workers that serves, counted from 1; 0: none yet.
    pub generation: u64,
    /// The moment when it began to count, in seconds since 1970.
    pub started_at: u64,
}
