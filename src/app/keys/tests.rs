//! That a key says what was asked. Pairs of query files and calls are drawn from small alphabets,
//! and the second file is often the first one with one thing changed, so that near-collisions come
//! up; what the database would be asked is worked out here from the statement itself.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::cell::Cell;

use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::{Config, TestCaseError, TestRunner};

use super::*;
use crate::query::{DatabaseKind, Value};

const CASES: u32 = 10_000;

/// A query file and a call of it.
#[derive(Debug, Clone)]
struct Drawn {
    /// Name, type, and default where there is one.
    params: Vec<(&'static str, &'static str, Option<&'static str>)>,
    body: Vec<&'static str>,
    max_rows: Option<u64>,
    line_end: &'static str,
    /// What the client sends, by place; `None`: nothing.
    sent: Vec<Option<&'static str>>,
}

/// Everything that decides which rows the database gives.
#[derive(Debug, PartialEq)]
struct Asked {
    sql: String,
    /// For each placeholder: the parameter's type, and its value.
    bound: Vec<(String, Value)>,
    max_rows: u64,
}

impl Drawn {
    fn text(&self) -> String {
        let mut lines = Vec::new();
        for (name, kind, default) in &self.params {
            let default = default.map_or(String::new(), |value| format!(" = {value}"));
            lines.push(format!("-- param: {name} {kind}{default}"));
        }
        if let Some(rows) = self.max_rows {
            lines.push(format!("-- max-rows: {rows}"));
        }
        lines.push(format!("select {} as x", self.body.join(" ")));
        lines.join(self.line_end)
    }

    fn pairs(&self) -> Vec<(String, String)> {
        let sent = self.params.iter().zip(&self.sent);
        sent.filter_map(|((name, ..), value)| Some(((*name).to_owned(), (*value)?.to_owned())))
            .collect()
    }

    /// `None` where the file or the call is refused.
    fn asked(&self, kind: DatabaseKind, settings: &Settings) -> Option<(Query, Arguments, Asked)> {
        let query = Query::parse(kind, "q", &self.text()).ok()?;
        let arguments = query.read_arguments(&self.pairs()).ok()?;
        let statement = query.statement_for(kind);
        let bound = statement.order.iter().map(|place| {
            let value = arguments.0[*place].clone();
            (query.params[*place].kind.name().into_owned(), value)
        });
        let asked = Asked {
            sql: statement.sql.clone(),
            bound: bound.collect(),
            max_rows: Limits::for_query(&query, &settings.limits).max_rows,
        };
        Some((query, arguments, asked))
    }
}

fn drawn() -> impl Strategy<Value = Drawn> {
    let kinds = select(vec!["integer", "bigint", "text"]);
    let value = || {
        select(vec![
            None,
            Some("1"),
            Some("11"),
            Some(""),
            Some("null"),
            Some("01"),
        ])
    };
    let default = select(vec![None, Some("null"), Some("1"), Some("11")]);
    let params = (
        Just(vec!["a", "b", "ab"]).prop_shuffle(),
        proptest::collection::vec((kinds, default), 1..4),
    )
        .prop_map(|(names, rest)| {
            let named = names.into_iter().zip(rest);
            named.map(|(name, (kind, default))| (name, kind, default))
        })
        .prop_map(Iterator::collect::<Vec<_>>);
    let piece = select(vec![
        ":a", ":b", ":ab", ",", "+", "'a'", "':a'", "/* :b */", "-- a\n", "\r\n", "1",
    ]);
    let body = proptest::collection::vec(piece, 1..6);
    let max_rows = select(vec![None, Some(1), Some(11)]);
    let sent = proptest::collection::vec(value(), 3);
    (params, body, max_rows, select(vec!["\n", "\r\n"]), sent).prop_map(
        |(params, body, max_rows, line_end, sent)| Drawn {
            params,
            body,
            max_rows,
            line_end,
            sent,
        },
    )
}

/// Changes one thing of `one`, as an edit of a file or another call of it would; or takes `other`.
fn beside(one: &Drawn, other: Drawn, change: usize, at: Index) -> Drawn {
    let mut new = one.clone();
    let (param, piece) = (at.index(one.params.len()), at.index(one.body.len()));
    match change {
        // The same declarations in another order; what was sent stays with its name.
        0 => {
            new.params.rotate_left(1);
            new.sent[..one.params.len()].rotate_left(1);
        }
        // The same declarations in another order; what was sent stays at its place.
        1 => new.params.rotate_left(1),
        // Two parameters change their places in the statement.
        2 => {
            for part in &mut new.body {
                *part = match *part {
                    ":a" => ":b",
                    ":b" => ":a",
                    part => part,
                };
            }
        }
        3 => new.params[param].1 = other.params[0].1,
        4 => new.params[param].2 = other.params[0].2,
        5 => new.body[piece] = other.body[0],
        6 => new.max_rows = other.max_rows,
        7 => new.line_end = other.line_end,
        8 => new.sent = other.sent,
        // A default is sent, or what is the default left out.
        9 => {
            let default = one.params[param].2;
            new.sent[param] = match one.sent[param] {
                None => default.filter(|it| *it != "null"),
                Some(_) => None,
            };
        }
        10 => {}
        _ => new = other,
    }
    new
}

fn equal_keys_are_equal_questions(flags: &[&str], cases: u32) {
    let settings = Settings::from_flags(flags).unwrap();
    let db = Database::open(&settings).unwrap();
    let config = Config {
        cases,
        max_global_rejects: 100 * cases,
        failure_persistence: None,
        ..Config::default()
    };
    let pairs = (drawn(), drawn(), 0..14_usize, any::<Index>());
    let equal = Cell::new(0_u32);
    let mut runner = TestRunner::new(config);
    let run = runner.run(&pairs, |(one, other, change, at)| {
        let two = beside(&one, other, change, at);
        let both = [&one, &two].map(|drawn| drawn.asked(db.kind(), &settings));
        let [Some(first), Some(second)] = both else {
            return Err(TestCaseError::reject("it is refused, not asked"));
        };
        let [one_key, other_key] = [&first, &second].map(|(query, arguments, _)| {
            base_of(query, &db, &settings).make_key(arguments.canonical())
        });
        if one_key == other_key {
            equal.set(equal.get() + 1);
            prop_assert_eq!(first.2, second.2, "one key for two questions");
        } else {
            let is_one_call = one.text() == two.text() && first.1 == second.1;
            prop_assert!(!is_one_call, "two keys for one question");
        }
        Ok(())
    });
    run.unwrap();
    assert!(equal.get() > cases / 20, "hardly any two keys were equal");
}

#[test]
fn keys_are_equal_only_where_postgres_is_asked_the_same() {
    let flags = ["--database-url", "postgres://reader@db/shop"];
    equal_keys_are_equal_questions(&flags, CASES);
}

#[test]
fn keys_are_equal_only_where_sqlite_is_asked_the_same() {
    equal_keys_are_equal_questions(&[], CASES);
}

/// The key of a file's call with these values in the order of declaration.
fn key_of(text: &str, values: &[i32]) -> Key {
    let settings = Settings::from_flags(&[]).unwrap();
    let db = Database::open(&settings).unwrap();
    let query = Query::parse(db.kind(), "q", text).unwrap();
    let values = values.iter().map(|value| Value::Integer(*value)).collect();
    let arguments = Arguments(values).canonical();
    base_of(&query, &db, &settings).make_key(arguments)
}

#[test]
fn names_that_change_places_make_another_key() {
    let params = "-- param: low integer\n-- param: high integer\n";
    let swapped = "-- param: high integer\n-- param: low integer\n";
    let wrong = "select 1 where 2 between :high and :low";
    let right = "select 1 where 2 between :low and :high";
    let asked = key_of(&format!("{params}{wrong}"), &[1, 3]);
    // The correction of the statement, and the other one that the text alone does not show.
    assert_ne!(asked, key_of(&format!("{params}{right}"), &[1, 3]));
    assert_ne!(asked, key_of(&format!("{swapped}{wrong}"), &[1, 3]));
}

#[test]
fn a_statement_that_ends_like_a_bound_on_rows_is_not_taken_for_it() {
    let one = key_of("-- max-rows: 1\nselect 1 as a\nlimit 2", &[]);
    let two = key_of("-- max-rows: 2\nselect 1 as a", &[]);
    assert_ne!(one, two);
}
