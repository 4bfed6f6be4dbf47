//! Tests of the access log: its lines, its queue, its file.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::path::Path;

use time::macros::datetime;

use super::*;
use crate::logging::shared;
use crate::outcome::Tier;
use crate::settings::{Facility, LogTarget, Part, Settings};

const TIME: OffsetDateTime = datetime!(2026-01-02 03:04:05 UTC);

/// Headers by name.
struct Pairs(&'static [(&'static str, &'static str)]);

impl Headers for Pairs {
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

/// The parts of a format, as the settings take it apart.
fn parts(format: &str) -> Vec<Part> {
    let settings = Settings::from_flags(&["--access-log-format", format]).unwrap();
    match settings.log.access_format {
        AccessFormat::Parts(parts) => parts,
        other => panic!("{other:?}"),
    }
}

fn log(path: &Path) -> Log {
    Log {
        access: Some(LogTarget::File(path.to_owned())),
        access_format: AccessFormat::Json,
        error: LogTarget::Stderr,
        level: tracing::Level::INFO,
        syslog: None,
        syslog_facility: Facility::DAEMON,
    }
}

fn shared() -> &'static Shared {
    Box::leak(Box::new(Shared::new()))
}

#[test]
fn a_combined_line_has_its_fields_and_no_query_strings() {
    assert_eq!(
        line(&AccessFormat::Combined, &record(), TIME),
        "192.0.2.7 - - [02/Jan/2026:03:04:05 +0000] \"GET /q/top.json?… HTTP/1.1\" 200 754 \
         \"https://example.com/a?…\" \"curl/8 \\\"quoted\\\"\" 1.001250 abc-1 hit\n"
    );
    let bare = AccessRecord {
        client: None,
        has_query: false,
        referer: None,
        user_agent: None,
        outcome: None,
        ..record()
    };
    let line = line(&AccessFormat::Combined, &bare, TIME);
    assert!(
        line.starts_with("- - - [") && line.ends_with("\"-\" \"-\" 1.001250 abc-1 -\n"),
        "{line}"
    );
}

#[test]
fn a_json_line_is_one_object_with_the_same_fields() {
    let line = line(&AccessFormat::Json, &record(), TIME);
    let value: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(value["time"], "2026-01-02T03:04:05.000Z");
    assert_eq!(value["client"], "192.0.2.7");
    assert_eq!(value["path"], "/q/top.json?…");
    assert_eq!(value["referer"], "https://example.com/a?…");
    assert_eq!(value["outcome"], "hit");
    assert_eq!(value["duration_seconds"], 1.001_25);
    assert!(!line.contains("hunter2"));
}

#[test]
fn gunicorns_identifiers_print_what_they_print_there() {
    let process = format!("<{}>", std::process::id());
    for (format, expected) in [
        (
            "%(h)s %(l)s %(u)s %(t)s \"%(r)s\" %(s)s %(b)s \"%(f)s\" \"%(a)s\"",
            "192.0.2.7 - ada [02/Jan/2026:03:04:05 +0000] \"GET /q/top.json?… HTTP/1.1\" 200 754 \
             \"https://example.com/a?…\" \"curl/8 \\\"quoted\\\"\"",
        ),
        ("%(m)s %(U)s?%(q)s %(H)s", "GET /q/top.json?… HTTP/1.1"),
        (
            "%(B)s %(T)s %(M)s %(D)s %(L)s",
            "754 1 1001 1001250 1.001250",
        ),
        ("100%% %(p)s", &format!("100% {process}")),
        (
            "%({Accept}i)s %({Age}o)s %({x}i)s %({x}o)s",
            "text/csv 3 - -",
        ),
        (
            "%({HTTP_ACCEPT}e)s %({raw_uri}e)s",
            "text/csv /q/top.json?…",
        ),
        ("%({REMOTE_ADDR}e)s %({REMOTE_USER}e)s", "192.0.2.7 ada"),
    ] {
        assert_eq!(identifiers::line(&parts(format), &record(), TIME), expected);
    }
    let bare = AccessRecord {
        client: None,
        has_query: false,
        bytes: 0,
        referer: None,
        user_agent: None,
        request_headers: &Pairs(&[("authorization", "Bearer hunter2")]),
        ..record()
    };
    let format = parts("%(h)s %(u)s %(U)s[%(q)s] %(B)s %(b)s %(f)s %(a)s");
    assert_eq!(
        identifiers::line(&format, &bare, TIME),
        "- - /q/top.json[] 0 - - -"
    );
}

#[test]
fn no_identifier_shows_a_secret() {
    let format = parts(
        "%(u)s %(q)s %(r)s %(f)s %({Authorization}i)s %({cookie}i)s %({X-Api-Key}i)s \
         %({HTTP_COOKIE}e)s %({Set-Cookie}o)s %({X-Original-URL}i)s %({raw_uri}e)s",
    );
    let line = identifiers::line(&format, &record(), TIME);
    assert!(!line.contains("hunter2"), "{line}");
    assert_eq!(line.matches("***").count(), 5, "{line}");
    assert!(line.contains(" /a?… "), "{line}");
}

#[test]
fn nothing_from_outside_can_add_a_line_to_the_access_log() {
    let evil = "a\r\nb\u{1b}[31m\u{85}\u{2028}\u{7f}\"\\";
    let record = AccessRecord {
        method: evil,
        path: evil,
        version: evil,
        referer: Some(evil),
        user_agent: Some(evil),
        request_id: evil,
        request_headers: &Pairs(&[("x", "a\r\nb\u{1b}\u{85}")]),
        ..record()
    };
    let all = parts("%(r)s %(m)s %(U)s %(H)s %(f)s %(a)s %({x}i)s");
    for format in [
        AccessFormat::Combined,
        AccessFormat::Json,
        AccessFormat::Parts(all),
    ] {
        let line = line(&format, &record, TIME);
        let text = line.strip_suffix('\n').unwrap();
        assert!(
            !text.contains(crate::logging::line::breaks_lines),
            "{line:?}"
        );
        if format == AccessFormat::Json {
            let value: serde_json::Value = serde_json::from_str(text).unwrap();
            assert_eq!(value["user_agent"], evil);
        } else {
            assert!(line.contains(r"a\x0d\x0ab\x1b[31m\xc2\x85"), "{line}");
        }
    }
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
    assert_eq!(shared.lost().access, 0);
    let text = std::fs::read_to_string(&path).unwrap();
    assert_eq!(
        text.lines().count(),
        1000,
        "a second log appends to the first"
    );
}

/// A log on a pipe, which nobody has to read.
fn piped(waiting: usize) -> (AccessLog, std::io::PipeReader, &'static Shared) {
    let (reader, writer) = std::io::pipe().unwrap();
    let out = Out::of(File::from(OwnedFd::from(writer)), "[log] access");
    let shared = shared();
    let log = AccessLog::to(out, AccessFormat::Json, waiting, shared).unwrap();
    (log, reader, shared)
}

#[test]
fn a_stuck_disk_costs_lines_and_not_time() {
    let (log, mut reader, shared) = piped(4);
    // Once the pipe is full the writer stands still, and then the queue gets full.
    let mut asked: u64 = 0;
    while shared.lost().access == 0 {
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
    let lost = shared.lost().access;
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
    assert_eq!(shared.lost().access, 300);
    let (log, reader, shared) = piped(1000);
    drop(reader);
    (0..300).for_each(|_| log.write(&record()));
    drop(log);
    assert_eq!(shared.lost().access, 300);
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
            let out = Out::open(&target, "[log] access").unwrap();
            // With room for all: what is lost here was lost by renaming.
            let room = LINES as usize;
            let log = AccessLog::to(out, AccessFormat::Combined, room, shared).unwrap();
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
            shared::reopen(shared.access_logs().into_iter()).unwrap();
            old_files.push((length(&old), old));
        }
    });
    for (length, old) in &old_files {
        let now = std::fs::metadata(old).unwrap().len();
        assert_eq!(now, *length, "written to after it was left");
    }
    assert_eq!(shared.lost().access, 0);
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
    shared::reopen(shared.access_logs().into_iter()).unwrap();
    assert!(!one.exists() && two.exists());
    // A failure names the file, and the log goes on in the one it has.
    let moved = dir.path().join("moved");
    std::fs::rename(&two, &moved).unwrap();
    std::fs::create_dir(&two).unwrap();
    let error = shared::reopen(shared.access_logs().into_iter()).unwrap_err();
    assert!(error.to_string().contains(two.to_str().unwrap()), "{error}");
    kept.write(&record());
    drop(kept);
    assert_eq!(std::fs::read_to_string(&moved).unwrap().lines().count(), 1);
}
