//! The process that a pidfile belongs to, as the kernel says it: the one that holds the file's
//! lock, or serves the control socket beside it. the one that holds the file's lock, or serves the
//! control socket beside it. The number in the file chooses among several holders and means nothing
//! else: whoever may write the folder may write any number. Also: whether root may believe that
//! folder at all.

use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::{fs, io};

use super::control;
use super::pidfile::{self, PidfileState};
use super::process::{ForeignProcess, ProcessOwner, RunningProcess};
use crate::defence::Defence;
use crate::error::StartupError;
use crate::trusted_place::{OtherWriter, PlaceRights};

/// The reason why it is not known which process a pidfile belongs to.
#[derive(Debug, thiserror::Error)]
pub enum UnknownHolder {
    /// The file cannot be read.
    #[error("{0}")]
    Unreadable(#[from] io::Error),
    /// It belongs to another user than the one who asks, who is not root.
    #[error("pid {0} runs as another user: only that one and root may end it")]
    NotAllowed(u32),
    /// A process holds it that is not ours, or that cannot be seen.
    #[error("{0}")]
    Foreign(String),
}

/// Returns what the pidfile at `path` says, with the number of the process that holds it. Where
/// the holder is hidden from a user who is not root the number is the one in the file.
///
/// # Errors
/// The file cannot be read, or a stranger holds it.
pub fn pidfile_state(path: &Path, owner: ProcessOwner) -> Result<PidfileState, UnknownHolder> {
    if Defence::Pidfile.is_off() {
        return Ok(pidfile::read_state(path)?);
    }
    let noted = match pidfile::read_state(path) {
        Ok(free @ (PidfileState::Absent | PidfileState::Stale)) => return Ok(free),
        Ok(PidfileState::Running(number)) => Some(number),
        Ok(PidfileState::Starting) => None,
        // It is locked, and holds no number.
        Err(error) if error.kind() == io::ErrorKind::InvalidData => None,
        Err(error) => return Err(error.into()),
    };
    let holders = lock_holders(path)?;
    let (mut ours, mut why) = (Vec::new(), None);
    for pid in holders.seen {
        match examine_process(pid, owner) {
            Ok(()) => ours.push(pid),
            Err(stranger) => why = Some(stranger),
        }
    }
    let peer = || {
        control::listening_process(&pidfile::control_socket(path))
            .ok()
            .flatten()
    };
    if let Some(number) = noted.filter(|number| ours.contains(number)) {
        return Ok(PidfileState::Running(number));
    }
    if !ours.is_empty() {
        // A process that starts, or a number that somebody else has written.
        let peer = peer().filter(|peer| ours.contains(peer));
        return Ok(peer.map_or(PidfileState::Starting, PidfileState::Running));
    }
    if let Some(stranger) = why {
        return Err(foreign_error(path, &stranger.to_string()));
    }
    // The file is locked and nobody is seen to hold it: its holder is hidden, also where `/proc`
    // shows no process that could not be looked into.
    let is_root = nix::unistd::geteuid().is_root();
    if (!holders.all || !is_root)
        && let Some(peer) = peer()
        && examine_process(peer, owner).is_ok()
    {
        return Ok(PidfileState::Running(peer));
    }
    if is_root {
        let unseen = "its process cannot be seen from here: it may be in another container, or on \
                      another machine";
        return Err(foreign_error(path, unseen));
    }
    Ok(noted.map_or(PidfileState::Starting, PidfileState::Running))
}

/// Returns the process that holds the pidfile at `path`, to be signalled; `None` where none does
/// or its number is not known yet.
///
/// # Errors
/// As [`pidfile_state`]; or the process cannot be told from a stranger's.
pub fn holding_process(
    path: &Path,
    owner: ProcessOwner,
) -> Result<Option<RunningProcess>, UnknownHolder> {
    let PidfileState::Running(pid) = pidfile_state(path, owner)? else {
        return Ok(None);
    };
    let Some(process) = RunningProcess::open(pid)? else {
        return Ok(None);
    };
    if Defence::Pidfile.is_off() {
        return Ok(Some(process));
    }
    if process.is_out_of_reach() {
        return Err(UnknownHolder::NotAllowed(pid));
    }
    process
        .check_owner(owner)
        .map_err(|why| foreign_error(path, &why.to_string()))?;
    // The handle is open by now: what holds the file is this process, and no later one.
    let still = pidfile_state(path, owner)? == PidfileState::Running(pid);
    Ok(still.then_some(process))
}

/// Checks that a process is of this program and this owner.
///
/// # Errors
/// It is not, in words.
pub fn examine_process(pid: u32, owner: ProcessOwner) -> Result<(), ForeignProcess> {
    match RunningProcess::open(pid) {
        Ok(Some(process)) => process.check_owner(owner),
        Ok(None) => Err(ForeignProcess::new(format!("pid {pid} has ended"))),
        Err(error) => Err(ForeignProcess::new(error.to_string())),
    }
}

fn foreign_error(path: &Path, why: &str) -> UnknownHolder {
    UnknownHolder::Foreign(format!(
        "the pidfile {} is not believed: {why}\n  nothing was signalled; name the right file with \
         --pid, or remove this one and end that process by hand",
        path.display()
    ))
}

/// The processes that hold the lock on a file.
struct LockHolders {
    seen: Vec<u32>,
    /// True where every process could be looked at.
    all: bool,
}

/// Returns the processes that have the file at `path` open under an exclusive lock. The kernel's
/// own list names the process that took the lock, which may have left it to its child; so each
/// open file is asked.
fn lock_holders(path: &Path) -> io::Result<LockHolders> {
    let file = fs::symlink_metadata(path)?;
    let wanted = (file.dev(), file.ino());
    let mut found = LockHolders {
        seen: Vec::new(),
        all: true,
    };
    let Ok(processes) = fs::read_dir("/proc") else {
        found.all = false;
        return Ok(found);
    };
    for process in processes.flatten() {
        let name = process.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        match holds_lock(pid, wanted) {
            Ok(true) => found.seen.push(pid),
            Ok(false) => {}
            Err(error) => found.all &= error.kind() != io::ErrorKind::PermissionDenied,
        }
    }
    Ok(found)
}

fn holds_lock(pid: u32, wanted: (u64, u64)) -> io::Result<bool> {
    for entry in fs::read_dir(format!("/proc/{pid}/fdinfo"))?.flatten() {
        // Read before the file is looked at: to look at any file may take long, where it is on a
        // network, and few have a lock.
        let Ok(info) = fs::read_to_string(entry.path()) else {
            continue;
        };
        let is_lock = |line: &str| {
            line.starts_with("lock:") && line.contains("FLOCK") && line.contains("WRITE")
        };
        if !info.lines().any(is_lock) {
            continue;
        }
        let link = format!("/proc/{pid}/fd/{}", entry.file_name().display());
        if fs::metadata(link).is_ok_and(|file| (file.dev(), file.ino()) == wanted) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Returns the user whose processes root's commands are about: that of the settings, or, where
/// these name none, the owner of the pidfile's folder, as a unit's `User=` has it. It is what the
/// kernel says of the folder, nothing that is written there: nobody else's process is signalled
/// then.
pub fn owner_of_place(path: &Path, owner: ProcessOwner) -> ProcessOwner {
    if !nix::unistd::geteuid().is_root() || owner.user != 0 {
        return owner;
    }
    let folder = path.parent().and_then(|folder| fs::metadata(folder).ok());
    folder.map_or(owner, |folder| ProcessOwner {
        user: folder.uid(),
        ..owner
    })
}

/// Checks that no user but root and `owner` can put another file in the place of the pidfile at
/// `path`. It concerns root alone: for everybody else the kernel allows nothing that could harm.
///
/// # Errors
/// Another user can.
pub fn trusted_place(path: &Path, owner: ProcessOwner) -> Result<(), StartupError> {
    if !nix::unistd::geteuid().is_root() || Defence::Pidfile.is_off() {
        return Ok(());
    }
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let folder = path.parent().unwrap_or(Path::new("/"));
    let real = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    let places: BTreeSet<&Path> = folder.ancestors().chain(real.ancestors()).collect();
    for place in places {
        if let Ok(meta) = place.symlink_metadata() {
            let who = PlaceRights::from(&meta).other_writer(owner.user, owner.group);
            who.map_or(Ok(()), |who| Err(folder_refusal(&path, place, who)))?;
        }
    }
    match path.symlink_metadata() {
        Ok(meta) if meta.uid() != 0 && meta.uid() != owner.user => {
            Err(folder_refusal(&path, &path, OtherWriter::User(meta.uid())))
        }
        _ => Ok(()),
    }
}

fn folder_refusal(path: &Path, place: &Path, who: OtherWriter) -> StartupError {
    StartupError::new(format!(
        "root does not use the pidfile {}: {who} may write {}, and could name anybody's process \
         there",
        path.display(),
        place.display()
    ))
    .at_place("--pid / [server] pidfile")
    .with_remedy(
        "keep it where only root and the user of [server] user may write, as in /run; or run \
         unslow as that user",
    )
}

#[cfg(test)]
#[path = "claim/tests.rs"]
mod tests;
