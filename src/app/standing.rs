//! The state of the process: the generation of workers that serves, and the results of reloads. The
//! daemon writes it; `/stats` and the status command read it. All Apps of one process share it.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use tokio::sync::watch;

/// See the head of this file.
#[derive(Debug)]
pub struct ProcessStatus {
    stand: Mutex<StatusSnapshot>,
    generations: watch::Sender<u64>,
    /// Requests that were refused because they could not be read.
    unread: AtomicU64,
    /// Queries that a reload has taken without asking the database, which was away.
    unproven: Mutex<BTreeSet<String>>,
}

/// The state of the process at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusSnapshot {
    /// Counted from 1; 0 before the first serves.
    pub generation: u64,
    /// The last reload, if there was one.
    pub last_reload: Option<LastReload>,
    /// Reloads since the start, however they went.
    #[serde(default)]
    pub reloads: u64,
    /// Those that changed nothing, because something was wrong.
    #[serde(default)]
    pub reload_failures: u64,
    /// The moment since when the settings are in force, in seconds since 1970: the last reload that
    /// went well, else the start.
    #[serde(default)]
    pub settings_since: u64,
}

/// The result of a reload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastReload {
    /// True where the new settings are in force.
    pub ok: bool,
    /// The moment of it, as RFC 3339.
    pub at: String,
    /// The message about it; never a password.
    pub message: String,
}

impl Default for ProcessStatus {
    /// Nobody serves yet; the settings are those of the start, now.
    fn default() -> ProcessStatus {
        let stand = StatusSnapshot {
            settings_since: unix_seconds(),
            ..StatusSnapshot::default()
        };
        ProcessStatus {
            stand: Mutex::new(stand),
            generations: watch::Sender::default(),
            unread: AtomicU64::new(0),
            unproven: Mutex::default(),
        }
    }
}

impl ProcessStatus {
    /// Counts a request that was refused because it could not be read.
    pub fn count_unread(&self) {
        self.unread.fetch_add(1, Ordering::Relaxed);
    }

    /// Returns how many of them there were since the start.
    pub(super) fn unread_requests(&self) -> u64 {
        self.unread.load(Ordering::Relaxed)
    }

    /// Notes whether the database was asked about a query that a reload has brought.
    pub(super) fn set_proven(&self, query: &str, proven: bool) {
        let mut unproven = self.unproven.lock().unwrap_or_else(PoisonError::into_inner);
        if proven {
            unproven.remove(query);
        } else {
            unproven.insert(query.to_owned());
        }
    }

    /// Returns whether a reload has taken this query without asking the database about it.
    pub(super) fn is_unproven(&self, query: &str) -> bool {
        let unproven = self.unproven.lock().unwrap_or_else(PoisonError::into_inner);
        unproven.contains(query)
    }

    /// The generation of that number serves from now on.
    pub fn set_serving_generation(&self, generation: u64) {
        self.lock().generation = generation;
        self.generations.send_replace(generation);
    }

    /// Returns the number of the generation that serves, as it changes.
    pub(super) fn watch_generations(&self) -> watch::Receiver<u64> {
        self.generations.subscribe()
    }

    /// Keeps what came of a reload that ended now.
    pub fn set_last_reload(&self, reload: LastReload) {
        let mut stand = self.lock();
        stand.reloads += 1;
        if reload.ok {
            stand.settings_since = unix_seconds();
        } else {
            stand.reload_failures += 1;
        }
        stand.last_reload = Some(reload);
    }

    /// Returns how it stands now.
    pub fn status_now(&self) -> StatusSnapshot {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, StatusSnapshot> {
        self.stand.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns the time in seconds since 1970.
fn unix_seconds() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.unwrap_or_default().as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reloads_are_counted_and_only_those_that_went_well_put_settings_in_force() {
        let reload = |ok| LastReload {
            ok,
            at: String::new(),
            message: String::new(),
        };
        let standing = ProcessStatus::default();
        assert!(standing.status_now().settings_since > 0);
        standing.lock().settings_since = 1;
        standing.set_last_reload(reload(false));
        let stand = standing.status_now();
        assert_eq!((stand.reloads, stand.reload_failures), (1, 1));
        assert_eq!(stand.settings_since, 1);
        standing.set_last_reload(reload(true));
        let stand = standing.status_now();
        assert_eq!((stand.reloads, stand.reload_failures), (2, 1));
        assert!(stand.settings_since > 1);
        assert!(stand.last_reload.is_some_and(|last| last.ok));
    }
}
