//! The lines on the control socket: what is asked, and what is answered.

use serde::{Deserialize, Serialize};

use crate::app::LastReload;

/// The longest line of either end, in bytes.
pub(super) const LONGEST: u64 = 64 << 10;

/// A request to the daemon.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case", deny_unknown_fields)]
pub enum Request {
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
pub struct Answer {
    /// True where it did what was asked.
    pub ok: bool,
    /// The answer in words; the reason, where it was not done.
    pub message: String,
    /// The state now; always there after [`Request::Status`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<Status>,
}

impl Answer {
    /// It was done.
    pub fn done(message: impl Into<String>) -> Answer {
        let (ok, message, status) = (true, message.into(), None);
        Answer {
            ok,
            message,
            status,
        }
    }

    /// It was not done, and why.
    pub fn refused(message: impl Into<String>) -> Answer {
        Answer {
            ok: false,
            ..Answer::done(message)
        }
    }

    /// Says how it is now as well.
    #[must_use]
    pub fn with(mut self, status: Status) -> Answer {
        self.status = Some(status);
        self
    }
}

/// The state of the daemon.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Its process.
    pub pid: u32,
    /// The version of the program.
    pub version: String,
    /// The phase.
    pub state: Phase,
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
pub enum Phase {
    /// It answers requests.
    Serving,
    /// It holds its addresses, and serves nobody until HUP.
    Paused,
    /// It ends once its requests have.
    Draining,
}
