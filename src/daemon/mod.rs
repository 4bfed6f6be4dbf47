//! The process around the server: how it starts, what it does when it is asked to by a signal or
//! over its control socket, how it hands over to another process, and how it ends. Serving is
//! `server`'s.
//!
//! `launch` is what a process is given, `start` how it comes to serve, `detach` how that looks from
//! the terminal with `-D`; `master` decides what happens then, with `signals`, `reload` (HUP),
//! `upgrade` (USR2), `workers` (the generations), `watch` (`--reload`), `watchdog` and `ending`.
//! `handover` is the one way to another process, `new_process` that one as long as it is watched,
//! `adopt` how descriptors arrive there. Around them: `pidfile`, `control` and `place` (how commands find it),
//! `identity` (whom it runs as), `inherited` and `notify` (what systemd passes on, and what it is
//! told), `unit` (the files it is set up by), `browser` (`--open`).

mod adopt;
mod browser;
pub mod control;
mod detach;
mod ending;
mod handover;
pub mod identity;
pub mod inherited;
mod launch;
mod master;
mod new_process;
pub mod notify;
pub mod pidfile;
mod place;
mod reload;
mod signals;
mod start;
pub mod unit;
mod upgrade;
mod watch;
mod watchdog;
mod workers;

use std::fmt::Display;
use std::io::{self, Write};

use crate::error::StartupError;

pub use launch::Launch;
pub use start::serve;

/// Why a process does not serve, or no longer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// The exit code that says so to a script.
    pub code: u8,
    /// What went wrong.
    pub message: String,
}

impl Ended {
    /// Settings or files are not in order.
    #[allow(
        clippy::needless_pass_by_value,
        reason = "it is what errors are mapped with"
    )]
    fn settings(error: StartupError) -> Ended {
        Ended {
            code: 6,
            message: error.to_string(),
        }
    }

    /// It went wrong while starting or running.
    #[allow(
        clippy::needless_pass_by_value,
        reason = "it is what errors are mapped with"
    )]
    fn running(error: StartupError) -> Ended {
        Ended {
            code: 1,
            message: error.to_string(),
        }
    }

    /// The system did not give what it was asked for.
    fn system(error: impl Display) -> Ended {
        Ended::running(StartupError::new(error.to_string()))
    }
}

/// A line for the user, as long as there is one.
fn tell(line: &str) {
    drop(writeln!(io::stdout().lock(), "{line}"));
}
