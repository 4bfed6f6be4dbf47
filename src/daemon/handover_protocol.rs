//! The words that an old process and the one that takes its place say to each other.

use serde::{Deserialize, Serialize};

/// The word with which the old process steps down.
pub(super) const STEP_UP: &str = "step up";

/// The one report of the new process.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum ChildReport {
    /// It serves.
    Ready {
        /// The lines that an operator wants to know of it.
        lines: Vec<String>,
    },
    /// It does not, and ends with this code.
    Failed {
        /// The exit code.
        code: u8,
        /// The reason.
        message: String,
    },
}
