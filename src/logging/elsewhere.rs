//! Opening the file of a log by its name, where there is no root.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::Path;

/// The reason why the file of a log is not opened.
#[derive(Debug)]
#[expect(dead_code, reason = "nothing is refused here")]
pub(super) enum LogFileError {
    /// The system's error.
    System(io::Error),
    /// Another user could lead root to a file that is none of theirs.
    Refused(String),
}

/// Opens the file at `path` to append to it, and creates it where there is none.
pub(super) fn open(path: &Path) -> Result<File, LogFileError> {
    let file = OpenOptions::new().create(true).append(true).open(path);
    file.map_err(LogFileError::System)
}
