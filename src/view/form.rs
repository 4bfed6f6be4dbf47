//! The form for a query's parameters, which works without script: a plain GET. It owns which input
//! a parameter gets; what a value means is checked where parameters are typed, in `query`.

use maud::{Markup, html};

use super::{Failure, QueryInfo};
use crate::query::{Allowed, Param, ParamDefault, ParamType, Value};

/// The form, filled with what was `given`, else with the defaults. `failure` is shown at the
/// parameter it names.
pub(super) fn form(
    query: &QueryInfo<'_>,
    given: &[(String, String)],
    failure: Option<&Failure<'_>>,
) -> Markup {
    let named = failure.and_then(|failure| named(query.params, failure));
    html! {
        form.panel.form method="get" action={ "/q/" (query.name) } {
            div.fields {
                @for param in query.params {
                    @let value = given.iter().find(|(name, _)| *name == param.name);
                    @let wrong = named.filter(|name| *name == param.name).and(failure);
                    (field(param, value.map(|(_, value)| value.clone()).or_else(|| preset(param)), wrong))
                }
            }
            p.actions {
                button.button type="submit" { "Run" }
                a href={ "/q/" (query.name) } { "Reset" }
            }
        }
    }
}

/// The parameter that a refusal is about, if it is one of these. The first name in quotes counts,
/// so that a near miss which is only suggested is not blamed.
pub(super) fn named<'a>(params: &'a [Param], failure: &Failure<'_>) -> Option<&'a str> {
    if failure.status != 400 {
        return None;
    }
    let word = |c: char| c.is_alphanumeric() || c == '_';
    let known = |name: &str| {
        params
            .iter()
            .map(|p| p.name.as_str())
            .find(|known| *known == name)
    };
    let mut quoted = failure
        .message
        .split(['"', '`', '\'', '“', '”', '‘', '’'])
        .skip(1)
        .step_by(2);
    match quoted.next() {
        Some(first) => known(first),
        None => failure.message.split(|c| !word(c)).find_map(known),
    }
}

/// The default, as it would be given.
fn preset(param: &Param) -> Option<String> {
    match &param.default {
        ParamDefault::Required => None,
        ParamDefault::Value(value) => text(value),
    }
}

fn field(param: &Param, value: Option<String>, wrong: Option<&Failure<'_>>) -> Markup {
    let id = format!("p-{}", param.name);
    let described = format!("{id}-about");
    html! {
        div.field {
            label for=(id) {
                (param.name)
                @if optional(param) { " " span.quiet { "optional" } }
            }
            (control(param, &id, &described, value.as_deref(), wrong.is_some()))
            p.hint id=(described) {
                @if let Some(failure) = wrong { strong.wrong { (failure.message) } " " }
                (hint(param))
            }
        }
    }
}

fn control(param: &Param, id: &str, about: &str, value: Option<&str>, wrong: bool) -> Markup {
    let invalid = wrong.then_some("true");
    let choices = choices(param);
    if !choices.is_empty() {
        return select(param, &choices, id, about, value, invalid);
    }
    let (low, high) = match &param.allowed {
        Allowed::Range(low, high) => (text(low), text(high)),
        _ => (None, None),
    };
    // Only these two inputs know a range.
    let ranged = matches!(
        param.kind,
        ParamType::Integer | ParamType::Number | ParamType::Date
    );
    // No `number` input for bigint: a browser would compare it as a double. No `datetime-local`
    // for timestamp: it cannot say a zone.
    let (kind, mode, pattern, step) = match param.kind {
        ParamType::Integer => ("number", None, None, Some("1")),
        ParamType::Number => ("number", None, None, Some("any")),
        ParamType::Bigint => ("text", Some("numeric"), Some("[-+]?[0-9]+"), None),
        ParamType::Date => ("date", None, None, None),
        ParamType::Uuid => ("text", None, Some("[0-9A-Fa-f\\-]{32,36}"), None),
        ParamType::Text | ParamType::Timestamp | ParamType::Boolean => ("text", None, None, None),
    };
    html! {
        input id=(id) name=(param.name) type=(kind) value=[value]
            min=[low.filter(|_| ranged)] max=[high.filter(|_| ranged)] step=[step]
            inputmode=[mode] pattern=[pattern] placeholder=[placeholder(param)]
            required[required(param)] aria-describedby=(about) aria-invalid=[invalid]
            autocomplete="off" spellcheck="false";
    }
}

/// A list. What was given and is not in it stays to be seen, and so does that nothing was given.
fn select(
    param: &Param,
    choices: &[String],
    id: &str,
    about: &str,
    value: Option<&str>,
    invalid: Option<&str>,
) -> Markup {
    let value = value.filter(|value| !value.is_empty());
    let foreign = value.filter(|value| !choices.iter().any(|choice| choice == value));
    html! {
        select id=(id) name=(param.name) required[required(param)]
            aria-describedby=(about) aria-invalid=[invalid] {
            @if optional(param) {
                option value="" selected[value.is_none()] { "not set" }
            } @else if value.is_none() {
                option value="" selected disabled { "Choose…" }
            }
            @if let Some(foreign) = foreign {
                option value=(foreign) selected { (foreign) " (not in the list)" }
            }
            @for choice in choices {
                option value=(choice) selected[value == Some(choice.as_str())] { (choice) }
            }
        }
    }
}

/// The values there are, where there is a list of them.
fn choices(param: &Param) -> Vec<String> {
    match &param.allowed {
        Allowed::List(values) => values.iter().filter_map(text).collect(),
        _ if param.kind == ParamType::Boolean => vec!["true".to_owned(), "false".to_owned()],
        _ => Vec::new(),
    }
}

fn required(param: &Param) -> bool {
    param.default == ParamDefault::Required
}

fn optional(param: &Param) -> bool {
    param.default == ParamDefault::Value(Value::Null)
}

fn placeholder(param: &Param) -> Option<&'static str> {
    match param.kind {
        ParamType::Timestamp => Some("2026-01-31 18:00"),
        ParamType::Uuid => Some("00000000-0000-0000-0000-000000000000"),
        _ if optional(param) => Some("not set"),
        _ => None,
    }
}

/// A value as it is written in a form or a URL; `None` for null.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::Boolean(yes) => Some(yes.to_string()),
        Value::Integer(n) => Some(n.to_string()),
        Value::Bigint(n) => Some(n.to_string()),
        Value::Text(text)
        | Value::Number(text)
        | Value::Date(text)
        | Value::Timestamp(text)
        | Value::Uuid(text) => Some(text.clone()),
    }
}

/// What may be entered, beneath the input.
fn hint(param: &Param) -> String {
    let kind = match param.kind {
        ParamType::Text | ParamType::Boolean => "",
        ParamType::Integer | ParamType::Bigint => "Whole number",
        ParamType::Number => "Number",
        ParamType::Date => "Date",
        ParamType::Timestamp => "Date and time, UTC where no zone is given",
        ParamType::Uuid => "UUID",
    };
    match &param.allowed {
        Allowed::Range(low, high) if kind.is_empty() => range(low, high),
        Allowed::Range(low, high) => format!("{kind}, {}", range(low, high)),
        Allowed::List(_) => String::new(),
        Allowed::Anything => kind.to_owned(),
    }
}

fn range(low: &Value, high: &Value) -> String {
    format!(
        "{} to {}",
        text(low).unwrap_or_default(),
        text(high).unwrap_or_default()
    )
}

/// A parameter in short, for the catalog: `integer, 1 to 100, default 10`.
pub(super) fn summary(param: &Param) -> String {
    let kind = match param.kind {
        ParamType::Text => "text",
        ParamType::Integer => "integer",
        ParamType::Bigint => "bigint",
        ParamType::Number => "number",
        ParamType::Boolean => "boolean",
        ParamType::Date => "date",
        ParamType::Timestamp => "timestamp",
        ParamType::Uuid => "uuid",
    };
    let allowed = match &param.allowed {
        Allowed::Anything => kind.to_owned(),
        Allowed::Range(low, high) => format!("{kind}, {}", range(low, high)),
        Allowed::List(values) => {
            let values: Vec<String> = values.iter().filter_map(text).collect();
            values.join(" | ")
        }
    };
    match &param.default {
        ParamDefault::Required => format!("{allowed}, required"),
        ParamDefault::Value(Value::Null) => format!("{allowed}, optional"),
        ParamDefault::Value(value) => {
            format!("{allowed}, default {}", text(value).unwrap_or_default())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn param(name: &str, kind: ParamType, default: ParamDefault, allowed: Allowed) -> Param {
        Param {
            name: name.to_owned(),
            kind,
            default,
            allowed,
        }
    }

    fn top() -> Param {
        param(
            "top",
            ParamType::Integer,
            ParamDefault::Value(Value::Integer(10)),
            Allowed::Range(Value::Integer(1), Value::Integer(100)),
        )
    }

    fn region() -> Param {
        let values = ["eu", "us"].map(|value| Value::Text(value.to_owned()));
        param(
            "region",
            ParamType::Text,
            ParamDefault::Required,
            Allowed::List(values.to_vec()),
        )
    }

    fn of(kind: ParamType) -> Param {
        param(
            "p",
            kind,
            ParamDefault::Value(Value::Null),
            Allowed::Anything,
        )
    }

    fn drawn(params: &[Param], given: &[(&str, &str)], message: Option<&str>) -> String {
        let info = QueryInfo {
            name: "q",
            title: "Q",
            description: None,
            params,
            ttl: None,
        };
        let given: Vec<_> = given
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect();
        let failure = message.map(|message| Failure {
            status: 400,
            message,
            id: "1",
            retry_after: None,
        });
        form(&info, &given, failure.as_ref()).0
    }

    #[test]
    fn an_integer_with_a_range_is_a_number_input_with_its_bounds_and_default() {
        let text = drawn(&[top()], &[], None);
        let input = r#"type="number" value="10" min="1" max="100" step="1""#;
        assert!(text.contains(input), "{text}");
        assert!(text.contains("Whole number, 1 to 100"), "{text}");
    }

    #[test]
    fn what_was_given_goes_before_the_default() {
        assert!(drawn(&[top()], &[("top", "7")], None).contains(r#"value="7""#));
    }

    #[test]
    fn a_list_is_a_select_that_asks_when_nothing_was_given() {
        let text = drawn(&[region()], &[], None);
        assert!(
            text.contains(r#"<select id="p-region" name="region" required"#),
            "{text}"
        );
        assert!(
            text.contains(r#"<option value="" selected disabled>Choose…"#),
            "{text}"
        );
        let text = drawn(&[region()], &[("region", "us")], None);
        assert!(text.contains(r#"<option value="us" selected>"#), "{text}");
        assert!(!text.contains("Choose…"), "{text}");
    }

    #[test]
    fn a_value_that_is_not_in_the_list_stays_to_be_seen() {
        let text = drawn(&[region()], &[("region", "mars")], None);
        assert!(
            text.contains(r#"<option value="mars" selected>mars (not in the list)"#),
            "{text}"
        );
    }

    #[test]
    fn each_type_has_its_input() {
        let cases = [
            (ParamType::Text, r#"type="text""#),
            (ParamType::Integer, r#"type="number""#),
            (ParamType::Bigint, r#"type="text" inputmode="numeric""#),
            (ParamType::Number, r#"type="number" step="any""#),
            (ParamType::Boolean, r#"<option value="true">"#),
            (ParamType::Date, r#"type="date""#),
            (
                ParamType::Timestamp,
                r#"type="text" placeholder="2026-01-31 18:00""#,
            ),
            (ParamType::Uuid, r#"pattern="[0-9A-Fa-f\-]{32,36}""#),
        ];
        for (kind, expected) in cases {
            let text = drawn(&[of(kind)], &[], None);
            assert!(text.contains(expected), "{kind:?}: {text}");
            assert!(!text.contains("required"), "{kind:?} is optional: {text}");
            assert!(text.contains(">optional<"), "{kind:?}: {text}");
        }
    }

    #[test]
    fn a_refusal_stands_at_the_parameter_it_names() {
        let message = r#"parameter "top" must be a whole number"#;
        let text = drawn(&[region(), top()], &[("top", "ten")], Some(message));
        let (before, after) = text.split_once(r#"id="p-top""#).unwrap_or_default();
        assert!(!before.contains("aria-invalid"), "{before}");
        assert!(after.contains(r#"aria-invalid="true""#), "{after}");
        assert!(after.contains("must be a whole number</strong>"), "{after}");
    }

    #[test]
    fn a_parameter_that_is_only_suggested_is_not_blamed() {
        let params = [region(), top()];
        let failure = |message, status| Failure {
            status,
            message,
            id: "1",
            retry_after: None,
        };
        let cases = [
            (r#"unknown parameter "topp"; did you mean "top"?"#, None),
            ("unknown parameter `topp`; did you mean `top`?", None),
            (r#"parameter "top": 0 is not in 1..100"#, Some("top")),
            ("region is required", Some("region")),
            ("a regional stop", None),
        ];
        for (message, expected) in cases {
            assert_eq!(
                named(&params, &failure(message, 400)),
                expected,
                "{message}"
            );
        }
        assert_eq!(named(&params, &failure("top", 503)), None);
    }

    #[test]
    fn a_parameter_in_short_says_type_bounds_and_default() {
        assert_eq!(summary(&top()), "integer, 1 to 100, default 10");
        assert_eq!(summary(&region()), "eu | us, required");
        assert_eq!(summary(&of(ParamType::Date)), "date, optional");
    }
}
