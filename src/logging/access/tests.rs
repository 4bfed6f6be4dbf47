//! Tests of the access log: its queue and its file; its lines are in `lines`.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::Duration;

use super::*;
use crate::logging::shared;
use crate::outcome::{Outcome, Tier};
use crate::settings::{LogTarget, SyslogFacility};

mod lines;

/// Headers by name.
struct Pairs(&'static [(&'static str, &'static str)]);

impl LoggedHeaders for Pairs {
    fn header(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| *value)
    }
}

fn record() -> AccessRecord<'static> {
    AccessRecord {
        client: Some("::ffff:192.0.2.7".parse().unwrap()),
        method: "GET",
        path: "/q/top.json",
        has_query: true,
        version: "HTTP/1.1",
        status: 200,
        bytes: 754,
        duration: Duration::from_micros(1_001_250),
        referer: Some("https://example.com/a?token=hunter2"),
        user_agent: Some("curl/8 \"quoted\""),
        request_id: "abc-1",
        outcome: Some(Outcome::Hit(Tier::Memory)),
        request_headers: &Pairs(&[
            ("accept", "text/csv"),
            ("authorization", "Basic YWRhOmh1bnRlcjI="),
            ("cookie", "session=hunter2"),
            ("x-api-key", "hunter2"),
            ("x-original-url", "/a?password=hunter2"),
        ]),
        response_headers: &Pairs(&[("age", "3"), ("set-cookie", "session=hunter2")]),
    }
}

fn log(path: &Path) -> LogSettings {
    LogSettings {
        access: Some(LogTarget::File(path.to_owned())),
        access_format: AccessFormat::Json,
        error: LogTarget::Stderr,
        level: tracing::Level::INFO,
        syslog: None,
        syslog_facility: SyslogFacility::DAEMON,
    }
}

fn shared() -> &'static LogShared {
    Box::leak(Box::new(LogShared::new()))
}

#[test]
fn every_line_is_written_by_the_time_the_log_is_dropped() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("access.log");
    let shared = shared();
    for _ in 0..2 {
        let access = AccessLog::open_in(&log(&path), shared).unwrap().unwrap();
        for _ in 0..500 {
            access.write(&record());
        }
    }
    assert_eq!(shared.lost_lines().access, 0);
    let text = std::fs::read_to_string(&path).unwrap();
    assert_eq!(
        text.lines().count(),
        1000,
        "a second log appends to the first"
    );
}

/// A log on a pipe, which nobody has to read.
fn piped(waiting: usize) -> (AccessLog, std::io::PipeReader, &'static LogShared) {
    let (reader, writer) = std::io::pipe().unwrap();
    let out = LogOutput::wrap_file(File::from(OwnedFd::from(writer)), "[log] access");
    let shared = shared();
    let log = AccessLog::with_output(out, AccessFormat::Json, waiting, shared).unwrap();
    (log, reader, shared)
}

#[test]
fn a_stuck_disk_costs_lines_and_not_time() {
    let (log, mut reader, shared) = piped(4);
    // Once the pipe is full the writer stands still, and then the queue gets full.
    let mut asked: u64 = 0;
    while shared.lost_lines().access == 0 {
        log.write(&record());
        asked += 1;
    }
    for _ in 0..10 {
        log.write(&record());
        asked += 1;
    }
    let reading = std::thread::spawn(move || {
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        text
    });
    drop(log);
    let text = reading.join().unwrap();
    let lost = shared.lost_lines().access;
    assert_eq!(text.lines().count() as u64 + lost, asked);
    assert!(text.lines().all(|line| line.ends_with('}')));
}

#[test]
fn lines_to_a_full_disk_and_to_a_closed_stream_are_counted() {
    let shared = shared();
    let log = log(Path::new("/dev/full"));
    let log = AccessLog::open_in(&log, shared).unwrap().unwrap();
    (0..300).for_each(|_| log.write(&record()));
    drop(log);
    assert_eq!(shared.lost_lines().access, 300);
    let (log, reader, shared) = piped(1000);
    drop(reader);
    (0..300).for_each(|_| log.write(&record()));
    drop(log);
    assert_eq!(shared.lost_lines().access, 300);
}

#[test]
fn a_log_that_cannot_be_opened_says_which() {
    let log = log(Path::new("/nowhere/access.log"));
    let error = AccessLog::open(&log).unwrap_err().to_string();
    assert!(
        error.contains("[log] access") && error.contains("/nowhere/access.log"),
        "{error}"
    );
}

/// How many lines each of two logs writes while their file is renamed.
const LINES: u32 = 20_000;

#[test]
fn two_generations_and_a_rotation_lose_no_line_and_mix_none() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("access.log");
    let shared = shared();
    let target = LogTarget::File(path.clone());
    let mut old_files = Vec::new();
    std::thread::scope(|scope| {
        let writers = ["one", "two"].map(|name| {
            let out = LogOutput::open(&target, "[log] access").unwrap();
            // With room for all: what is lost here was lost by renaming.
            let room = LINES as usize;
            let log = AccessLog::with_output(out, AccessFormat::Combined, room, shared).unwrap();
            scope.spawn(move || {
                for next in 0..LINES {
                    log.write(&AccessRecord {
                        request_id: &format!("{name}-{next}"),
                        ..record()
                    });
                }
            })
        });
        let length = |path: &Path| std::fs::metadata(path).map_or(0, |file| file.len());
        while old_files.is_empty() || writers.iter().any(|writer| !writer.is_finished()) {
            if length(&path) == 0 {
                std::thread::yield_now();
                continue;
            }
            let old = dir.path().join(format!("access.log.{}", old_files.len()));
            std::fs::rename(&path, &old).unwrap();
            shared::reopen_outputs(shared.access_logs().into_iter()).unwrap();
            old_files.push((length(&old), old));
        }
    });
    for (length, old) in &old_files {
        let now = std::fs::metadata(old).unwrap().len();
        assert_eq!(now, *length, "written to after it was left");
    }
    assert_eq!(shared.lost_lines().access, 0);
    let mut found = std::collections::HashSet::new();
    for entry in std::fs::read_dir(dir.path()).unwrap() {
        let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        for line in text.lines() {
            assert!(line.starts_with("192.0.2.7 - - ["), "{line}");
            let id = line.strip_suffix(" hit").unwrap().rsplit(' ').next();
            assert!(found.insert(id.unwrap().to_owned()), "twice: {line}");
        }
    }
    assert_eq!(found.len(), 2 * LINES as usize);
}

#[test]
fn a_log_that_is_gone_is_not_opened_again() {
    let dir = tempfile::tempdir().unwrap();
    let (one, two) = (dir.path().join("one"), dir.path().join("two"));
    let shared = shared();
    drop(AccessLog::open_in(&log(&one), shared).unwrap());
    let kept = AccessLog::open_in(&log(&two), shared).unwrap().unwrap();
    std::fs::remove_file(&one).unwrap();
    std::fs::remove_file(&two).unwrap();
    shared::reopen_outputs(shared.access_logs().into_iter()).unwrap();
    assert!(!one.exists() && two.exists());
    // A failure names the file, and the log goes on in the one it has.
    let moved = dir.path().join("moved");
    std::fs::rename(&two, &moved).unwrap();
    std::fs::create_dir(&two).unwrap();
    let error = shared::reopen_outputs(shared.access_logs().into_iter()).unwrap_err();
    assert!(error.to_string().contains(two.to_str().unwrap()), "{error}");
    kept.write(&record());
    drop(kept);
    assert_eq!(std::fs::read_to_string(&moved).unwrap().lines().count(), 1);
}
