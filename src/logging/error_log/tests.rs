//! Tests of the error log: its lines, and that its settings change under those who write.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use tempfile::TempDir;

use super::*;
use crate::logging::shared;
use crate::settings::{AccessFormat, LogTarget, SyslogFacility};

/// An error log in a folder of its own.
struct Folder {
    dir: TempDir,
    log: Arc<ErrorLog>,
    shared: &'static LogShared,
}

fn settings(path: PathBuf, level: Level) -> LogSettings {
    LogSettings {
        access: None,
        access_format: AccessFormat::Combined,
        error: LogTarget::File(path),
        level,
        syslog: None,
        syslog_facility: SyslogFacility::DAEMON,
    }
}

impl Folder {
    fn new() -> Folder {
        let dir = tempfile::tempdir().unwrap();
        let shared: &'static LogShared = Box::leak(Box::new(LogShared::new()));
        let settings = settings(dir.path().join("a"), Level::INFO);
        let prepared = PreparedChange::open(&settings, shared).unwrap();
        let log = Arc::new(ErrorLog::new(prepared, shared));
        Folder { dir, log, shared }
    }

    /// Changes the settings to this file of the folder and this level.
    fn change(&self, name: &str, level: Level) -> Result<(), StartupError> {
        let settings = settings(self.dir.path().join(name), level);
        self.log
            .apply(PreparedChange::open(&settings, self.shared)?);
        Ok(())
    }

    fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.dir.path().join(name)).unwrap()
    }

    fn recording(&self, what: impl FnOnce()) {
        tracing::subscriber::with_default(Arc::clone(&self.log), what);
    }
}

#[test]
fn a_record_is_one_line_whatever_it_holds() {
    let folder = Folder::new();
    folder.recording(|| {
        let evil = "x\r\n2026-01-01T00:00:00Z ERROR forged\u{1b}[2J\u{2028}";
        tracing::warn!(field = evil, shown = %evil, number = 3, "message {evil}");
        tracing::debug!("below the level");
    });
    let text = folder.text("a");
    assert_eq!(text.lines().count(), 1, "{text:?}");
    assert!(!text.contains(['\r', '\u{1b}', '\u{2028}']), "{text:?}");
    let words = " WARN  unslow::logging::error_log::tests: message x";
    assert!(text[24..].starts_with(words), "{text}");
    assert!(text.contains(r#" field="x\r\n2026"#), "{text}");
    assert!(text.contains(r" shown=x\r\n2026"), "{text}");
    assert!(text.ends_with(" number=3\n"), "{text}");
}

#[test]
fn what_strangers_can_cause_is_not_recorded() {
    let folder = Folder::new();
    folder.recording(|| {
        tracing::error!(target: "actix_http::h1::dispatcher", "malformed");
        tracing::info!(target: "actix_server::builder", "starting");
        tracing::warn!(target: "actix_server::worker", "a worker fell");
    });
    let text = folder.text("a");
    assert!(
        text.ends_with("actix_server::worker: a worker fell\n"),
        "{text}"
    );
    assert_eq!(text.lines().count(), 1, "{text}");
}

#[test]
fn a_listener_that_was_closed_is_no_error_and_other_failures_to_accept_are() {
    let folder = Folder::new();
    let records = || {
        for code in [22, 24] {
            let error = std::io::Error::from_raw_os_error(code);
            tracing::error!(target: "actix_server::accept", "Error accepting connection: {error}");
        }
    };
    folder.recording(|| {
        records();
        folder.change("b", Level::DEBUG).unwrap();
        records();
    });
    let text = folder.text("a");
    assert_eq!(text.lines().count(), 1, "{text}");
    assert!(text.contains("ERROR"), "{text}");
    assert!(text.contains("os error 24"), "{text}");
    let text = folder.text("b");
    assert_eq!(text.matches("DEBUG").count(), 1, "{text}");
    assert_eq!(text.matches("ERROR").count(), 1, "{text}");
}

#[test]
fn level_and_target_change_while_it_is_in_use() {
    let folder = Folder::new();
    let both = |word: &str| {
        tracing::debug!("{word}");
        tracing::warn!("{word}");
    };
    folder.recording(|| {
        both("first");
        folder.change("b", Level::DEBUG).unwrap();
        both("second");
        folder.change("b", Level::ERROR).unwrap();
        both("third");
    });
    assert_eq!(folder.text("a").lines().count(), 1);
    let text = folder.text("b");
    assert_eq!(text.matches("second").count(), 2, "{text}");
    assert!(!text.contains("third"), "{text}");
}

#[test]
fn a_change_that_fails_leaves_everything_as_it_was() {
    let folder = Folder::new();
    folder.recording(|| {
        let error = folder.change("missing/b", Level::ERROR).unwrap_err();
        let error = error.to_string();
        assert!(error.contains("[log] error"), "{error}");
        assert!(error.contains("missing/b"), "{error}");
        tracing::info!("still here");
    });
    assert!(folder.text("a").contains("still here"));
}

#[test]
fn no_line_is_lost_or_doubled_by_changes_and_rotations() {
    let folder = Folder::new();
    let end = AtomicBool::new(false);
    let written = std::thread::scope(|scope| {
        let writers = [0, 1].map(|writer| {
            let (log, end) = (&folder.log, &end);
            scope.spawn(move || {
                let mut next = 0;
                while !end.load(Ordering::Relaxed) {
                    log.write(Level::INFO, &format!("{writer}-{next}"));
                    next += 1;
                }
                next
            })
        });
        let path = |name: &str| folder.dir.path().join(name);
        let length = |path: &Path| std::fs::metadata(path).unwrap().len();
        let mut old_files = Vec::new();
        for round in 0..20 {
            let old = path(&format!("old.{round}"));
            std::fs::rename(path("a"), &old).unwrap();
            shared::reopen_outputs([folder.log.log_output()].into_iter()).unwrap();
            old_files.push((length(&old), old));
            folder.change("b", Level::INFO).unwrap();
            folder.change("a", Level::INFO).unwrap();
        }
        end.store(true, Ordering::Relaxed);
        for (before, old) in old_files {
            assert_eq!(length(&old), before, "written to after it was left");
        }
        writers.map(|writer| writer.join().unwrap())
    });
    let mut found = std::collections::HashSet::new();
    for entry in std::fs::read_dir(folder.dir.path()).unwrap() {
        let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        for line in text.lines() {
            let word = line.rsplit(' ').next().unwrap().to_owned();
            assert!(found.insert(word), "twice: {line}");
        }
    }
    assert_eq!(found.len(), written.iter().sum::<usize>());
    assert_eq!(folder.shared.lost_lines().error, 0);
}

#[test]
fn lines_to_a_full_disk_are_counted_and_end_nothing() {
    let folder = Folder::new();
    let full = settings("/dev/full".into(), Level::INFO);
    folder
        .log
        .apply(PreparedChange::open(&full, folder.shared).unwrap());
    folder.recording(|| (0..3).for_each(|_| tracing::info!("nobody hears")));
    assert_eq!(folder.shared.lost_lines().error, 3);
}

#[test]
fn a_log_that_cannot_be_opened_says_which() {
    let log = settings(Path::new("/nowhere/error.log").into(), Level::INFO);
    let error = crate::logging::start_logging(&log).unwrap_err().to_string();
    assert!(
        error.contains("[log] error") && error.contains("/nowhere/error.log"),
        "{error}"
    );
}
