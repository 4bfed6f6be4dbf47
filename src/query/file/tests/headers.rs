//! Header lines in all the places and spellings in which people write them: each is read, refused
//! or named in a note, and none is lost in silence.

use super::*;

fn read_on(kind: DatabaseKind, text: &str) -> Result<QueryFile, String> {
    read(kind, "q/x.sql", "x", text.as_bytes()).map_err(|error| error.to_string())
}

fn read_all(text: &str) -> QueryFile {
    read_on(DatabaseKind::Postgres, text).unwrap_or_else(|error| panic!("{text:?}: {error}"))
}

/// Asserts that the file is refused, on that line, with those words, and with a remedy.
fn assert_refused(text: &str, line: usize, words: &str) {
    for kind in [DatabaseKind::Postgres, DatabaseKind::Sqlite] {
        let error = match read_on(kind, text) {
            Ok(file) => panic!("{text:?} was read as {:?}", file.query.map(|q| q.access)),
            Err(error) => error,
        };
        let place = format!("q/x.sql:{line}: ");
        assert!(error.starts_with(&place), "{text:?}: {error}");
        assert!(error.contains(words), "{text:?} lacks {words}: {error}");
        assert!(error.contains("\n  "), "{text:?} has no remedy: {error}");
    }
}

/// What people write above the keys of a header.
const ABOVE: [&str; 16] = [
    "/* licence */\n",
    "/* licence\n * of many lines\n */\n",
    "/* licence */ ",
    "\n\n",
    "-- just words\n",
    "--\n",
    "-- name: get-users\n",
    "-- TODO: x\n",
    "-- see https://example.com/a:b\n",
    "-- Author: x\n",
    "----------\n",
    "\u{feff}",
    "\r\n-- words\r\n\r\n",
    "-- title: a\n\n",
    "-- title: a\n/* c */\n\t-- more words\n",
    "-- Note: slow\n\n-- https://example.com\n\n",
];

#[test]
fn a_key_is_read_wherever_it_stands_before_the_sql() {
    for above in ABOVE {
        for line in [
            "-- access: token\n",
            "--access:token\r\n",
            "\t--\taccess :\ttoken \n",
        ] {
            let text = format!("{above}{line}-- ttl: 1h\n\n/* c */\nselect 1");
            for kind in [DatabaseKind::Postgres, DatabaseKind::Sqlite] {
                let file = read_on(kind, &text).unwrap_or_else(|e| panic!("{text:?}: {e}"));
                let query = file.query.unwrap();
                assert_eq!(query.access, QueryAccess::Token, "{text:?}");
                assert_eq!(query.policy.ttl.unwrap().as_secs(), 3600, "{text:?}");
                let before = text.find("access").unwrap();
                let line = text[..before].matches('\n').count() + 1;
                assert_eq!(
                    file.protected_at,
                    Some(format!("q/x.sql:{line}")),
                    "{text:?}"
                );
                assert_eq!(query.statement_for(kind).sql, "select 1", "{text:?}");
                assert!(file.notes.is_empty(), "{text:?}: {:?}", file.notes);
            }
        }
    }
}

#[test]
fn a_comment_is_a_comment() {
    for text in [
        "-- name: get-users\nselect 1",
        "-- TODO: x\nselect 1",
        "-- see https://example.com\nselect 1",
        "-- https://example.com\nselect 1",
        "-- Author: x\nselect 1",
        "-- owner: sales\n-- version: 3\n-- Purpose: a report\nselect 1",
        "-- access is for those who need an access token\nselect 1",
        "-- cache this: it is slow\nselect 1",
        "-- title of the report\n-- refresh every hour\n-- timeout, see below\nselect 1",
        "/* a\n * https://example.com\n */ select 1",
        "select 1 -- cache: off",
        "select 1 /* ttl: 5s */ + 2",
        "select '-- access: token'",
        "select $$\n-- access: token\n$$",
    ] {
        let kinds = [DatabaseKind::Postgres, DatabaseKind::Sqlite];
        for kind in kinds
            .into_iter()
            .filter(|kind| *kind == kinds[0] || !text.contains("$$"))
        {
            let file = read_on(kind, text).unwrap_or_else(|e| panic!("{text:?}: {e}"));
            assert!(file.notes.is_empty(), "{text:?}: {:?}", file.notes);
            let policy = &file.query.as_ref().unwrap().policy;
            assert!(policy.cached && policy.ttl.is_none(), "{text:?}");
        }
    }
}

#[test]
fn what_only_looks_like_a_key_is_refused_with_the_line_to_write() {
    for (line, words) in [
        ("-- ttl 1h", "write it as `-- ttl: 1h`"),
        ("-- ttl = 1h", "write it as `-- ttl: 1h`"),
        ("-- ttl=1h", "write it as `-- ttl: 1h`"),
        ("-- ttl, 1h", "write it as `-- ttl: 1h`"),
        ("-- ttl\u{ff1a}1h", "write it as `-- ttl: 1h`"),
        ("-- ttl \u{2236} 1h", "write it as `-- ttl: 1h`"),
        ("--ttl 1h", "write it as `-- ttl: 1h`"),
        ("--- ttl: 1h", "write it as `-- ttl: 1h`"),
        ("-- * ttl: 1h", "write it as `-- ttl: 1h`"),
        ("-- @ttl: 1h", "write it as `-- ttl: 1h`"),
        ("-- \u{200b}ttl: 1h", "write it as `-- ttl: 1h`"),
        ("-- tll: 5s", "did you mean `ttl`?"),
        ("-- TTL: 1h", "did you mean `ttl`?"),
        ("-- time-out: 5s", "did you mean `timeout`?"),
        ("-- max_rows: 5", "did you mean `max-rows`?"),
        ("-- max rows: 5", "did you mean `max-rows`?"),
        ("-- max rows 5", "write it as `-- max-rows: 5`"),
        ("-- maxrows: 5", "did you mean `max-rows`?"),
        ("-- params: a text", "did you mean `param`?"),
        ("-- param a text = x", "write it as `-- param: a text = x`"),
        ("-- cache off", "write it as `-- cache: off`"),
        ("-- warm true", "write it as `-- warm: true`"),
        ("-- Access: token", "did you mean `access`?"),
        ("-- ACCESS: TOKEN", "did you mean `access`?"),
        ("-- acess: token", "did you mean `access`?"),
        ("-- acces: open", "did you mean `access`?"),
        ("-- auth: token", "did you mean `access`?"),
        ("-- access token", "write it as `-- access: token`"),
        ("-- Access Token", "write it as `-- access: token`"),
        ("-- access = token", "write it as `-- access: token`"),
        ("-- access\u{ff1a}token", "write it as `-- access: token`"),
        ("--access=token", "write it as `-- access: token`"),
        ("---- access: token", "write it as `-- access: token`"),
        ("-- access: tokens", "`access` cannot be \"tokens\""),
        ("-- title: a -- access: token", "access"),
        ("-- access-token: required", "protects nothing"),
        ("-- token: required", "protects nothing"),
        ("--access token required", "protects nothing"),
        ("-- access (token)", "access: token"),
        ("-- access", "protects nothing"),
        ("-- Only with access token", "protects nothing"),
        ("-- read it, access: token", "access"),
        ("-- note\r-- access: token", "control character"),
        ("-- note\u{2028}-- access: token", "control character"),
        ("/* access: token */", "block comment"),
        ("/*\n * Access: token\n */", "access"),
        ("/* access: restricted */", "block comment"),
        ("# access: token", "`#` begins no comment"),
        ("// access: token", "`//` begins no comment"),
    ] {
        let number = 2 + line.matches('\n').count().min(1);
        assert_refused(&format!("-- a remark\n{line}\nselect 1"), number, words);
    }
}

#[test]
fn a_key_that_stands_too_late_is_refused() {
    for (text, line, words) in [
        (
            "select 1\n-- access: token",
            2,
            "`access` stands below the first line of the SQL",
        ),
        (
            "select 1;\n\n-- ttl: 5s\n",
            3,
            "`ttl` stands below the first line of the SQL",
        ),
        (
            "select\n\t--cache:off\n 1",
            2,
            "`cache` stands below the first line",
        ),
        ("select 1 -- access: token", 1, "access"),
        ("select 1 /* access: token */", 1, "access"),
        ("select 1\n/*\n access : token\n*/", 3, "access"),
        ("select 1\n-- ACCESS=token", 2, "access"),
    ] {
        assert_refused(text, line, words);
    }
}

#[test]
fn a_key_in_a_block_comment_is_named_in_a_note() {
    let notes = read_all("/*\n * ttl: 5s\n * Ttl: x\n */\nselect 1").notes;
    assert_eq!(
        notes,
        ["q/x.sql:2: `ttl` has no effect in a block comment: write it as `-- ttl: 5s`"]
    );
}

#[test]
fn a_key_that_stands_twice_is_refused_also_far_apart() {
    let text = "-- access: open\n\n/* c */\n-- words\n-- access: token\nselect 1";
    assert_refused(text, 5, "second time, after line 1");
}

#[test]
fn a_comment_that_is_not_closed_is_refused() {
    assert_refused("-- title: a\n/* licence\nselect 1", 2, "never closed");
    let nested = "/* a /* b */\n-- access: token\nselect 1";
    let error = read_on(DatabaseKind::Postgres, nested).unwrap_err();
    assert!(error.starts_with("q/x.sql:1: "), "{error}");
    let query = read_on(DatabaseKind::Sqlite, nested)
        .unwrap()
        .query
        .unwrap();
    assert_eq!(
        query.access,
        QueryAccess::Token,
        "SQLite's comments do not nest"
    );
}
