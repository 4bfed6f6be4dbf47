//! The file that says which process runs. What counts is its lock, held as long as the process
//! lives, and never the number in it: a number outlives its process and is given to others.

use std::ffi::OsString;
use std::fs::{File, OpenOptions, Permissions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::fcntl::OFlag;

use crate::error::StartupError;

/// Everybody may read it, whatever the umask: who may not cannot ask whether it is locked.
const MODE: u32 = 0o644;

/// More than any number takes.
const LONGEST: u64 = 64;

/// The number of tries for the lock: a process that only looks holds it too, for a moment.
const TRIES: usize = 20;
const BETWEEN_TRIES: Duration = Duration::from_millis(10);

/// The name in settings.
const PLACE: &str = "--pid / [server] pidfile";

/// A pidfile of ours, locked. Dropping it removes the file where it still is this one, unless another
/// process goes on with it ([`hand_on`](Self::hand_on)).
#[derive(Debug)]
pub struct Pidfile {
    file: File,
    path: PathBuf,
    handed_on: bool,
}

/// The reason why a pidfile is not ours.
#[derive(Debug)]
pub enum NotLocked {
    /// Another process holds it.
    Held {
        /// The path.
        path: PathBuf,
        /// The number it has written, if it has already.
        pid: Option<u32>,
    },
    /// It cannot be used.
    Unusable(StartupError),
}

impl From<NotLocked> for StartupError {
    fn from(error: NotLocked) -> Self {
        match error {
            NotLocked::Held { path, pid } => {
                let pid = pid.map_or_else(|| "it starts".to_owned(), |pid| format!("pid {pid}"));
                let remedy = "`unslow status` says more; for a second one give another --pid";
                StartupError::new(format!(
                    "already running ({pid}): it holds {}",
                    path.display()
                ))
                .at_place(PLACE)
                .with_remedy(remedy)
            }
            NotLocked::Unusable(error) => error,
        }
    }
}

/// The content of a pidfile about its process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PidfileState {
    /// There is none.
    Absent,
    /// There is one, and nobody holds it: its process has died.
    Stale,
    /// A process holds it and has not yet written its number.
    Starting,
    /// This process holds it.
    Running(u32),
}

impl Pidfile {
    /// Takes the file at `path`, making it where there is none. One that nobody holds is taken
    /// over, whatever number it has.
    ///
    /// # Errors
    /// Another process holds it, or it is no regular file, holds something else than a number, or
    /// cannot be opened.
    pub fn lock(path: &Path) -> Result<Pidfile, NotLocked> {
        let unusable = |error: &io::Error| NotLocked::Unusable(unusable_error(path, error));
        for try_ in 1.. {
            let mut file = open(path).map_err(|error| unusable(&error))?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) if try_ < TRIES => {
                    std::thread::sleep(BETWEEN_TRIES);
                    continue;
                }
                Err(TryLockError::WouldBlock) => {
                    let pid = read_number(&mut file).unwrap_or_default();
                    let path = path.to_owned();
                    return Err(NotLocked::Held { path, pid });
                }
                Err(TryLockError::Error(error)) => return Err(unusable(&error)),
            }
            // The process that held it may have removed it between the opening and the lock.
            if is_at(&file, path) {
                return Ok(Pidfile::new(file, path));
            }
        }
        unreachable!("the loop ends by returning")
    }

    /// Takes over a file that was locked by whoever started this process and is inherited from
    /// it: the lock belongs to both.
    ///
    /// # Errors
    /// It is not that path's file any more, or is locked by somebody else.
    pub fn adopt_file(file: File, path: &Path) -> Result<Pidfile, StartupError> {
        // Where the lock is ours already this changes nothing.
        if file.try_lock().is_err() || !is_at(&file, path) {
            let why = format!("the inherited pidfile is not {} any more", path.display());
            return Err(StartupError::new(why).at_place(PLACE));
        }
        Ok(Pidfile::new(file, path))
    }

    fn new(file: File, path: &Path) -> Pidfile {
        Pidfile {
            file,
            path: path.to_owned(),
            handed_on: false,
        }
    }

    /// Writes the number of a process, in place of what was there.
    pub fn write(&mut self, pid: u32) -> io::Result<()> {
        let line = format!("{pid}\n");
        self.file.rewind()?;
        self.file.write_all(line.as_bytes())?;
        // Afterwards: who reads meanwhile reads the first line, and never an empty file.
        self.file.set_len(line.len() as u64)
    }

    /// Puts it in the place of another file, whose holder steps down. The lock comes along.
    pub fn rename_to(&mut self, to: &Path) -> io::Result<()> {
        std::fs::rename(&self.path, to)?;
        to.clone_into(&mut self.path);
        Ok(())
    }

    /// Returns whether its path still leads to this file.
    pub fn is_there(&self) -> bool {
        is_at(&self.file, &self.path)
    }

    /// Returns where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the open file, for a process that is to inherit the lock.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Leaves the file to another process, which holds the lock too or takes the file's place.
    pub fn hand_on(mut self) {
        self.handed_on = true;
    }
}

impl Drop for Pidfile {
    fn drop(&mut self) {
        if !self.handed_on && self.is_there() {
            // Left behind it is stale, which harms nobody.
            drop(std::fs::remove_file(&self.path));
        }
    }
}

/// Returns what the pidfile at `path` says.
///
/// # Errors
/// It cannot be read, or is no regular file.
pub fn read_state(path: &Path) -> io::Result<PidfileState> {
    let opened = OpenOptions::new()
        .read(true)
        .custom_flags(open_flags().bits())
        .open(path);
    let mut file = match opened {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(PidfileState::Absent),
        Err(_) if path.is_symlink() => {
            let why = "it is a symbolic link: name the file itself";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
        }
        Err(error) => return Err(error),
    };
    require_regular(&file)?;
    match file.try_lock() {
        Ok(()) => Ok(PidfileState::Stale),
        Err(TryLockError::WouldBlock) => {
            Ok(read_number(&mut file)?.map_or(PidfileState::Starting, PidfileState::Running))
        }
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Returns the number in the pidfile at `path`, where a process holds that. Whether this number is
/// the holder's is for `claim` to find out.
pub fn read_holder(path: &Path) -> Option<u32> {
    match read_state(path) {
        Ok(PidfileState::Running(pid)) => Some(pid),
        _ => None,
    }
}

/// Returns the pidfile of the process that is to take this one's place.
pub fn successor_path(path: &Path) -> PathBuf {
    with_suffix(path, ".2")
}

/// Returns the control socket that belongs to a pidfile.
pub fn control_socket(path: &Path) -> PathBuf {
    with_suffix(path, ".ctl")
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Returns the place of a daemon's pidfile where no setting names it: in `$RUNTIME_DIRECTORY`, else
/// in `$XDG_RUNTIME_DIR/unslow`, else in `folder`, which is that of the ini file or the working
/// directory.
pub fn default_path(variable: impl Fn(&str) -> Option<OsString>, folder: &Path) -> PathBuf {
    let absolute = |name: &str| {
        // systemd names several with colons between them.
        let value = variable(name)?.into_string().ok()?;
        let first = PathBuf::from(value.split(':').next().unwrap_or_default());
        first.is_absolute().then_some(first)
    };
    absolute("RUNTIME_DIRECTORY")
        .or_else(|| absolute("XDG_RUNTIME_DIR").map(|runtime| runtime.join("unslow")))
        .unwrap_or_else(|| folder.to_owned())
        .join("unslow.pid")
}

/// Makes the folder of a default pidfile, for this user alone. One that is there stays as it is.
pub fn make_folder(pidfile: &Path) -> Result<(), StartupError> {
    let Some(folder) = pidfile.parent().filter(|folder| !folder.exists()) else {
        return Ok(());
    };
    std::fs::DirBuilder::new()
        .mode(0o700)
        .create(folder)
        .or_else(|error| {
            // Two that start at once both make it.
            if folder.is_dir() { Ok(()) } else { Err(error) }
        })
        .map_err(|error| unusable_error(pidfile, &error))
}

/// Neither a link, which could lead anywhere, nor something that blocks.
fn open_flags() -> OFlag {
    OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC
}

fn open(path: &Path) -> io::Result<File> {
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(MODE)
        .custom_flags(open_flags().bits())
        .open(path)?;
    let meta = require_regular(&file)?;
    if meta.nlink() > 1 {
        // Another user may have given the name to a file that only this one may write.
        let why = "it has another name too, under which it may be somebody else's";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
    }
    read_number(&mut file)?;
    if meta.len() > LONGEST {
        let why = "it is too long for the number of a process";
        return Err(io::Error::new(io::ErrorKind::InvalidData, why));
    }
    if meta.mode() & 0o777 != MODE && meta.uid() == nix::unistd::geteuid().as_raw() {
        file.set_permissions(Permissions::from_mode(MODE))?;
    }
    Ok(file)
}

fn require_regular(file: &File) -> io::Result<std::fs::Metadata> {
    let meta = file.metadata()?;
    if meta.is_file() {
        return Ok(meta);
    }
    Err(io::Error::new(
        io::ErrorKind::InvalidInput,
        "it is no regular file",
    ))
}

/// Returns the number on the first line; `None` for an empty file. Anything else is an error: a
/// file of another kind was named by mistake, and must not be overwritten.
fn read_number(file: &mut File) -> io::Result<Option<u32>> {
    file.rewind()?;
    let mut text = String::new();
    file.take(LONGEST).read_to_string(&mut text)?;
    let first = text.lines().next().unwrap_or_default().trim();
    if text.trim().is_empty() {
        return Ok(None);
    }
    let why = "it holds something else than the number of a process";
    let invalid = |_| io::Error::new(io::ErrorKind::InvalidData, why);
    first.parse().map(Some).map_err(invalid)
}

/// Returns whether this open file is the one at that path.
fn is_at(file: &File, path: &Path) -> bool {
    let (Ok(ours), Ok(there)) = (file.metadata(), path.symlink_metadata()) else {
        return false;
    };
    (ours.dev(), ours.ino()) == (there.dev(), there.ino())
}

fn unusable_error(path: &Path, error: &io::Error) -> StartupError {
    let remedy = match error.kind() {
        _ if path.is_symlink() => "it is a symbolic link: name the file itself",
        io::ErrorKind::NotFound => "make its folder, or name a file elsewhere",
        io::ErrorKind::PermissionDenied => "name a file in a folder that unslow may write to",
        io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput => {
            "name a file of its own for the pidfile"
        }
        _ => "name another file",
    };
    StartupError::new(format!(
        "the pidfile {} cannot be used: {error}",
        path.display()
    ))
    .at_place(PLACE)
    .with_remedy(remedy)
}

#[cfg(test)]
mod tests;
