//! The words that an old process and the one that takes its place say to each other.

use serde::{Deserialize, Serialize};

/// The word with which the old process steps down.
pub(super) const STEP_UP: &str = "step up";

/// What the new process says, once.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Word {
    /// It serves.
    Ready {
        /// What an operator wants to know of it.
        lines: Vec<String>,
    },
    /// It does not, and ends with this code.
    Failed {
        /// The exit code.
        code: u8,
        /// Why.
        message: String,
    },
}
