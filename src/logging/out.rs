//! The place where the lines of one log go: a stream or a file, which can be opened again under its
//! name. Writing is one call of the system for any number of whole lines, so that several writers
//! to one file never mix within a line. The caller counts what is lost.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{PoisonError, RwLock};

use super::log_file::{self, LogFileError};
use crate::error::StartupError;
use crate::settings::LogTarget;

/// The output of one log.
#[derive(Debug)]
pub(super) struct LogOutput {
    setting: &'static str,
    /// `None` for a stream.
    path: Option<PathBuf>,
    /// Held for reading by those who write, so that whoever puts another file there knows that
    /// nobody writes to the old one any more.
    file: RwLock<File>,
    /// True where the file ends within a line, because the disk was full.
    torn: AtomicBool,
}

/// Lines that were not written.
#[derive(Debug)]
pub(super) struct UnwrittenLines {
    pub(super) lines: u64,
    pub(super) error: io::Error,
}

impl LogOutput {
    /// Opens the output that the setting called `setting` names.
    pub(super) fn open(
        target: &LogTarget,
        setting: &'static str,
    ) -> Result<LogOutput, StartupError> {
        let path = target.path().map(Path::to_path_buf);
        let file = match target {
            LogTarget::Stdout => stream::stdout().map_err(|error| no_stream(&error, setting))?,
            LogTarget::Stderr => stream::stderr().map_err(|error| no_stream(&error, setting))?,
            LogTarget::File(path) => open(path, setting)?,
        };
        Ok(LogOutput {
            path,
            ..LogOutput::wrap_file(file, setting)
        })
    }

    /// Makes it on a file that is open already.
    pub(super) fn wrap_file(file: File, setting: &'static str) -> LogOutput {
        LogOutput {
            setting,
            path: None,
            file: RwLock::new(file),
            torn: AtomicBool::new(false),
        }
    }

    /// Writes whole lines. On an error those that did not fit are named; one of which a part was
    /// written counts as not written, and the next line begins on a line of its own.
    pub(super) fn write(&self, lines: &[u8]) -> Result<(), UnwrittenLines> {
        let file = self.file.read().unwrap_or_else(PoisonError::into_inner);
        if self.torn.load(Ordering::Relaxed) && self.torn.swap(false, Ordering::Relaxed) {
            let mended = [b"\n", lines].concat();
            return self.write_lines(&file, &mended, 1);
        }
        self.write_lines(&file, lines, 0)
    }

    /// `before` bytes at the beginning are the end of a line that is counted already.
    fn write_lines(
        &self,
        mut file: &File,
        bytes: &[u8],
        before: usize,
    ) -> Result<(), UnwrittenLines> {
        let mut written = 0;
        let error = loop {
            match file.write(&bytes[written..]) {
                Ok(0) => break io::ErrorKind::WriteZero.into(),
                Ok(more) => written += more,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => break error,
            }
            if written == bytes.len() {
                return Ok(());
            }
        };
        let torn = match written {
            0 => before > 0,
            _ => bytes[written - 1] != b'\n',
        };
        if torn {
            self.torn.store(true, Ordering::Relaxed);
        }
        let rest = &bytes[written.max(before)..];
        let lines = rest.split_inclusive(|byte| *byte == b'\n').count() as u64;
        Err(UnwrittenLines { lines, error })
    }

    /// Returns the file of this name as it is now, to be [put in place](LogOutput::replace_file); `None` for a
    /// stream.
    pub(super) fn opened_again(&self) -> Result<Option<File>, StartupError> {
        let again = |path: &PathBuf| open(path, self.setting);
        self.path.as_ref().map(again).transpose()
    }

    /// Goes on in this file. It waits for the writes that are under way.
    pub(super) fn replace_file(&self, file: File) {
        let mut current = self.file.write().unwrap_or_else(PoisonError::into_inner);
        *current = file;
        self.torn.store(false, Ordering::Relaxed);
    }
}

fn open(path: &Path, setting: &str) -> Result<File, StartupError> {
    let shown = path.display();
    log_file::open(path).map_err(|error| match error {
        LogFileError::System(error) => {
            StartupError::new(format!("the log {shown} cannot be opened: {error}"))
                .at_place(setting)
                .with_remedy("name a file in a folder that unslow may write to")
        }
        LogFileError::Refused(why) => StartupError::new(format!(
            "root does not open the log {shown}: {why}, and could lead root to a file of root by it"
        ))
        .at_place(setting)
        .with_remedy(
            "name a file in a folder where only root may write, or name in [server] user the user \
             that unslow is to run as",
        ),
    })
}

fn no_stream(error: &io::Error, setting: &str) -> StartupError {
    StartupError::new(format!("the stream of the log cannot be used: {error}"))
        .at_place(setting)
        .with_remedy("name a file")
}

/// The standard streams without the standard library's buffer, which keeps what it could not write
/// and would bring it later, after it was counted as lost.
#[cfg(unix)]
mod stream {
    use std::fs::File;
    use std::io;
    use std::os::fd::AsFd;

    pub(super) fn stdout() -> io::Result<File> {
        Ok(io::stdout().as_fd().try_clone_to_owned()?.into())
    }

    pub(super) fn stderr() -> io::Result<File> {
        Ok(io::stderr().as_fd().try_clone_to_owned()?.into())
    }
}

#[cfg(windows)]
mod stream {
    use std::fs::File;
    use std::io;
    use std::os::windows::io::AsHandle;

    pub(super) fn stdout() -> io::Result<File> {
        Ok(io::stdout().as_handle().try_clone_to_owned()?.into())
    }

    pub(super) fn stderr() -> io::Result<File> {
        Ok(io::stderr().as_handle().try_clone_to_owned()?.into())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::fs::OpenOptions;

    use super::*;

    #[test]
    fn lines_that_do_not_fit_are_counted_and_the_next_begins_anew() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let target = LogTarget::File(path.clone());
        let out = LogOutput::open(&target, "[log] error").unwrap();
        out.write(b"one\n").unwrap();
        out.replace_file(OpenOptions::new().append(true).open("/dev/full").unwrap());
        let unwritten = out.write(b"two\nthree\n").unwrap_err();
        assert_eq!(unwritten.lines, 2);
        assert_eq!(unwritten.error.kind(), io::ErrorKind::StorageFull);
        // A disk that gets full within a line leaves a part of it.
        let file = out.opened_again().unwrap().unwrap();
        (&file).write_all(b"fo").unwrap();
        out.replace_file(file);
        out.torn.store(true, Ordering::Relaxed);
        out.write(b"five\n").unwrap();
        out.write(b"six\n").unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text, "one\nfo\nfive\nsix\n");
    }

    #[test]
    fn a_line_that_is_cut_counts_once_and_is_ended_by_the_next() {
        let (reader, writer) = std::io::pipe().unwrap();
        let out = LogOutput::wrap_file(File::from(std::os::fd::OwnedFd::from(writer)), "");
        drop(reader);
        // Nothing was written: what comes next needs no line end before it.
        assert_eq!(out.write(b"one\n").unwrap_err().lines, 1);
        assert!(!out.torn.load(Ordering::Relaxed));
        // The mark of a cut line stays until a line end is written, which counts as no line.
        out.torn.store(true, Ordering::Relaxed);
        assert_eq!(out.write(b"two\nthree\n").unwrap_err().lines, 2);
        assert!(out.torn.load(Ordering::Relaxed));
    }

    #[test]
    fn a_file_that_cannot_be_opened_again_leaves_the_open_one_in_use() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("logs");
        std::fs::create_dir(&folder).unwrap();
        let target = LogTarget::File(folder.join("log"));
        let out = LogOutput::open(&target, "[log] error").unwrap();
        let moved = dir.path().join("moved");
        std::fs::rename(&folder, &moved).unwrap();
        let error = out.opened_again().unwrap_err().to_string();
        assert!(error.contains("[log] error"), "{error}");
        out.write(b"still here\n").unwrap();
        let text = std::fs::read_to_string(moved.join("log")).unwrap();
        assert_eq!(text, "still here\n");
    }
}
