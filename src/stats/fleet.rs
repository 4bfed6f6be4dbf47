//! The instances that share a Redis: what each reports of itself, and their sums. Reports are
//! counts, never ratios, so that they add up. How they travel is the cache's business.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::numbers::Numbers;
use super::snapshot::{Instance, Window};
use super::tally::Tally;

/// What an instance tells the others.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Report {
    /// The version of this layout.
    pub schema: u32,
    /// Whose it is.
    pub instance: Instance,
    /// For how long it had counted.
    pub uptime_seconds: f64,
    /// Loads that ran at the time.
    pub loads_in_flight: u64,
    /// How its database was.
    pub database_up: Option<bool>,
    /// All queries together, for each window, with the seconds that it covers.
    pub windows: BTreeMap<Window, (f64, Tally)>,
    /// Each query that has counted anything, since the start.
    pub queries: BTreeMap<String, Tally>,
}

/// All instances, as one of them knows it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Instances {
    /// Why there is only this one here: `no redis` or `redis away`; `None`: there may be others,
    /// and all are here.
    pub alone_because: Option<String>,
    /// Each that reported of late, this one first, then by name.
    pub each: Vec<InstanceSnapshot>,
    /// All of them together, over the window.
    pub total: Numbers,
    /// Each query on all of them together, since the start.
    pub queries: BTreeMap<String, Numbers>,
}

/// One instance's numbers.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct InstanceSnapshot {
    /// Which one.
    #[serde(flatten)]
    pub instance: Instance,
    /// Whether it is the one that says all this.
    pub is_self: bool,
    /// How old its report is.
    pub age_seconds: f64,
    /// For how long it has counted.
    pub uptime_seconds: f64,
    /// How its database was.
    pub database_up: Option<bool>,
    /// Its numbers over the window.
    pub numbers: Numbers,
}
