//! Small wrong sources, so that the checks of the house are seen to fail, and right ones, so that
//! they are seen to let pass.

use super::{MAX_LINES, Source, violations};

/// Returns the faults of one file of this path and text (the opening `//!` is added).
fn judged(path: &str, text: &str) -> String {
    let source = Source {
        path: path.to_owned(),
        text: format!("//! A sample.\n{text}"),
    };
    violations(&[source]).join("\n")
}

#[test]
fn an_import_against_the_direction_is_found_however_it_is_written() {
    for (path, text) in [
        ("db/mod.rs", "use crate::cache::Cache;"),
        (
            "db/mod.rs",
            "use crate::{error::RequestError, cache::{Key, Reply}};",
        ),
        (
            "db/mod.rs",
            "use crate::{\n    query::{Query, Value},\n    cache,\n};",
        ),
        ("db/postgres.rs", "use super::super::cache::Key;"),
        (
            "db/mod.rs",
            "fn key() -> crate::cache::Key { crate::cache::key() }",
        ),
        ("db.rs", "pub use crate::cache::Key;"),
    ] {
        assert!(
            judged(path, text).contains("db imports cache"),
            "not found: {path}: {text}"
        );
    }
    assert!(judged("main.rs", "use unslow::db::Database;").contains("main imports db"));
}

#[test]
fn what_the_direction_allows_is_not_reported() {
    for (path, text) in [
        (
            "db/mod.rs",
            "use crate::{error::RequestError, query::{Query, Value}};",
        ),
        (
            "db/postgres.rs",
            "use super::json;\nuse super::super::query::Query;",
        ),
        (
            "db/mod.rs",
            "// crate::cache is not for us\nuse crate::settings::Settings;",
        ),
        (
            "cache/memory.rs",
            "use crate::cache::Key;\npub(crate) use crate::stats::Stats;",
        ),
        (
            "cache/mod.rs",
            "#[cfg(test)]\n#[allow(\n    clippy::unwrap_used,\n    reason = \"tests\"\n)]\nmod tests {\n    use crate::db::X;\n}",
        ),
        ("view/mod.rs", "#[cfg(test)]\nmod tests;"),
        ("view/tests.rs", "use crate::app::App;"),
        ("view/tests/samples.rs", "use crate::app::App;"),
        ("query/file/tests.rs", "use crate::db::Database;"),
        ("main.rs", "use unslow::{commands, flags::Flags};"),
    ] {
        assert_eq!(judged(path, text), "", "{path}: {text}");
    }
}

#[test]
fn the_other_rules_can_fail_too() {
    let bare = Source {
        path: "stats/mod.rs".to_owned(),
        text: "use std::fmt;\n".repeat(MAX_LINES + 1),
    };
    let found = violations(&[bare]);
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(judged("nook/mod.rs", "").contains("no line in DIRECTIONS"));
    assert!(judged("cache/mod.rs", "use sqlx::Row;").contains("no SQL"));
    assert!(judged("view/home.rs", "async fn f() { g().await }").contains("pure function"));

    let web = [
        ("web/a.rs", "use crate::db::D;"),
        ("web/b.rs", "use crate::cache::C;"),
    ]
    .map(|(path, text)| Source {
        path: path.to_owned(),
        text: format!("//! A sample.\n{text}"),
    });
    let found = violations(&web).join("\n");
    assert!(
        found.contains("web: sees the database and the cache"),
        "{found}"
    );
}
