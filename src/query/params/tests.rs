//! What clients may send.
#![allow(clippy::unwrap_used, reason = "tests")]
use super::super::definition::Query;
use super::*;

fn param(name: &str, kind: ParamType, default: ParamDefault, allowed: AllowedValues) -> Param {
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
    let range = AllowedValues::Range(Value::Integer(1), Value::Integer(100));
    let list = AllowedValues::List(vec![text("eu"), text("us"), text("any")]);
    vec![
        param(
            "since",
            ParamType::Date,
            ParamDefault::Required,
            AllowedValues::Anything,
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
            AllowedValues::Anything,
        ),
        param(
            "word",
            ParamType::Text,
            ParamDefault::Value(text("x")),
            AllowedValues::Anything,
        ),
        param(
            "id",
            ParamType::Uuid,
            ParamDefault::Value(Value::Null),
            AllowedValues::Anything,
        ),
    ]
}

fn call(pairs: &[(&str, &str)]) -> Result<Arguments, String> {
    let pairs: Vec<_> = pairs
        .iter()
        .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()))
        .collect();
    read_arguments(&sample(), &pairs).map_err(|error| {
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
    let error = read_arguments(&[], &[("x".to_owned(), String::new())]).unwrap_err();
    assert!(error.public_message(false).contains("takes no parameters"));
}

#[test]
fn a_long_list_is_shortened_in_messages() {
    let values = (0..1000).map(Value::Integer).collect();
    let long = param(
        "n",
        ParamType::Integer,
        ParamDefault::Required,
        AllowedValues::List(values),
    );
    assert!(long.accepted_words().ends_with("18, 19, …"));
    let odd = AllowedValues::List(vec![text(""), text("a")]);
    let odd = param("t", ParamType::Text, ParamDefault::Required, odd);
    assert_eq!(odd.accepted_words(), "one of \"\", a");
}

fn call_of(declaration: &str, pairs: &[(&str, &str)]) -> Result<Vec<Value>, String> {
    let kind = crate::query::DatabaseKind::Postgres;
    let text = format!("-- param: {declaration}\nselect 1");
    let query = Query::parse(kind, "x", &text).unwrap();
    let pairs: Vec<_> = pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    let arguments = query
        .read_arguments(&pairs)
        .map_err(|error| error.to_string())?;
    Ok(arguments.0)
}

#[test]
fn a_list_comes_in_one_text_or_several_and_is_the_same() {
    let list = |items: &[i32]| {
        Ok(vec![Value::List(
            items.iter().copied().map(Value::Integer).collect(),
        )])
    };
    assert_eq!(
        call_of("p integer[]", &[("p", "3, 1,+2")]),
        list(&[3, 1, 2])
    );
    assert_eq!(
        call_of("p integer[]", &[("p", "3"), ("p", "1,2")]),
        list(&[3, 1, 2])
    );
    assert_eq!(call_of("p integer[]", &[("p", "")]), list(&[]));
    assert_eq!(call_of("p integer[] = 7,8", &[("p", "")]), list(&[7, 8]));
    assert_eq!(call_of("p integer[] = 7,8 : 1..9", &[]), list(&[7, 8]));
    assert_eq!(call_of("p integer[] = null", &[]), Ok(vec![Value::Null]));
    let texts = call_of("p text[]", &[("p", r"a\,b,c")]).unwrap();
    assert_eq!(texts[0].array_literal().unwrap(), r#"{"a,b","c"}"#);
    for (declaration, sent, words) in [
        ("p integer[]", "1,,2", "is not a whole number"),
        ("p integer[]", "1,x", "each a whole number"),
        (
            "p integer[] : 1..9",
            "1,10",
            "each a whole number from 1 to 9",
        ),
        ("p text[] : eu, us", "eu,x", "each one of eu, us"),
        ("p text[]", r"a\", "ends with a backslash"),
        (
            "p integer[]",
            &["1"; 1001].join(","),
            "has more than 1000 values",
        ),
    ] {
        let error = call_of(declaration, &[("p", sent)]).unwrap_err();
        assert!(error.contains(words), "{declaration} {sent}: {error}");
    }
    let error = call_of("p integer[]", &[]).unwrap_err();
    assert!(error.contains("is missing"), "{error}");
}

#[test]
fn different_lists_have_different_canonical_bytes() {
    let drawn = ["", "a", "a,b", r"a\,b", ",", r"a\\,b", "b,a", ",,"];
    let bytes =
        drawn.map(|sent| Arguments(call_of("p text[]", &[("p", sent)]).unwrap()).canonical());
    for (i, one) in bytes.iter().enumerate() {
        assert!(!bytes[..i].contains(one), "{}", drawn[i]);
    }
}

#[test]
fn a_value_of_a_type_of_the_database_goes_there_as_it_is() {
    let text = |text: &str| Ok(vec![Value::Text(text.to_owned())]);
    assert_eq!(call_of("p citext", &[("p", " A ")]), text(" A "));
    assert_eq!(call_of("p citext", &[("p", "")]), text(""));
    assert_eq!(call_of("p mood = sad", &[("p", "")]), text("sad"));
    assert_eq!(
        call_of("p mood : sad, happy", &[("p", "happy")]),
        text("happy")
    );
    let error = call_of("p mood : sad, happy", &[("p", "x")]).unwrap_err();
    assert!(error.contains("one of sad, happy"), "{error}");
}
