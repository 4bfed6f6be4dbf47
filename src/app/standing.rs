//! How the process stands: which generation of workers serves, and what came of the last reload.
//! The daemon tells it; whoever looks at `/stats` or asks for the status reads it. All Apps of one
//! process share it.

use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use tokio::sync::watch;

/// See the head of this file.
#[derive(Debug, Default)]
pub struct Standing {
    stand: Mutex<Stand>,
    generations: watch::Sender<u64>,
}

/// How it stands at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Stand {
    /// Counted from 1; 0 before the first serves.
    pub generation: u64,
    /// The last reload, if there was one.
    pub last_reload: Option<LastReload>,
}

/// How a reload went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastReload {
    /// Whether the new settings are in force.
    pub ok: bool,
    /// When, as RFC 3339.
    pub at: String,
    /// What was said of it; never a password.
    pub message: String,
}

impl Standing {
    /// The generation of that number serves from now on.
    pub fn serves(&self, generation: u64) {
        self.lock().generation = generation;
        self.generations.send_replace(generation);
    }

    /// The number of the generation that serves, as it changes.
    pub(super) fn generations(&self) -> watch::Receiver<u64> {
        self.generations.subscribe()
    }

    /// Keeps what came of a reload.
    pub fn reloaded(&self, reload: LastReload) {
        self.lock().last_reload = Some(reload);
    }

    /// How it stands now.
    pub fn now(&self) -> Stand {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Stand> {
        self.stand.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
