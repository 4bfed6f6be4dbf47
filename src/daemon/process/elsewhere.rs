//! A process's handle where the system is not Linux: its number alone, which root does not use.

use std::io;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// The interval at which a process is looked at.
const STEP: Duration = Duration::from_millis(20);

#[derive(Debug)]
pub(super) struct Handle;

impl Handle {
    /// Opens a handle; `None` where there is no such process.
    pub(super) fn open(pid: u32) -> io::Result<Option<Handle>> {
        Ok((!has_ended(pid)).then_some(Handle))
    }

    pub(super) fn send(&self, pid: u32, signal: Signal) -> io::Result<()> {
        Ok(kill(Pid::from_raw(pid.cast_signed()), signal)?)
    }

    /// Returns whether the process has ended, after `patience` at the latest and perhaps earlier.
    pub(super) fn has_ended(&self, pid: u32, patience: Duration) -> bool {
        let ended = has_ended(pid);
        if !ended {
            std::thread::sleep(patience.min(STEP));
        }
        ended
    }
}

fn has_ended(pid: u32) -> bool {
    kill(Pid::from_raw(pid.cast_signed()), None) == Err(Errno::ESRCH)
}
