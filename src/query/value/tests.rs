//! Canonical forms, and the bytes of a call.
#![allow(clippy::unwrap_used, reason = "tests")]
use std::collections::BTreeSet;

use super::*;

#[test]
fn every_way_to_write_a_value_has_one_canonical_form() {
    for (kind, texts, canon) in [
        (
            ParamType::Integer,
            &["1", "01", "+1", " 1 ", "0000000000000001", "1.0", "10e-1"][..],
            "1",
        ),
        (ParamType::Integer, &["1e3", "1000.", ".1E4"], "1000"),
        (ParamType::Integer, &["0", "-0", "+0", "-0.0"], "0"),
        (ParamType::Integer, &["-2147483648"], "-2147483648"),
        (
            ParamType::Bigint,
            &["9223372036854775807", "+09223372036854775807"],
            "9223372036854775807",
        ),
        (ParamType::Number, &["1.50", "+1.5", "15e-1"], "1.5"),
        (
            ParamType::Boolean,
            &["true", "TRUE", "1", "yes", "on", " on"],
            "true",
        ),
        (ParamType::Boolean, &["false", "0", "no", "Off"], "false"),
        (
            ParamType::Date,
            &["2026-01-01", " 2026-01-01 "],
            "2026-01-01",
        ),
        (
            ParamType::Timestamp,
            &["2026-01-01", "2026-01-01T00:00Z"],
            "2026-01-01T00:00:00Z",
        ),
        (
            ParamType::Uuid,
            &[
                "123e4567-e89b-12d3-a456-426614174000",
                "123E4567E89B12D3A456426614174000",
                "{123e4567-e89b-12d3-a456-426614174000}",
                "{123e4567e89b12d3a456426614174000}",
            ],
            "123e4567-e89b-12d3-a456-426614174000",
        ),
        (ParamType::Text, &[" ' as it is; -- "], " ' as it is; -- "),
    ] {
        for text in texts {
            assert_eq!(
                kind.read(text).unwrap().to_string(),
                canon,
                "{kind:?} {text}"
            );
        }
    }
}

#[test]
fn what_is_not_of_the_type_is_refused() {
    for (kind, texts) in [
        (
            ParamType::Integer,
            &[
                "",
                "a",
                "1.5",
                "1e-3",
                "1e",
                ".",
                "0x1",
                "2147483648",
                "2147483648.0",
                "1e99",
                "1e999999999999",
                "1 2",
                "--1",
                "١",
            ][..],
        ),
        (
            ParamType::Bigint,
            &["9223372036854775808", "1_000", "+", "NaN"],
        ),
        (ParamType::Number, &["NaN", "Infinity", "1,5"]),
        (ParamType::Boolean, &["", "2", "t", "wahr", "null"]),
        (ParamType::Date, &["2026-02-30", "yesterday"]),
        (ParamType::Timestamp, &["noon"]),
        (
            ParamType::Uuid,
            &[
                "",
                "123e4567",
                "{123e4567-e89b-12d3-a456-426614174000",
                "{{123e4567e89b12d3a456426614174000}}",
                "urn:uuid:123e4567-e89b-12d3-a456-426614174000",
                "g23e4567-e89b-12d3-a456-426614174000",
            ],
        ),
    ] {
        for text in texts {
            assert!(kind.read(text).is_err(), "{kind:?} {text}");
        }
    }
}

#[test]
fn a_fraction_of_a_second_is_later_than_the_second() {
    let at = |text: &str| Value::Timestamp(text.to_owned());
    let ascending = [
        at("2026-01-01T00:00:00Z"),
        at("2026-01-01T00:00:00.25Z"),
        at("2026-01-01T00:00:00.5Z"),
        at("2026-01-01T00:00:01Z"),
    ];
    assert!(
        ascending
            .windows(2)
            .all(|w| w[0].compare_values(&w[1]) == Some(Ordering::Less))
    );
    assert_eq!(Value::Integer(1).compare_values(&Value::Bigint(1)), None);
}

#[test]
fn canonical_bytes_differ_wherever_the_values_differ() {
    let text = |s: &str| Value::Text(s.to_owned());
    let values = [
        Value::Null,
        text(""),
        text("1"),
        text("a"),
        text("bc"),
        text("ab"),
        text("c"),
        text("\u{1}\0\0\0\0\0\0\0\u{1}a"),
        text("null"),
        Value::Integer(1),
        Value::Bigint(1),
        Value::Number("1".into()),
        Value::Boolean(true),
        text("true"),
        Value::Date("2026-01-01".into()),
        text("2026-01-01"),
        Value::Timestamp("2026-01-01T00:00:00Z".into()),
        Value::Uuid("123e4567-e89b-12d3-a456-426614174000".into()),
    ];
    // Every call of up to three of these values: no two have the same bytes.
    let mut calls = vec![vec![]];
    for length in 0..3 {
        for call in calls
            .clone()
            .into_iter()
            .filter(|call: &Vec<Value>| call.len() == length)
        {
            for value in &values {
                calls.push([call.clone(), vec![value.clone()]].concat());
            }
        }
    }
    let keys: BTreeSet<Vec<u8>> = calls
        .iter()
        .map(|call| Arguments(call.clone()).canonical())
        .collect();
    assert_eq!(keys.len(), calls.len());
    assert_eq!(calls.len(), 1 + 18 + 18 * 18 + 18 * 18 * 18);
}
