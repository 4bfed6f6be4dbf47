//! The lines on the control socket: what is asked, and what is answered.

use serde::{Deserialize, Serialize};

use crate::app::LastReload;

/// The longest line of either end, in bytes.
pub(super) const LONGEST: u64 = 64 << 10;

/// A request to the daemon.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case", deny_unknown_fields)]
pub enum DaemonRequest {
    /// Say how it is.
    Status,
    /// Read settings and queries again; answered when the new generation serves.
    Reload,
    /// Start the program again and hand over to it; answered when that one serves.
    Upgrade {
        /// True where the old one stays beside it.
        hold: bool,
    },
    /// Open the log files again.
    Reopen,
    /// Change the number of workers.
    Scale {
        /// The number of workers to add, or, negative, to take away.
        by: i32,
    },
    /// End; answered before it does.
    Stop {
        /// True where running requests are cut off.
        now: bool,
    },
}

/// The answer of the daemon.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DaemonAnswer {
    /// True where it did what was asked.
    pub ok: bool,
    /// The answer in words; the reason, where it was not done.
    pub message: String,
    /// The state now; always there after [`DaemonRequest::Status`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<DaemonStatus>,
}

impl DaemonAnswer {
    /// It was done.
    pub fn new_done(message: impl Into<String>) -> DaemonAnswer {
        let (ok, message, status) = (true, message.into(), None);
        DaemonAnswer {
            ok,
            message,
            status,
        }
    }

    /// It was not done, and why.
    pub fn new_refused(message: impl Into<String>) -> DaemonAnswer {
        DaemonAnswer {
            ok: false,
            ..DaemonAnswer::new_done(message)
        }
    }

    /// Says how it is now as well.
    #[must_use]
    pub fn with_status(mut self, status: DaemonStatus) -> DaemonAnswer {
        self.status = Some(status);
        self
    }
}

/// The state of the daemon.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DaemonStatus {
    /// Its process.
    pub pid: u32,
    /// The version of the program.
    pub version: String,
    /// The phase.
    pub state: DaemonPhase,
    /// Counted from 1; each reload adds one.
    pub generation: u64,
    /// Worker threads.
    pub workers: usize,
    /// The seconds since the process started.
    pub uptime_seconds: u64,
    /// The addresses, as they are announced.
    pub listeners: Vec<String>,
    /// The last reload, if there was one.
    pub last_reload: Option<LastReload>,
}

/// The phase of the daemon.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DaemonPhase {
    /// It answers requests.
    Serving,
    /// It holds its addresses, and serves nobody until HUP.
    Paused,
    /// It ends once its requests have.
    Draining,
}
