//! What clients may send.
#![allow(clippy::unwrap_used, reason = "tests")]
use super::*;

fn param(name: &str, kind: ParamType, default: ParamDefault, allowed: Allowed) -> Param {
    Param {
        name: name.to_owned(),
        kind,
        default,
        allowed,
    }
}

fn text(s: &str) -> Value {
    Value::Text(s.to_owned())
}

fn sample() -> Vec<Param> {
    let range = Allowed::Range(Value::Integer(1), Value::Integer(100));
    let list = Allowed::List(vec![text("eu"), text("us"), text("any")]);
    vec![
        param(
            "since",
            ParamType::Date,
            ParamDefault::Required,
            Allowed::Anything,
        ),
        param(
            "region",
            ParamType::Text,
            ParamDefault::Value(text("any")),
            list,
        ),
        param(
            "top",
            ParamType::Integer,
            ParamDefault::Value(Value::Integer(10)),
            range,
        ),
        param(
            "note",
            ParamType::Text,
            ParamDefault::Value(Value::Null),
            Allowed::Anything,
        ),
        param(
            "word",
            ParamType::Text,
            ParamDefault::Value(text("x")),
            Allowed::Anything,
        ),
        param(
            "id",
            ParamType::Uuid,
            ParamDefault::Value(Value::Null),
            Allowed::Anything,
        ),
    ]
}

fn call(pairs: &[(&str, &str)]) -> Result<Arguments, String> {
    let pairs: Vec<_> = pairs
        .iter()
        .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()))
        .collect();
    arguments(&sample(), &pairs).map_err(|error| {
        assert!(matches!(error, RequestError::BadParameter(_)));
        error.public_message(false)
    })
}

#[test]
fn defaults_are_filled_in_and_equal_what_is_sent_in_their_place() {
    let short = call(&[("since", "2026-01-01")]).unwrap();
    let long = call(&[("top", "+010"), ("region", "any"), ("since", "2026-01-01")]).unwrap();
    assert_eq!(short, long);
    assert_eq!(short.canonical(), long.canonical());
    assert_eq!(
        short.0[2..],
        [Value::Integer(10), Value::Null, text("x"), Value::Null]
    );
}

#[test]
fn an_empty_field_of_a_form_is_the_default_and_of_a_text_the_empty_text() {
    let day = ("since", "2026-01-01");
    let got = call(&[day, ("top", ""), ("note", ""), ("word", ""), ("id", " ")]).unwrap();
    assert_eq!(
        got.0[2..],
        [Value::Integer(10), Value::Null, text(""), Value::Null]
    );
    assert_eq!(call(&[day, ("note", " ")]).unwrap().0[3], text(" "));
    assert!(
        call(&[("since", "")])
            .unwrap_err()
            .contains("`since`: is missing")
    );
    assert!(
        call(&[day, ("region", "")])
            .unwrap_err()
            .contains("one of eu, us, any")
    );
}

#[test]
fn each_bad_parameter_is_named_with_what_it_takes() {
    let long = "x".repeat(LONGEST + 1);
    for (pairs, parts) in [
        (
            &[("since", "x"), ("reigon", "eu")][..],
            &[
                "\"reigon\"",
                "did you mean `region`?",
                "takes since, region, top",
            ][..],
        ),
        (
            &[("since", "x"), ("zzzzzzzz", "")],
            &["unknown parameter \"zzzzzzzz\"; this query takes since"],
        ),
        (&[], &["`since`: is missing; it takes a date like"]),
        (
            &[("since", "soon")],
            &["`since`: \"soon\" is not a date; it takes a date like"],
        ),
        (
            &[("since", "2026-01-01"), ("since", "2026-01-01")],
            &["`since`: is given more than once"],
        ),
        (
            &[("since", "2026-01-01"), ("top", "101")],
            &["`top`: \"101\" is not accepted; it takes a whole number from 1 to 100"],
        ),
        (&[("since", "2026-01-01"), ("top", "0")], &["`top`"]),
        (
            &[("since", "2026-01-01"), ("top", "99999999999")],
            &["too large"],
        ),
        (
            &[("since", "2026-01-01"), ("region", "EU")],
            &["`region`: \"EU\" is not accepted; it takes one of eu, us, any"],
        ),
        (
            &[("since", "2026-01-01"), ("word", &long)],
            &["`word`: is longer than 8192 characters"],
        ),
        (
            &[("since", "2026-01-01"), ("word", "a\0b")],
            &["`word`: holds a NUL character"],
        ),
    ] {
        let message = call(pairs).unwrap_err();
        for part in parts {
            assert!(message.contains(part), "{message:?} should hold {part:?}");
        }
    }
    let just = "é".repeat(LONGEST);
    assert!(call(&[("since", "2026-01-01"), ("word", &just)]).is_ok());
}

#[test]
fn a_message_repeats_a_hostile_value_only_shortened_and_without_control_characters() {
    let hostile = format!("\u{1b}[2J\r\nx-evil: 1{}", "<script>".repeat(900));
    let message = call(&[("since", &hostile)]).unwrap_err();
    assert!(
        !message.contains(char::is_control) && message.len() < 250,
        "{message}"
    );
    let message = call(&[(&hostile, "")]).unwrap_err();
    assert!(
        !message.contains(char::is_control) && message.len() < 250,
        "{message}"
    );
}

#[test]
fn a_query_without_parameters_says_so() {
    let error = arguments(&[], &[("x".to_owned(), String::new())]).unwrap_err();
    assert!(error.public_message(false).contains("takes no parameters"));
}

#[test]
fn a_long_list_is_shortened_in_messages() {
    let values = (0..1000).map(Value::Integer).collect();
    let long = param(
        "n",
        ParamType::Integer,
        ParamDefault::Required,
        Allowed::List(values),
    );
    assert!(long.accepts().ends_with("18, 19, …"));
    let odd = Allowed::List(vec![text(""), text("a")]);
    let odd = param("t", ParamType::Text, ParamDefault::Required, odd);
    assert_eq!(odd.accepts(), "one of \"\", a");
}
