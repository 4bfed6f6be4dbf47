//! The end of a process that does not serve: an exit code for scripts, a message for people.

use std::fmt::Display;
use std::io::{self, Write};

use crate::error::StartupError;

/// The reason why a process does not serve, or no longer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExitError {
    /// The exit code that says so to a script.
    pub code: u8,
    /// The message.
    pub message: String,
}

impl ExitError {
    /// Settings or files are not in order.
    #[allow(
        clippy::needless_pass_by_value,
        reason = "it is what errors are mapped with"
    )]
    pub(super) fn from_settings(error: StartupError) -> ExitError {
        ExitError {
            code: 6,
            message: error.to_string(),
        }
    }

    /// It went wrong while starting or running.
    #[allow(
        clippy::needless_pass_by_value,
        reason = "it is what errors are mapped with"
    )]
    pub(super) fn from_running(error: StartupError) -> ExitError {
        ExitError {
            code: 1,
            message: error.to_string(),
        }
    }

    /// Makes the end of a process that did not get what it asked the system for.
    pub(super) fn from_system(error: impl Display) -> ExitError {
        ExitError::from_running(StartupError::new(error.to_string()))
    }
}

/// A line for the user, as long as there is one.
pub(super) fn print_line(line: &str) {
    drop(writeln!(io::stdout().lock(), "{line}"));
}
