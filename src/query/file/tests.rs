//! A file as a whole, and what hostile values can do to its statement: nothing.
#![allow(clippy::unwrap_used, reason = "tests")]

use super::super::value::{ParamType, Value};
use super::*;

mod headers;

const SAMPLE: &str = "\u{feff}-- title: Revenue\r
-- ttl: 30s\r
-- param: since date = 2026-01-01\r
-- param: region text = any : eu, us, any\r
-- param: idle integer = 1\r
-- show-params: true\r
select region, 'é' -- :since\r
from orders where paid_at >= :since and (:region = 'any' or region = :region);\r
";

fn error(stem: &str, bytes: &[u8]) -> String {
    read(DatabaseKind::Postgres, "q/x.sql", stem, bytes)
        .unwrap_err()
        .to_string()
}

fn error_of(text: &str) -> Option<String> {
    read(DatabaseKind::Postgres, "q/x.sql", "x", text.as_bytes())
        .err()
        .map(|error| error.to_string())
}

#[test]
fn a_file_becomes_a_query_with_its_statement_and_notes() {
    let file = read(DatabaseKind::Postgres, "q/x.sql", "x", SAMPLE.as_bytes()).unwrap();
    let query = file.query.unwrap();
    assert_eq!(
        (query.name.as_str(), query.title.as_str()),
        ("x", "Revenue")
    );
    let statement = query.statement_for(DatabaseKind::Postgres);
    assert_eq!(
        statement.sql,
        "select region, 'é' -- :since\r\nfrom orders where paid_at >= \
         (cast(cast($1 as text) as date)) and (($2) = 'any' or region = ($2))"
    );
    assert_eq!(statement.order, [0, 1]);
    assert_eq!(
        file.notes,
        ["q/x.sql:5: the SQL does not use the parameter `idle`"]
    );
}

#[test]
fn notify_is_accepted_everywhere_and_said_to_have_no_effect_where_nothing_notifies() {
    let notes = |kind| {
        let text = b"-- concurrency: 2\n-- notify: orders\nselect 1";
        read(kind, "q/x.sql", "x", text).unwrap().notes
    };
    assert!(notes(DatabaseKind::Postgres).is_empty());
    assert_eq!(
        notes(DatabaseKind::Sqlite),
        ["q/x.sql:2: `notify` has no effect: SQLite sends no messages"]
    );
}

#[test]
fn what_is_loaded_without_being_asked_for_has_no_effect_on_a_query_that_is_not_cached() {
    let notes = |text: &str| {
        read(DatabaseKind::Postgres, "q/x.sql", "x", text.as_bytes())
            .unwrap()
            .notes
    };
    assert!(notes("-- warm: true\n-- refresh: 5m\nselect 1").is_empty());
    assert!(notes("-- warm: false\n-- cache: off\nselect 1").is_empty());
    assert_eq!(
        notes("-- warm: true\n-- cache: off\n-- refresh: 5m\nselect 1"),
        [
            "q/x.sql:1: `warm` has no effect: with `cache: off` nothing is kept",
            "q/x.sql:3: `refresh` has no effect: with `cache: off` nothing is kept"
        ]
    );
}

#[test]
fn a_query_that_is_warmed_needs_a_default_for_each_parameter() {
    let of = |warm: &str, param: &str| {
        error_of(&format!(
            "-- title: a\n-- warm: {warm}\n-- param: a text = x\n-- param: b {param}\nselect :a, :b"
        ))
    };
    assert_eq!(
        of("true", "integer"),
        Some(
            "q/x.sql:2: `warm` loads with the default parameters, and `b` has no default\n  \
             give `b` one (`= VALUE`, or `= null`), or remove the `warm` line"
                .to_owned()
        )
    );
    assert_eq!(of("false", "integer"), None);
    assert_eq!(of("true", "integer = null"), None);
    assert_eq!(of("true", "integer = 0"), None);
}

#[test]
fn a_file_without_a_header_is_a_query_named_after_itself() {
    let query = Query::parse(DatabaseKind::Sqlite, "plain", "select 1").unwrap();
    assert_eq!(query.title, "plain");
    assert_eq!(query.statement_for(DatabaseKind::Sqlite).sql, "select 1");
    assert!(query.read_arguments(&[]).unwrap().0.is_empty());
}

#[test]
fn a_file_for_the_other_kind_is_skipped_but_its_header_is_checked() {
    let text = "-- database: sqlite\nselect ?1 from [a]";
    let file = read(DatabaseKind::Postgres, "x.sql", "x", text.as_bytes()).unwrap();
    assert!(file.query.is_none() && file.notes.is_empty());
    assert!(Query::parse(DatabaseKind::Postgres, "x", text).is_err());
    assert!(error("x", b"-- database: sqlite\n-- ttl: 0\nselect 1").contains("`ttl` is 0"));
}

#[test]
fn an_error_names_the_file_the_line_and_the_remedy() {
    let text = error("x", b"-- title: a\n-- ttl: 1s\n\nselect 1\nwhere :a = 1");
    assert!(
        text.starts_with("q/x.sql:5: the parameter `:a` is not declared\n  "),
        "{text}"
    );
    assert!(error("x", b"-- title: a\n").starts_with("q/x.sql:2: there is no SQL\n  write"));
    assert!(error("x", b"select 1\n\xff").starts_with("q/x.sql:2: the file is not UTF-8\n"));
    assert!(error("x", b"select 1\n\n\0").starts_with("q/x.sql:3: there is a NUL"));
}

#[test]
fn a_name_is_made_of_few_characters() {
    for stem in ["a", "a-b_c9", "9", "-", &"x".repeat(64)] {
        assert!(
            read(DatabaseKind::Postgres, "f", stem, b"select 1").is_ok(),
            "{stem}"
        );
    }
    for stem in [
        "",
        "A",
        "a b",
        "a.b",
        "é",
        "../a",
        "a\n",
        "\u{fffd}",
        &"x".repeat(65),
    ] {
        assert!(
            error(stem, b"select 1").contains("is not a name for a query"),
            "{stem}"
        );
    }
}

/// What attackers send.
const HOSTILE: [&str; 22] = [
    "'",
    "''",
    "\"",
    "' or '1'='1",
    "1 or 1=1",
    "1; drop table orders",
    "1); drop table orders; --",
    "') union select password from users --",
    "$1",
    "?1",
    ":n",
    ":text",
    "$$; select 1; $$",
    "E'\\''",
    "\\",
    "\\'; drop table orders; --",
    "/* ",
    "-- ",
    "cast(1 as text)",
    "＇ or 1=1",
    "\u{2019}; --",
    "1\r\n;select 2",
];

#[test]
fn hostile_values_of_every_type_stay_values_and_never_reach_the_sql() {
    for kind in [DatabaseKind::Postgres, DatabaseKind::Sqlite] {
        for of in ParamType::ALL {
            let text = format!("-- param: p {}\nselect :p where :p is not null", of.name());
            let query = Query::parse(kind, "x", &text).unwrap();
            let before = query.statement_for(kind).clone();
            for hostile in HOSTILE {
                let sent = [("p".to_owned(), hostile.to_owned())];
                match query.read_arguments(&sent) {
                    Ok(arguments) => {
                        assert_eq!(
                            of,
                            ParamType::Text,
                            "{hostile} was taken for a {}",
                            of.name()
                        );
                        assert_eq!(arguments.0, [Value::Text(hostile.to_owned())]);
                    }
                    Err(error) => assert_eq!(error.status(), 400, "{hostile}"),
                }
                let as_name = [(hostile.to_owned(), "1".to_owned())];
                assert_eq!(query.read_arguments(&as_name).unwrap_err().status(), 400);
            }
            assert_eq!(*query.statement_for(kind), before);
            assert_eq!(before.order, [0]);
        }
    }
}

#[test]
fn a_canonical_value_of_any_type_but_text_holds_no_character_that_sql_could_mistake() {
    // Even if such a value were pasted somewhere, it could not end a string or begin a comment.
    let fragments = [
        "1",
        "2026-01-01",
        "T00:00",
        "Z",
        "e5",
        "'",
        "--",
        ";",
        " ",
        "/*",
        "-",
        "+",
        "{",
        "a",
    ];
    for of in ParamType::ALL
        .into_iter()
        .filter(|of| *of != ParamType::Text)
    {
        for a in fragments {
            for b in fragments {
                for c in fragments {
                    if let Ok(value) = of.read(&format!("{a}{b}{c}")) {
                        let text = value.to_string();
                        let plain = |c: char| c.is_ascii_alphanumeric() || "-.:".contains(c);
                        assert!(text.chars().all(plain), "{text}");
                        assert!(!text.contains("--"), "{text}");
                    }
                }
            }
        }
    }
}

#[test]
fn sqlite_refuses_types_by_name_and_lists_in_words() {
    for of in ["citext", "integer[]", "char(5)"] {
        let text = format!("-- title: a\n-- param: p {of}\nselect :p");
        assert!(
            read(DatabaseKind::Postgres, "q/x.sql", "x", text.as_bytes()).is_ok(),
            "{of}"
        );
        let error = read(DatabaseKind::Sqlite, "q/x.sql", "x", text.as_bytes()).unwrap_err();
        let error = error.to_string();
        assert!(error.starts_with("q/x.sql:2: "), "{error}");
        assert!(
            error.contains(&format!("\"{of}\", which SQLite has not")),
            "{error}"
        );
    }
}
