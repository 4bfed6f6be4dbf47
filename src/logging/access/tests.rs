//! Tests of the access log.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::sync::mpsc::{Sender, channel};

use time::macros::datetime;

use super::*;
use crate::outcome::Tier;

fn record() -> AccessRecord<'static> {
    AccessRecord {
        client: Some("::ffff:192.0.2.7".parse().unwrap()),
        method: "GET",
        path: "/q/top.json",
        has_query: true,
        version: "HTTP/1.1",
        status: 200,
        bytes: 754,
        duration: Duration::from_micros(1250),
        referer: Some("https://example.com/a?token=hunter2"),
        user_agent: Some("curl/8 \"quoted\""),
        request_id: "abc-1",
        outcome: Some(Outcome::Hit(Tier::Memory)),
    }
}

#[test]
fn a_combined_line_has_its_fields_and_no_query_strings() {
    assert_eq!(
        combined(&record(), datetime!(2026-01-02 03:04:05 UTC)),
        "192.0.2.7 - - [02/Jan/2026:03:04:05 +0000] \"GET /q/top.json?… HTTP/1.1\" 200 754 \
         \"https://example.com/a?…\" \"curl/8 \\\"quoted\\\"\" 0.001250 abc-1 hit\n"
    );
    let bare = AccessRecord {
        client: None,
        has_query: false,
        referer: None,
        user_agent: None,
        outcome: None,
        ..record()
    };
    let line = combined(&bare, datetime!(2026-01-02 03:04:05 UTC));
    assert!(
        line.starts_with("- - - [") && line.ends_with("\"-\" \"-\" 0.001250 abc-1 -\n"),
        "{line}"
    );
}

#[test]
fn a_json_line_is_one_object_with_the_same_fields() {
    let line = json(&record(), datetime!(2026-01-02 03:04:05 UTC));
    let value: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(value["time"], "2026-01-02T03:04:05.000Z");
    assert_eq!(value["client"], "192.0.2.7");
    assert_eq!(value["path"], "/q/top.json?…");
    assert_eq!(value["referer"], "https://example.com/a?…");
    assert_eq!(value["outcome"], "hit");
    assert_eq!(value["duration_seconds"], 0.001_25);
    assert!(!line.contains("hunter2"));
}

#[test]
fn nothing_from_outside_can_add_a_line_to_the_access_log() {
    let evil = "a\r\nb\u{1b}[31m\u{85}\u{2028}\"\\";
    let record = AccessRecord {
        method: evil,
        path: evil,
        version: evil,
        referer: Some(evil),
        user_agent: Some(evil),
        request_id: evil,
        ..record()
    };
    for line in [combined(&record, now()), json(&record, now())] {
        assert_eq!(line.matches(['\n', '\r', '\u{1b}']).count(), 1, "{line:?}");
        assert!(line.ends_with('\n'));
    }
    let line = combined(&record, now());
    assert!(line.contains(r"a\x0d\x0ab\x1b[31m\xc2\x85"), "{line}");
}

#[test]
fn every_line_is_written_by_the_time_the_log_is_dropped() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("access.log");
    let log = Log {
        access: Some(LogTarget::File(path.clone())),
        access_format: AccessFormat::Json,
        error: LogTarget::Stderr,
        level: tracing::Level::INFO,
    };
    for _ in 0..2 {
        let access = AccessLog::open(&log).unwrap().unwrap();
        for _ in 0..500 {
            access.write(&record());
        }
        assert_eq!(access.dropped(), 0);
    }
    let text = std::fs::read_to_string(&path).unwrap();
    assert_eq!(
        text.lines().count(),
        1000,
        "a second log appends to the first"
    );
}

/// A disk that says when it is asked to write, and does not until it may.
struct Stuck {
    asked: Sender<()>,
    may: Receiver<()>,
}

impl Write for Stuck {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.asked.send(()).ok();
        self.may.recv().ok();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_stuck_disk_costs_lines_and_not_time() {
    let (asked, was_asked) = channel();
    let (let_go, may) = channel();
    let log = AccessLog::to(Box::new(Stuck { asked, may }), AccessFormat::Json, 4).unwrap();
    log.write(&record());
    // From here on the writer stands still, and four lines fit into the queue.
    was_asked.recv().unwrap();
    for _ in 0..10 {
        log.write(&record());
    }
    assert_eq!(log.dropped(), 6);
    drop(let_go);
}

/// A disk that is full.
struct Full;

impl Write for Full {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::StorageFull.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_full_disk_ends_nothing() {
    let log = AccessLog::to(Box::new(Full), AccessFormat::Json, 4).unwrap();
    log.write(&record());
    drop(log);
}

#[test]
fn a_log_that_cannot_be_opened_says_which() {
    let log = Log {
        access: Some(LogTarget::File("/nowhere/access.log".into())),
        access_format: AccessFormat::Combined,
        error: LogTarget::Stderr,
        level: tracing::Level::INFO,
    };
    let error = AccessLog::open(&log).unwrap_err().to_string();
    assert!(
        error.contains("[log] access") && error.contains("/nowhere/access.log"),
        "{error}"
    );
}
