//! A process as the kernel shows it: whose it is, which program it runs, and a handle that means
//! this process and no later one of the same number. Which process a command is about is found by
//! `claim`; nothing here believes what another user can write.

use std::ffi::{OsStr, OsString};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use std::{fmt, fs, io};

use nix::sys::signal::Signal;

use handle::Handle;

#[cfg(not(target_os = "linux"))]
#[path = "process/elsewhere.rs"]
mod handle;
#[cfg(target_os = "linux")]
#[path = "process/linux.rs"]
mod handle;

/// The longest name that the kernel keeps of a process, in bytes.
const SHORT_NAME: usize = 15;

/// The user whose processes a command may be about, and the group of that user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProcessOwner {
    /// The number of the user.
    pub user: u32,
    /// The number of the group, where it is known.
    pub group: Option<u32>,
}

impl ProcessOwner {
    /// Returns the user and group that this process runs as.
    pub fn of_this_process() -> ProcessOwner {
        ProcessOwner {
            user: nix::unistd::geteuid().as_raw(),
            group: Some(nix::unistd::getegid().as_raw()),
        }
    }
}

/// A process that a command may be about.
#[derive(Debug)]
pub struct RunningProcess {
    pid: u32,
    handle: Handle,
}

/// The reason why a process is not signalled and its answers are not believed, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForeignProcess(String);

impl ForeignProcess {
    pub(super) fn new(why: String) -> ForeignProcess {
        ForeignProcess(why)
    }
}

impl fmt::Display for ForeignProcess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl RunningProcess {
    /// Opens the process of this number; `None` where there is none.
    ///
    /// # Errors
    /// No process can have this number, or the system gives no handle.
    pub fn open(pid: u32) -> io::Result<Option<RunningProcess>> {
        if pid == 0 || i32::try_from(pid).is_err() {
            let why = format!("no process has the number {pid}");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
        }
        let handle = Handle::open(pid)?;
        Ok(handle.map(|handle| RunningProcess { pid, handle }))
    }

    /// Returns the number of the process.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Returns whether the one who asks may not signal it: neither root nor the process's user.
    pub fn is_out_of_reach(&self) -> bool {
        let asks = nix::unistd::geteuid();
        let is_another_s = |user| user != asks.as_raw();
        !asks.is_root() && user_of(self.pid).is_some_and(is_another_s)
    }

    /// Checks that the process runs this program as `owner`, or as root where root asks: a process
    /// that starts has not become the other user yet.
    ///
    /// # Errors
    /// It does not, or that cannot be seen.
    pub fn check_owner(&self, owner: ProcessOwner) -> Result<(), ForeignProcess> {
        let pid = self.pid;
        if cfg!(not(target_os = "linux")) && !nix::unistd::geteuid().is_root() {
            // Nothing can be seen there; the system lets a user signal that user's own alone.
            return Ok(());
        }
        let Some(user) = user_of(pid) else {
            // A sandbox may hide all processes from a service's own commands (`ProtectProc`, another
            // user namespace). The kernel still lets nobody but root signal another user's process.
            return if self.is_alive() && !nix::unistd::geteuid().is_root() {
                Ok(())
            } else {
                Err(ForeignProcess(format!("pid {pid} has ended")))
            };
        };
        let root_asks = user == 0 && nix::unistd::geteuid().is_root();
        if user != owner.user && !root_asks {
            return Err(ForeignProcess(format!(
                "pid {pid} runs as another user ({}) than these settings say ({})",
                user_name(user),
                user_name(owner.user)
            )));
        }
        if !runs_this_program(pid) {
            return Err(ForeignProcess(format!(
                "pid {pid} runs {}",
                program_of(pid)
            )));
        }
        if !self.is_alive() {
            return Err(ForeignProcess(format!("pid {pid} has ended")));
        }
        Ok(())
    }

    /// Sends a signal. A process that has ended meanwhile is no error.
    ///
    /// # Errors
    /// The system does not allow it.
    pub fn send(&self, signal: Signal) -> io::Result<()> {
        match self.handle.send(self.pid, signal) {
            Err(error) if error.raw_os_error() == Some(nix::errno::Errno::ESRCH as i32) => Ok(()),
            sent => sent,
        }
    }

    /// Waits until the process has ended, for so long; `false` where it has not.
    pub fn ends_within(&self, patience: Duration) -> bool {
        let until = Instant::now() + patience;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if self.handle.has_ended(self.pid, left) {
                return true;
            }
            if left.is_zero() {
                return false;
            }
        }
    }

    fn is_alive(&self) -> bool {
        !self.handle.has_ended(self.pid, Duration::ZERO)
    }
}

/// Returns the user that a process acts as; `None` where there is no such process.
fn user_of(pid: u32) -> Option<u32> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("Uid:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

fn user_name(user: u32) -> String {
    let uid = nix::unistd::Uid::from_raw(user);
    let entry = nix::unistd::User::from_uid(uid).ok().flatten();
    entry.map_or_else(|| user.to_string(), |entry| entry.name)
}

/// Returns whether a process runs this program: the same file, a file of the same name (which may
/// have been replaced since), or one that is called as the program is, as `unslow-0.2` and
/// `unslow.old` are. An innocent process passes for none of these; a process that pretends ends
/// itself alone.
fn runs_this_program(pid: u32) -> bool {
    let link = format!("/proc/{pid}/exe");
    let file = |path: &str| fs::metadata(path).map(|file| (file.dev(), file.ino()));
    if let (Ok(own), Ok(theirs)) = (file("/proc/self/exe"), file(&link))
        && own == theirs
    {
        return true;
    }
    let name = match fs::read_link(&link) {
        Ok(path) => without_deleted(&path).file_name().map(OsStr::to_owned),
        // A process that has given up root's rights shows its file to root alone, and in a
        // container not even to root; the kernel's short name of it is for everybody.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            let comm = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
            Some(comm.trim_end().into())
        }
        Err(_) => None,
    };
    let name = name.unwrap_or_default();
    let name = name.as_encoded_bytes();
    let own = own_name().unwrap_or_default();
    let own = own.as_encoded_bytes();
    let is_own = own == name || (own.len() > SHORT_NAME && own[..SHORT_NAME] == *name);
    is_own || name.starts_with(env!("CARGO_PKG_NAME").as_bytes())
}

fn own_name() -> Option<OsString> {
    let own = std::env::current_exe().ok()?;
    without_deleted(&own).file_name().map(OsStr::to_owned)
}

/// Returns the path that a file had when it was still there.
fn without_deleted(path: &Path) -> PathBuf {
    let text = path.to_string_lossy();
    match text.strip_suffix(" (deleted)") {
        Some(path) => PathBuf::from(path),
        None => path.to_owned(),
    }
}

/// Returns a name for the program that a process runs, for messages.
fn program_of(pid: u32) -> String {
    let path = fs::read_link(format!("/proc/{pid}/exe")).ok();
    let comm = || fs::read_to_string(format!("/proc/{pid}/comm")).ok();
    let name = path.map(|path| path.display().to_string()).or_else(comm);
    let name = name.unwrap_or_else(|| "a program that cannot be seen".to_owned());
    format!("{}, which is not this program", name.trim_end())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn numbers_that_no_process_has_are_refused_in_words() {
        for pid in [0, u32::MAX, i32::MAX.cast_unsigned() + 1] {
            let error = RunningProcess::open(pid).unwrap_err();
            assert!(error.to_string().contains(&pid.to_string()), "{error}");
        }
        assert!(
            RunningProcess::open(i32::MAX.cast_unsigned())
                .unwrap()
                .is_none()
        );
    }

    #[test]
    fn this_process_is_this_program_s_and_its_children_of_another_program_are_not() {
        let owner = ProcessOwner::of_this_process();
        let own = RunningProcess::open(std::process::id()).unwrap().unwrap();
        own.check_owner(owner).unwrap();
        let other = ProcessOwner {
            user: owner.user + 1,
            ..owner
        };
        if owner.user != 0 {
            let why = own.check_owner(other).unwrap_err().to_string();
            assert!(why.contains("another user"), "{why}");
        }
        let mut child = std::process::Command::new("sleep")
            .arg("1000")
            .spawn()
            .unwrap();
        let sleeping = RunningProcess::open(child.id()).unwrap().unwrap();
        // Until the child has become another program it is a copy of this one.
        while sleeping.check_owner(owner).is_ok() {
            std::thread::yield_now();
        }
        let why = sleeping.check_owner(owner).unwrap_err().to_string();
        assert!(why.contains("not this program"), "{why}");
        assert!(!sleeping.ends_within(Duration::ZERO));
        sleeping.send(Signal::SIGTERM).unwrap();
        // It has ended before its parent has asked about it.
        assert!(sleeping.ends_within(Duration::from_mins(10)));
        child.wait().unwrap();
        sleeping.send(Signal::SIGTERM).unwrap();
        assert!(sleeping.check_owner(owner).is_err());
    }

    #[test]
    fn a_file_that_was_replaced_keeps_the_name_of_its_path() {
        let path = |text: &str| without_deleted(Path::new(text)).display().to_string();
        assert_eq!(path("/usr/bin/unslow (deleted)"), "/usr/bin/unslow");
        assert_eq!(path("/usr/bin/unslow"), "/usr/bin/unslow");
    }
}
