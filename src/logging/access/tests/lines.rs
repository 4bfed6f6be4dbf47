//! Tests of the lines of the access log, in every form.

use time::macros::datetime;

use super::*;
use crate::settings::{FormatPart, Settings};

const TIME: OffsetDateTime = datetime!(2026-01-02 03:04:05 UTC);

/// The parts of a format, as the settings take it apart.
fn parts(format: &str) -> Vec<FormatPart> {
    let settings = Settings::from_flags(&["--access-log-format", format]).unwrap();
    match settings.log.access_format {
        AccessFormat::Parts(parts) => parts,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_combined_line_has_its_fields_and_no_query_strings() {
    assert_eq!(
        write_record(&AccessFormat::Combined, &record(), TIME),
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
    let line = write_record(&AccessFormat::Combined, &bare, TIME);
    assert!(
        line.starts_with("- - - [") && line.ends_with("\"-\" \"-\" 1.001250 abc-1 -\n"),
        "{line}"
    );
}

#[test]
fn a_json_line_is_one_object_with_the_same_fields() {
    let line = write_record(&AccessFormat::Json, &record(), TIME);
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
        assert_eq!(
            identifiers::write_parts(&parts(format), &record(), TIME),
            expected
        );
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
        identifiers::write_parts(&format, &bare, TIME),
        "- - /q/top.json[] 0 - - -"
    );
}

#[test]
fn no_identifier_shows_a_secret() {
    let format = parts(
        "%(u)s %(q)s %(r)s %(f)s %({Authorization}i)s %({cookie}i)s %({X-Api-Key}i)s \
         %({HTTP_COOKIE}e)s %({Set-Cookie}o)s %({X-Original-URL}i)s %({raw_uri}e)s",
    );
    let line = identifiers::write_parts(&format, &record(), TIME);
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
        let line = write_record(&format, &record, TIME);
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
