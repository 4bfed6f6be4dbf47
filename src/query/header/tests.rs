//! What a header may say, and where it ends.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::time::Duration;

use super::super::keys::KEYS;
use super::super::policy::QueryAccess;
use super::*;

fn header(text: &str) -> Result<QueryHeader, QueryFileError> {
    super::read_header(DatabaseKind::Postgres, text)
}

fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

#[test]
fn every_key_is_read() {
    let text = "-- title: Revenue: by region\r\n--description:  Paid orders.  \n-- ttl: 30s\n\
                -- stale-while-revalidate: 2m\n-- stale-if-error: 1d\n-- timeout: 20s\n\
                -- max-rows: 500\n-- concurrency: 2\n-- param: since date = 2026-01-01\n\
                -- param: top integer = 10 : 1..100\n-- notify: orders, public.items\n\
                -- warm: true\n-- refresh: 1m30s\n-- cache: off\n-- database: postgres\n\
                -- access: open\n-- show-params: true\nselect 1\n";
    for key in KEYS {
        assert!(
            text.contains(&format!("{key}:")),
            "{key} is not in the sample"
        );
    }
    let got = header(text).unwrap();
    assert_eq!(got.title.as_deref(), Some("Revenue: by region"));
    assert_eq!(got.description.as_deref(), Some("Paid orders."));
    let policy = &got.policy;
    assert_eq!(
        (policy.ttl, policy.timeout),
        (Some(seconds(30)), Some(seconds(20)))
    );
    assert_eq!(policy.stale_while_revalidate, Some(seconds(120)));
    assert_eq!(policy.stale_if_error, Some(seconds(86_400)));
    assert_eq!((policy.max_rows, policy.concurrency), (Some(500), Some(2)));
    assert_eq!(policy.notify, ["orders", "public.items"]);
    assert_eq!(policy.refresh, Some(seconds(90)));
    assert!(policy.warm && policy.show_params && !policy.cached);
    let names: Vec<_> = got
        .params
        .iter()
        .map(|(line, p)| (*line, p.name.as_str()))
        .collect();
    assert_eq!(names, [(9, "since"), (10, "top")]);
    assert_eq!(got.database, Some(DatabaseKind::Postgres));
    assert_eq!((got.access, got.access_line), (QueryAccess::Open, 16));
    assert_eq!(got.unasked, [(12, "warm"), (13, "refresh")]);
    assert_eq!((&text[got.body..], got.body_line), ("select 1\n", 18));
}

#[test]
fn a_header_that_says_nothing_leaves_everything_to_the_settings() {
    let got = header("select 1").unwrap();
    assert!(got.policy.cached && got.policy.ttl.is_none() && got.title.is_none());
    assert_eq!((got.body, got.body_line), (0, 1));
    assert_eq!(header("").unwrap().body, 0);
}

#[test]
fn zero_turns_a_window_off() {
    let got = header("-- stale-while-revalidate: 0\n-- stale-if-error: 0s\nselect 1").unwrap();
    assert_eq!(got.policy.stale_while_revalidate, Some(seconds(0)));
    assert_eq!(got.policy.stale_if_error, Some(seconds(0)));
}

#[test]
fn the_first_word_of_sql_ends_the_header() {
    for (text, body) in [
        ("\n\n-- ttl: 1s\nselect 1", "select 1"),
        ("-- ttl: 1s\n-- just words\nselect 1", "select 1"),
        (
            "-- A note: with a colon\n\n-- ttl: 1s\nselect 1",
            "select 1",
        ),
        ("-- ttl: 1s\n-- https://example.com\nselect 1", "select 1"),
        (
            "-- ttl: 1s\n--\nselect 1 -- cache: off",
            "select 1 -- cache: off",
        ),
        (
            "-- ttl: 1s\n/* a\n*/ (select 1)\n-- cache: off",
            "(select 1)\n-- cache: off",
        ),
        ("-- ttl: 1s", ""),
    ] {
        let got = header(text).unwrap();
        assert_eq!(got.policy.ttl, Some(seconds(1)), "{text}");
        assert!(got.policy.cached, "{text}");
        assert_eq!(&text[got.body..], body, "{text}");
        assert_eq!(
            got.body_line,
            1 + text[..got.body].matches('\n').count(),
            "{text}"
        );
    }
}

#[test]
fn each_wrong_line_is_refused_with_its_reason_and_a_remedy() {
    for (text, line, part) in [
        (
            "-- tttl: 5s",
            1,
            "there is no header key \"tttl\", did you mean `ttl`?",
        ),
        ("-- TTL: 5s", 1, "did you mean `ttl`?"),
        ("-- title: a\n-- max_rows: 5", 2, "did you mean `max-rows`?"),
        ("-- ttl: 5s\n-- ttl: 6s", 2, "second time, after line 1"),
        ("-- ttl:", 1, "`ttl` has no value"),
        ("-- title:   ", 1, "`title` has no value"),
        ("-- title: a\u{1b}[2J", 1, "control character"),
        ("-- title: a\rselect 2", 1, "control character"),
        (
            "-- ttl: 0",
            1,
            "`ttl` is 0: every answer would be stale at once",
        ),
        ("-- ttl: 0s", 1, "`ttl` is 0"),
        ("-- ttl: 10", 1, "`ttl` is no duration, \"10\""),
        ("-- ttl: -5s", 1, "is no duration"),
        ("-- ttl: soon", 1, "is no duration"),
        ("-- ttl: 10 s", 1, "is no duration"),
        ("-- ttl: 4000d", 1, "is too long"),
        ("-- stale-if-error: 99999999999999999d", 1, "is no duration"),
        ("-- timeout: 0", 1, "`timeout` is 0"),
        ("-- timeout: 25d", 1, "`timeout` is too long"),
        ("-- refresh: 0s", 1, "`refresh` is 0"),
        ("-- refresh: 999ms", 1, "`refresh` is shorter than 1s"),
        ("-- refresh: 4000d", 1, "`refresh` is too long"),
        ("-- refresh: true", 1, "`refresh` is no duration"),
        (
            "-- max-rows: 0",
            1,
            "`max-rows` is \"0\", not a number from 1",
        ),
        ("-- max-rows: -1", 1, "not a number"),
        ("-- max-rows: +1", 1, "not a number"),
        ("-- max-rows: 1k", 1, "not a number"),
        ("-- max-rows: 99999999999999999999", 1, "not a number"),
        ("-- concurrency: 0", 1, "not a number"),
        ("-- warm: yess", 1, "`warm` cannot be \"yess\""),
        ("-- cache: of", 1, "cannot be \"of\", did you mean"),
        ("-- cache: 0", 1, "`cache` cannot be \"0\""),
        ("-- database: postgresql", 1, "did you mean `postgres`?"),
        ("-- database: mysql", 1, "`database` cannot be \"mysql\""),
        ("-- access: closed", 1, "`access` cannot be \"closed\""),
        ("-- show-params: 1", 1, "`show-params` cannot be"),
        ("-- notify: a,,b", 1, "no tag"),
        ("-- notify: two words", 1, "\"two words\", which is no tag"),
        ("-- notify: a, a", 1, "the tag \"a\" twice"),
        (
            "-- param: a integer\n-- param: b text\n-- param: a date",
            3,
            "`a` is declared twice, first on line 1",
        ),
        ("-- param: a integr", 1, "unknown type"),
    ] {
        let fault = header(&format!("{text}\nselect 1")).expect_err(text);
        assert!(
            fault.what.contains(part),
            "{text:?}: {} should hold {part}",
            fault.what
        );
        assert_eq!(fault.line, line, "{text:?}");
        assert!(!fault.remedy.is_empty(), "{text:?}");
    }
}
