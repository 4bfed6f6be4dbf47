//! Schemas held against what is taken.
#![allow(clippy::unwrap_used, reason = "tests")]

use regex::Regex;

use super::super::definition::Query;
use super::super::kind::DatabaseKind;
use super::*;

/// The parameter of such a line.
fn param(declaration: &str) -> Param {
    let text = format!("-- param: p {declaration}\nselect :p");
    let mut query = Query::parse(DatabaseKind::Postgres, "q", &text).unwrap();
    query.params.remove(0)
}

fn schema(declaration: &str) -> Json {
    param(declaration).json_schema()
}

fn takes(param: &Param, text: &str) -> bool {
    let read = param.kind.read(text);
    read.is_ok_and(|value| param.allowed.is_allowed(&value))
}

#[test]
fn each_type_has_its_schema() {
    for (declaration, expected) in [
        (
            "text",
            json!({"type": "string", "maxLength": 8192, "pattern": "^[^\\u0000]*$"}),
        ),
        (
            "integer",
            json!({"type": "integer", "format": "int32",
                "minimum": -2_147_483_648_i64, "maximum": 2_147_483_647}),
        ),
        (
            "bigint = 5",
            json!({"type": "integer", "format": "int64", "minimum": i64::MIN,
                "maximum": i64::MAX, "default": 5}),
        ),
        ("number = 1.50", json!({"type": "number", "default": 1.5})),
        ("boolean = no", json!({"type": "boolean", "default": false})),
        ("uuid = null", json!({"type": "string", "format": "uuid"})),
        (
            "integer = 10 : 1..100",
            json!({"type": "integer", "format": "int32", "minimum": 1, "maximum": 100,
                "default": 10}),
        ),
        (
            "number = 2 : -0.5..1e3",
            json!({"type": "number", "minimum": -0.5, "maximum": 1000, "default": 2}),
        ),
        (
            "text = any : eu, us, any, ''",
            json!({"type": "string", "enum": ["eu", "us", "any", ""], "default": "any"}),
        ),
        (
            "date : 2026-01-01, 2027-01-01",
            json!({"type": "string", "format": "date", "enum": ["2026-01-01", "2027-01-01"]}),
        ),
        (
            "number : 0.10, 5",
            json!({"type": "number", "enum": [0.1, 5]}),
        ),
        (
            "number : 0.1, 12345678901234567890.5",
            json!({"type": "string", "enum": ["0.1", "12345678901234567890.5"]}),
        ),
    ] {
        assert_eq!(schema(declaration), expected, "{declaration}");
    }
}

#[test]
fn a_bound_that_json_rounds_is_rounded_inwards() {
    for declaration in [
        "number : 0.10000000000000000001..0.29999999999999999999",
        "number : -12345678901234567890.5..12345678901234567890.5",
        "number : -1e400..1e400",
        "number : 1e-400..9007199254740993",
    ] {
        let param = param(declaration);
        let schema = param.json_schema();
        for bound in ["minimum", "maximum"] {
            let text = schema[bound].to_string();
            assert!(takes(&param, &text), "{declaration}: {bound} {text}");
        }
    }
}

#[test]
fn a_default_that_json_would_round_is_left_to_the_server() {
    let default = &schema("number = 0.123456789012345678901")["default"];
    assert_eq!(*default, Json::Null);
}

#[test]
fn an_empty_value_is_taken_where_it_counts_as_none() {
    for (declaration, expected) in [
        ("integer", false),
        ("integer = 1", true),
        ("date = null", true),
        ("text", false),
        ("text = x", false),
        ("text = null : a, b", true),
    ] {
        let param = param(declaration);
        assert_eq!(param.takes_empty(), expected, "{declaration}");
        if expected {
            let empty = [("p".to_owned(), String::new())];
            let arguments = crate::query::params::read_arguments(&[param], &empty);
            assert!(arguments.is_ok(), "{declaration}");
        }
    }
}

#[test]
fn a_form_holds_texts_that_stand_for_values() {
    let field = |declaration: &str| param(declaration).field_schema(json!({ "$ref": "#" }));
    assert_eq!(field("integer"), json!({ "$ref": "#" }));
    let words =
        |words: &[&str]| json!({ "anyOf": [{ "$ref": "#" }, { "type": "string", "enum": words }] });
    assert_eq!(field("integer = 1"), words(&[""]));
    assert_eq!(field("boolean : true"), words(&["true", "1", "yes", "on"]));
    let flag = param("boolean = no");
    let schema = flag.field_schema(flag.json_schema());
    for word in schema["anyOf"][1]["enum"].as_array().unwrap() {
        let word = word.as_str().unwrap();
        assert!(word.is_empty() || takes(&flag, word), "{word}");
    }
}

/// Days around every place at which a digit changes.
fn days() -> Vec<String> {
    let mut days = Vec::new();
    for year in [
        0, 1, 2, 9, 10, 99, 100, 999, 1000, 1999, 2009, 2023, 2024, 2025, 2026, 2027, 2999, 9998,
        9999,
    ] {
        for month in 0..=13 {
            for day in [0, 1, 2, 9, 10, 11, 19, 20, 28, 29, 30, 31, 32, 39] {
                days.push(format!("{year:04}-{month:02}-{day:02}"));
            }
        }
    }
    days
}

#[test]
fn a_pattern_of_days_lets_in_exactly_what_is_taken() {
    for range in [
        "",
        ": 2026-01-01..2026-01-01",
        ": 2025-01-01..2026-12-31",
        ": 2024-02-29..2024-03-01",
        ": 1999-12-31..2000-01-01",
        ": 0001-01-01..9999-12-31",
        ": 0009-10-11..2026-11-20",
        ": 2026-09-19..2026-10-20",
    ] {
        let param = param(&format!("date {range}"));
        let schema = param.json_schema();
        let pattern = Regex::new(schema["pattern"].as_str().unwrap()).unwrap();
        for day in days() {
            // What `format` asks for: a day that exists, in the year 0 too.
            let exists = takes(&self::param("date"), &day) || day.starts_with("0000-01");
            let is_in = exists && pattern.is_match(&day);
            assert_eq!(is_in, takes(&param, &day), "{range}: {day}: {pattern}");
        }
    }
}

#[test]
fn a_pattern_of_moments_lets_in_what_is_taken_as_it_is_written_in_utc() {
    let moments: Vec<String> = [
        "2025-12-31T23:59:59",
        "2026-01-01T00:00:00",
        "2026-01-01T09:59:59",
        "2026-01-01T10:00:00",
        "2026-01-01T10:00:01",
        "2026-01-01T10:00:59",
        "2026-06-19T20:00:00",
        "2026-12-31T23:59:58",
        "2026-12-31T23:59:59",
        "2027-01-01T00:00:00",
    ]
    .iter()
    .flat_map(|second| ["", ".0", ".25", ".500", ".999999"].map(|d| format!("{second}{d}Z")))
    .collect();
    for range in [
        "2026-01-01..2026-12-31T23:59:59",
        "2026-01-01..2027-01-01",
        "2026-01-01T10:00..2026-01-01T10:00",
        "2026-01-01T10:00..2026-01-01T10:00:01",
        "2026-01-01T09:59:59..2026-06-19T20:00",
    ] {
        let param = param(&format!("timestamp : {range}"));
        let schema = param.json_schema();
        let pattern = Regex::new(schema["pattern"].as_str().unwrap()).unwrap();
        for moment in &moments {
            let is_in = pattern.is_match(moment);
            assert_eq!(is_in, takes(&param, moment), "{range}: {moment}: {pattern}");
        }
    }
    for (range, example) in [
        (
            "2026-01-01T10:00:00.5..2026-01-01T10:00:00.75",
            "10:00:00.5",
        ),
        ("2026-01-01T10:00:00.5..2026-01-01T10:00:01.75", "10:00:01"),
        ("2026-01-01T10:00:00..2026-01-01T10:00:00.75", "10:00:00.00"),
        ("2026-01-01T10:00:00.5..2026-01-01T10:00:02", "10:00:01.25"),
    ] {
        let param = param(&format!("timestamp : {range}"));
        let schema = param.json_schema();
        let pattern = Regex::new(schema["pattern"].as_str().unwrap()).unwrap();
        let example = format!("2026-01-01T{example}Z");
        assert!(pattern.is_match(&example), "{range}: {example}: {pattern}");
        for moment in moments.iter().filter(|moment| pattern.is_match(moment)) {
            assert!(takes(&param, moment), "{range}: {moment}: {pattern}");
        }
    }
}

#[test]
fn a_moment_that_the_pattern_lets_in_is_taken_in_every_zone() {
    let param = param("timestamp");
    let schema = param.json_schema();
    let pattern = Regex::new(schema["pattern"].as_str().unwrap()).unwrap();
    let mut let_in = 0;
    for day in days().iter().filter(|day| takes(&self::param("date"), day)) {
        for clock in [
            "00:00:00",
            "23:59:59.999999",
            "12:00:00.1234567",
            "23:59:60",
        ] {
            for zone in ["Z", "+00:00", "-15:59", "+15:59", "+16:00", "-23:59", ""] {
                let moment = format!("{day}T{clock}{zone}");
                if pattern.is_match(&moment) {
                    assert!(takes(&param, &moment), "{moment}");
                    let_in += 1;
                }
            }
        }
    }
    assert!(let_in > 5_000, "{let_in}");
    for moment in ["2026-01-01T00:00:00Z", "2026-01-01T00:00:00.50-03:30"] {
        assert!(pattern.is_match(moment), "{moment}");
    }
    assert!(!pattern.is_match("0000-12-31T23:59:59Z"));
}

#[test]
fn a_list_is_an_array_of_what_its_elements_are() {
    let query = crate::query::Query::parse(
        crate::query::DatabaseKind::Postgres,
        "x",
        "-- param: ids integer[] = 1,2 : 1..9\n-- param: e citext\nselect 1",
    )
    .unwrap();
    let schema = query.params[0].json_schema();
    assert_eq!(schema["type"], "array");
    assert_eq!(
        (&schema["items"]["minimum"], &schema["items"]["maximum"]),
        (&json!(1), &json!(9))
    );
    assert_eq!(schema["default"], json!([1, 2]));
    assert_eq!(query.params[1].json_schema()["type"], "string");
}
