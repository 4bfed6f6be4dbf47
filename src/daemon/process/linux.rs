//! A process's handle on Linux: a descriptor that means this process for ever. A kernel without
//! such descriptors is asked by number, with the time at which the process started.

use std::os::fd::OwnedFd;
use std::time::Duration;
use std::{fs, io};

use nix::sys::signal::{Signal, kill};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, pidfd_open, pidfd_send_signal};

/// The interval at which a process without a descriptor is looked at.
const STEP: Duration = Duration::from_millis(20);

#[derive(Debug)]
pub(super) enum Handle {
    Descriptor(OwnedFd),
    /// The start of the process, in the kernel's ticks.
    Born(u64),
}

impl Handle {
    /// Opens a handle; `None` where there is no such process.
    pub(super) fn open(pid: u32) -> io::Result<Option<Handle>> {
        let Some(number) = Pid::from_raw(pid.cast_signed()) else {
            return Ok(None);
        };
        match pidfd_open(number, PidfdFlags::empty()) {
            Ok(descriptor) => Ok(Some(Handle::Descriptor(descriptor))),
            // The latter two: a number that a thread has, and no process.
            Err(Errno::SRCH | Errno::INVAL | Errno::NOENT) => Ok(None),
            // An old kernel, or a container that does not know the call.
            Err(Errno::NOSYS | Errno::PERM) => Ok(start_time(pid).map(Handle::Born)),
            Err(error) => Err(error.into()),
        }
    }

    pub(super) fn send(&self, pid: u32, signal: Signal) -> io::Result<()> {
        match self {
            Handle::Descriptor(descriptor) => {
                let signal = rustix::process::Signal::from_named_raw(signal as i32);
                let signal = signal.ok_or(io::ErrorKind::InvalidInput)?;
                Ok(pidfd_send_signal(descriptor, signal)?)
            }
            Handle::Born(before) if start_time(pid) == Some(*before) => {
                kill(nix::unistd::Pid::from_raw(pid.cast_signed()), signal)?;
                Ok(())
            }
            // Another one has the number by now.
            Handle::Born(_) => Ok(()),
        }
    }

    /// Returns whether the process has ended, after `patience` at the latest and perhaps earlier.
    pub(super) fn has_ended(&self, pid: u32, patience: Duration) -> bool {
        match self {
            Handle::Descriptor(descriptor) => {
                let mut asked = [PollFd::new(descriptor, PollFlags::IN)];
                let limit = Timespec::try_from(patience).ok();
                // An interrupted wait is begun again by the caller.
                poll(&mut asked, limit.as_ref()).is_ok_and(|ready| ready > 0)
            }
            Handle::Born(before) => {
                let ended = start_time(pid) != Some(*before);
                if !ended {
                    std::thread::sleep(patience.min(STEP));
                }
                ended
            }
        }
    }
}

/// Returns the time at which a process started; `None` where it has ended, though its parent may
/// not have asked about it yet.
fn start_time(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = stat.rsplit_once(") ")?;
    let mut words = rest.split_whitespace();
    let state = words.next()?;
    // The 22nd word of all, so the 19th behind the state.
    let started = words.nth(18)?.parse().ok()?;
    (!["Z", "X"].contains(&state)).then_some(started)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn without_descriptors_a_number_means_the_process_that_had_it() {
        let mut child = std::process::Command::new("sleep")
            .arg("1000")
            .spawn()
            .unwrap();
        let pid = child.id();
        let handle = Handle::Born(start_time(pid).unwrap());
        let later = Handle::Born(start_time(pid).unwrap() + 1);
        later.send(pid, Signal::SIGKILL).unwrap();
        assert!(later.has_ended(pid, Duration::ZERO));
        assert!(!handle.has_ended(pid, Duration::ZERO));
        handle.send(pid, Signal::SIGKILL).unwrap();
        while !handle.has_ended(pid, STEP) {}
        child.wait().unwrap();
        assert!(handle.has_ended(pid, Duration::ZERO));
    }
}
