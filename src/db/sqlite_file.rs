//! The surroundings of a SQLite file that decide how it can be read: its journal or write-ahead
//! log, the right to write in its folder, and whether it stayed the same while it was read. SQLite
//! itself says of all of that only that it cannot open the file.

use std::ffi::OsString;
use std::fs::{self, File, Metadata};
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// The place where the header of a file says how it is written, and the number that means a
/// write-ahead log.
const VERSIONS: std::ops::Range<usize> = 18..20;
const WRITE_AHEAD: u8 = 2;

/// The device and inode of a file, which say what it is whatever its name, and its state, which
/// tells that other bytes were copied over it: SQLite itself notices only those who write as it
/// does.
pub(super) type FileId = (u64, u64, FrozenFile);

/// The state of a file that is read as one that nobody writes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FrozenFile {
    changed: Option<SystemTime>,
    length: u64,
}

impl FrozenFile {
    fn from_metadata(metadata: &Metadata) -> FrozenFile {
        FrozenFile {
            changed: metadata.modified().ok(),
            length: metadata.len(),
        }
    }
}

#[cfg(unix)]
pub(super) fn id(metadata: &Metadata) -> FileId {
    use std::os::unix::fs::MetadataExt;
    (
        metadata.dev(),
        metadata.ino(),
        FrozenFile::from_metadata(metadata),
    )
}

/// Elsewhere a file that is open can be neither replaced nor removed.
#[cfg(not(unix))]
pub(super) fn id(metadata: &Metadata) -> FileId {
    (0, 0, FrozenFile::from_metadata(metadata))
}

/// Returns the state of a file with an empty write-ahead log in a folder where SQLite can make none
/// of the files that it would want beside it; `None` where it reads the file as any other. Such a
/// file is whole by itself, until another program begins to write, which makes the log first.
pub(super) fn frozen_state(file: &Path) -> Option<FrozenFile> {
    let needs_help = has_write_ahead_log(file)
        && File::open(sibling_path(file, "-shm")).is_err()
        && !can_make_files_beside(file);
    if needs_help { file_state(file) } else { None }
}

/// Returns the state of a file, to be compared; `None` while a write-ahead log holds a part of it.
pub(super) fn file_state(file: &Path) -> Option<FrozenFile> {
    let log = fs::metadata(sibling_path(file, "-wal"));
    let has_log = match log {
        Ok(log) => log.len() > 0,
        Err(error) => error.kind() != ErrorKind::NotFound,
    };
    let meta = fs::metadata(file).ok().filter(|_| !has_log)?;
    Some(FrozenFile {
        changed: meta.modified().ok(),
        length: meta.len(),
    })
}

/// Returns why a file cannot be opened, and the remedy, as far as that can be seen from outside.
pub(super) fn why_unopened(file: &Path) -> Option<String> {
    let name = file.display();
    match fs::metadata(file) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Some(format!(
                "{name} is not there: [postgres] url names another file, or the file is not made yet"
            ));
        }
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            return Some(format!(
                "the folder of {name} cannot be entered: let the user that unslow runs as enter it"
            ));
        }
        Ok(meta) if meta.is_dir() => {
            return Some(format!("{name} is a folder: name the file in it"));
        }
        _ => {}
    }
    if let Err(error) = File::open(file) {
        let remedy = match error.kind() {
            ErrorKind::PermissionDenied => "let the user that unslow runs as read it",
            _ => "the system's log may say more",
        };
        return Some(format!("{name} cannot be read ({error}): {remedy}"));
    }
    has_write_ahead_log(file).then(|| why_log_unread(file))
}

/// Returns why the write-ahead log of a file cannot be read, and the remedy.
pub(super) fn why_log_unread(file: &Path) -> String {
    let name = file.display();
    format!(
        "{name} has a write-ahead log ({name}-wal), and what SQLite needs beside it to read that \
         cannot be made or read: let the user that unslow runs as write to its folder, or close the \
         log with: sqlite3 {name} 'pragma wal_checkpoint(truncate)'"
    )
}

/// Returns what a journal means that a program has left when it ended in the middle of a write.
pub(super) fn why_rolled_back(file: &Path) -> String {
    let name = file.display();
    format!(
        "{name} was being written by a program that ended before it was done, and its journal \
         ({name}-journal) must be rolled back first, which a reader cannot: open it once with a \
         program that may write, as: sqlite3 {name} 'select count(*) from sqlite_schema'"
    )
}

fn has_write_ahead_log(file: &Path) -> bool {
    let mut header = [0; VERSIONS.end];
    let read = File::open(file).and_then(|mut file| file.read_exact(&mut header));
    read.is_ok() && header[VERSIONS].contains(&WRITE_AHEAD)
}

fn sibling_path(file: &Path, suffix: &str) -> PathBuf {
    let mut name: OsString = file.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

#[cfg(unix)]
fn can_make_files_beside(file: &Path) -> bool {
    use nix::unistd::{AccessFlags, access};
    let folder = file.parent().filter(|folder| folder.as_os_str() != "");
    let rights = AccessFlags::W_OK | AccessFlags::X_OK;
    access(folder.unwrap_or(Path::new(".")), rights).is_ok()
}

#[cfg(not(unix))]
fn can_make_files_beside(_: &Path) -> bool {
    true
}
