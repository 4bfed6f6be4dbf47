//! Where a process is found by the commands: its pidfile, and the control socket beside it. The new
//! process of an upgrade has them under names of its own until the old one steps down.

use std::path::Path;

use super::control::Mover;
use super::pidfile::{self, Pidfile};
use crate::error::StartupError;

/// A pidfile and the control socket beside it.
#[derive(Debug)]
pub(super) struct Place {
    pidfile: Pidfile,
    control: Mover,
}

impl Place {
    pub(super) fn new(pidfile: Pidfile, control: Mover) -> Place {
        Place { pidfile, control }
    }

    /// Takes the names of the process that has stepped down.
    ///
    /// # Errors
    /// The folder does not allow it: commands no longer find this process, which serves all the
    /// same.
    pub(super) fn take_over(&mut self, path: &Path) -> Result<(), StartupError> {
        let moved = self
            .pidfile
            .rename(path)
            .and_then(|()| self.control.rename(&pidfile::control_socket(path)));
        moved.map_err(|error| {
            StartupError::new(format!("the pidfile cannot be taken over: {error}"))
                .at("--pid / [server] pidfile")
                .remedy("let the user that unslow runs as write to its folder")
        })
    }

    /// Leaves the pidfile to the process that goes on. Dropped instead, it is removed; the control
    /// socket removes itself either way.
    pub(super) fn hand_on(self) {
        self.pidfile.hand_on();
    }
}
