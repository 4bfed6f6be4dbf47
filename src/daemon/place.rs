//! The files by which commands find a process: its pidfile, and the control socket beside it. The
//! new process of an upgrade has them under names of its own until the old one steps down.

use std::io;
use std::os::unix::net::UnixStream;
use std::path::Path;

use super::control::SocketMover;
use super::pidfile::{self, Pidfile, PidfileState};
use crate::error::StartupError;
use crate::socket_path::with_short;

/// A pidfile and the control socket beside it.
#[derive(Debug)]
pub(super) struct DaemonFiles {
    pidfile: Pidfile,
    control: SocketMover,
}

impl DaemonFiles {
    pub(super) fn new(pidfile: Pidfile, control: SocketMover) -> DaemonFiles {
        DaemonFiles { pidfile, control }
    }

    /// Takes the names of the process that has stepped down.
    ///
    /// # Errors
    /// The folder does not allow it: commands no longer find this process, which serves all the
    /// same.
    pub(super) fn take_over(&mut self, path: &Path) -> Result<(), StartupError> {
        // The pidfile last: who finds this process by it finds its control socket too.
        let moved = self
            .control
            .rename(&pidfile::control_socket(path))
            .and_then(|()| self.pidfile.rename_to(path));
        moved.map_err(|error| {
            StartupError::new(format!("the pidfile cannot be taken over: {error}"))
                .at_place("--pid / [server] pidfile")
                .with_remedy("let the user that unslow runs as write to its folder")
        })
    }

    /// Returns whether another process has taken it.
    pub(super) fn is_taken(&self) -> bool {
        !self.pidfile.is_there()
    }

    /// Leaves the pidfile to the process that goes on. Dropped instead, it is removed; the control
    /// socket removes itself either way.
    pub(super) fn hand_on(self) {
        self.pidfile.hand_on();
    }
}

/// Removes what a process that was ended by force has left: its pidfile, unless somebody holds it,
/// and the control socket beside it, unless somebody listens there.
pub(super) fn remove_leftovers(path: &Path) {
    let control = pidfile::control_socket(path);
    // Nothing else than a socket refuses connections.
    let asked = with_short(&control, |short| UnixStream::connect(short));
    if asked.is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused) {
        drop(std::fs::remove_file(control));
    }
    if pidfile::read_state(path).is_ok_and(|state| state == PidfileState::Stale) {
        // Dropped, it is removed.
        drop(Pidfile::lock(path));
    }
}
