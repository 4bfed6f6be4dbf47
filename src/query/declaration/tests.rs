//! What a `param` line may say.
#![allow(clippy::unwrap_used, reason = "tests")]
use super::*;

/// A declaration in its canonical spelling, texts in double quotes.
fn spelled(param: &Param) -> String {
    let value = |value: &Value| match value {
        Value::Null => "null".to_owned(),
        Value::Text(text) => format!("{text:?}"),
        value => value.to_string(),
    };
    let default = match &param.default {
        ParamDefault::Required => String::new(),
        ParamDefault::Value(default) => format!(" = {}", value(default)),
    };
    let allowed = match &param.allowed {
        AllowedValues::Anything => String::new(),
        AllowedValues::Range(min, max) => format!(" : {}..{}", value(min), value(max)),
        AllowedValues::List(values) => {
            let values: Vec<String> = values.iter().map(value).collect();
            format!(" : {}", values.join(", "))
        }
    };
    format!("{} {}{default}{allowed}", param.name, param.kind.name())
}

#[test]
fn a_declaration_has_a_name_a_type_a_default_and_values() {
    for (line, wanted) in [
        ("since date", "since date"),
        ("since date = 2026-01-01", "since date = 2026-01-01"),
        (
            "r text = any : eu, us, any",
            r#"r text = "any" : "eu", "us", "any""#,
        ),
        (
            "r text=any: eu,us,any",
            r#"r text = "any" : "eu", "us", "any""#,
        ),
        ("r text: eu , us", r#"r text : "eu", "us""#),
        ("  top integer = 10 : 1..100  ", "top integer = 10 : 1..100"),
        ("top integer=+010:01 .. 100", "top integer = 10 : 1..100"),
        ("top bigint : 5, 1, 3", "top bigint : 5, 1, 3"),
        (
            "x number = null : -1.5..10e2",
            "x number = null : -1.5..1000",
        ),
        ("b boolean = yes", "b boolean = true"),
        (
            "at timestamp = 2026-01-01T12:00Z",
            "at timestamp = 2026-01-01T12:00:00Z",
        ),
        (
            "at timestamp = 2026-01-01 12:00 : 2025-01-01..2026-12-31T13:00+01:00",
            "at timestamp = 2026-01-01T12:00:00Z : 2025-01-01T00:00:00Z..2026-12-31T12:00:00Z",
        ),
        ("t text = ''", r#"t text = """#),
        ("t text = 'null'", r#"t text = "null""#),
        ("t text = null", "t text = null"),
        ("t text = ' a : b, it''s'", r#"t text = " a : b, it's""#),
        (
            "t text : 'a : b, it''s', '', c-d",
            r#"t text : "a : b, it's", "", "c-d""#,
        ),
        ("t text : 'a..b' , c", r#"t text : "a..b", "c""#),
    ] {
        assert_eq!(spelled(&parse(1, line).unwrap()), wanted, "{line}");
    }
}

#[test]
fn a_default_may_hold_colons() {
    for (text, wanted) in [
        (
            "a timestamp(3) = 2026-01-01 10:20",
            "2026-01-01 10:20 Anything",
        ),
        (
            "a timestamp(3)=2026-01-01 10:20:30.5",
            "2026-01-01 10:20:30.5 Anything",
        ),
        (
            "a timestamp(3) = 2026-01-01 10:20 : 2026-01-01 10:20, 2026-01-02 00:00",
            "2026-01-01 10:20 List of 2",
        ),
        (
            "a timestamp = 2026-01-01T10:20:00Z",
            "2026-01-01T10:20:00Z Anything",
        ),
        ("a time = 10:10", "10:10 Anything"),
        ("a time = 10:20 : 10:20, 11:20", "10:20 List of 2"),
        ("a time = 10:20: 10:20, 11:20", "10:20 List of 2"),
        ("a timetz = 10:20:30+02:00", "10:20:30+02:00 Anything"),
        ("a interval = 1 day 10:20", "1 day 10:20 Anything"),
        ("a inet = ::1", "::1 Anything"),
        (
            "a inet = 2001:db8:: : 2001:db8::, ::1",
            "2001:db8:: List of 2",
        ),
        (
            "a macaddr = 08:00:2b:01:02:03",
            "08:00:2b:01:02:03 Anything",
        ),
        ("a text = x: y", "x: y Anything"),
        ("a text = x:y", "x:y Anything"),
        (
            "a text = http://example.com:80/a,b?c=d:e",
            "http://example.com:80/a,b?c=d:e Anything",
        ),
        ("a text = x: x", "x List of 1"),
        ("a text = x:x,y", "x List of 2"),
        ("a text = x : y, x", "x List of 2"),
        ("a text = 'x: y' : 'x: y', z:1", "x: y List of 2"),
        ("a integer = 1: 1..9", "1 Range"),
        ("a time[] = 10:20", "10:20 Anything"),
    ] {
        let param = parse(1, text).unwrap_or_else(|fault| panic!("{text}: {}", fault.what));
        let ParamDefault::Value(default) = &param.default else {
            panic!("{text} has no default");
        };
        let allowed = match &param.allowed {
            AllowedValues::Anything => "Anything".to_owned(),
            AllowedValues::List(values) => format!("List of {}", values.len()),
            AllowedValues::Range(..) => "Range".to_owned(),
        };
        assert_eq!(format!("{default} {allowed}"), wanted, "{text}");
    }
}

#[test]
fn each_wrong_declaration_is_refused_with_its_reason() {
    for (line, reason) in [
        ("", "not a name"),
        ("1st integer", "not a name"),
        ("Top integer", "not a name"),
        ("to-p integer", "not a name"),
        ("a;drop integer", "not a name"),
        ("top", "has no type"),
        ("top = 5", "has no type"),
        (
            "top integr",
            "unknown type \"integr\", did you mean `integer`?",
        ),
        ("top text[][]", "unknown type \"text[][]\""),
        ("top mood; drop table x", "unknown type"),
        ("ids integer[] = 1,x", "\"1,x\" is not a whole number"),
        ("ids integer[] = 1,20 : 1..10", "is not among its values"),
        ("top integr", "did you mean `integer`?"),
        ("top integer 5", "\"5\" is not expected here"),
        ("top integer =", "nothing after `=`"),
        ("top integer = : 1..5", "nothing after `=`"),
        ("top integer = ten", "\"ten\" is not a whole number"),
        ("top integer = 1.5", "is not a whole number"),
        ("top integer : ", "nothing after `:`"),
        ("top integer : 1..", "both its ends"),
        ("top integer : ..5", "both its ends"),
        ("top integer : 10..1", "range 10..1 is empty"),
        ("top integer : a..b", "is not a whole number"),
        (
            "top integer = 0 : 1..100",
            "default of parameter `top`, 0, is not among",
        ),
        ("top integer = 101 : 1..100", "is not among its values"),
        ("top integer = 3 : 1, 2", "is not among its values"),
        ("top integer : 1, 01", "value 1 is listed twice"),
        ("top integer : 1,,2", "empty value"),
        ("top integer : 1,", "empty value"),
        ("t text : a, null", "`null` is not a value"),
        ("t text : a..b", "type text has no ranges"),
        ("b boolean : false..true", "type boolean has no ranges"),
        ("id uuid : a..b", "type uuid has no ranges"),
        ("t text = 'open", "quote is not closed"),
        ("t text = \"double\"", "holds a quote"),
        ("t text = 'a' b", "\"b\" is not expected here"),
        (
            "t text : 'a' b",
            "\"b\" is not expected after a quoted value",
        ),
        ("d date = 2026-02-30", "is not a date"),
        ("n number = NaN", "is not a decimal number"),
    ] {
        let fault = parse(7, line).unwrap_err();
        assert!(
            fault.what.contains(reason),
            "{line}: {} should hold {reason}",
            fault.what
        );
        assert!(fault.line == 7 && !fault.remedy.is_empty(), "{line}");
    }
}
