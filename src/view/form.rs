//! The form for a query's parameters, which works without script: a plain GET. It owns the
//! fields and where a refusal is shown; which input a parameter gets is `input`'s.

use maud::{Markup, html};

use super::address::query_address;
use super::failure::PageFailure;
use super::query_info::QueryInfo;
use super::{error, input};
use crate::query::{Param, ParamType};

/// Returns the form, filled with what was `given`, else with the defaults. `failure` is shown at
/// the parameter it names.
pub(super) fn render_form(
    query: &QueryInfo<'_>,
    given: &[(String, String)],
    failure: Option<&PageFailure<'_>>,
) -> Markup {
    let named = failure.and_then(|failure| refused_parameter(query.params, failure));
    html! {
        form.panel.form method="get" action=(query_address(query.name, None, &[])) {
            div.fields {
                @for param in query.params {
                    @let value = sent_text(param, given).or_else(|| input::preset_text(param));
                    @let wrong = named.filter(|name| *name == param.name).and(failure);
                    (render_field(param, value.as_deref(), wrong))
                }
            }
            p.actions {
                button.button type="submit" { "Run" }
                a href=(query_address(query.name, None, &[])) { "Reset" }
            }
        }
    }
}

/// Returns the parameter that a refusal is about, if it is one of these. The first name in quotes
/// counts, so that a near miss which is only suggested is not blamed.
pub(super) fn refused_parameter<'a>(
    params: &'a [Param],
    failure: &PageFailure<'_>,
) -> Option<&'a str> {
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

/// The text that was given; the parts of a list together.
fn sent_text(param: &Param, given: &[(String, String)]) -> Option<String> {
    let texts = given.iter().filter(|(name, _)| *name == param.name);
    let mut texts = texts.map(|(_, text)| text.as_str());
    if matches!(param.kind, ParamType::List(_)) {
        let texts: Vec<&str> = texts.collect();
        return (!texts.is_empty()).then(|| texts.join(","));
    }
    texts.next().map(str::to_owned)
}

fn render_field(param: &Param, value: Option<&str>, wrong: Option<&PageFailure<'_>>) -> Markup {
    let id = format!("p-{}", param.name);
    let described = format!("{id}-about");
    html! {
        div.field {
            label for=(id) {
                (param.name)
                @if input::is_optional(param) { " " span.quiet { "optional" } }
            }
            (input::render_control(param, &id, &described, value, wrong.is_some()))
            p.hint id=(described) {
                @match wrong {
                    Some(failure) => strong.wrong { (error::render_message(&at_its_field(param, failure.message))) },
                    None => (input::render_hint(param)),
                }
            }
        }
    }
}

/// Returns the message without the name that stands above it anyway. A sentence that begins with
/// the value keeps it as it was given.
fn at_its_field(param: &Param, message: &str) -> String {
    let rest = message
        .strip_prefix("parameter `")
        .and_then(|rest| rest.strip_prefix(param.name.as_str()))
        .and_then(|rest| rest.strip_prefix("`: "))
        .unwrap_or(message);
    let mut letters = rest.chars();
    let first = letters.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::{AllowedValues, ParamDefault, Value};

    fn param(name: &str, kind: ParamType, default: ParamDefault, allowed: AllowedValues) -> Param {
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
            AllowedValues::Range(Value::Integer(1), Value::Integer(100)),
        )
    }

    fn region() -> Param {
        let values = ["eu", "us"].map(|value| Value::Text(value.to_owned()));
        param(
            "region",
            ParamType::Text,
            ParamDefault::Required,
            AllowedValues::List(values.to_vec()),
        )
    }

    fn of(kind: ParamType) -> Param {
        param(
            "p",
            kind,
            ParamDefault::Value(Value::Null),
            AllowedValues::Anything,
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
        let failure = message.map(|message| PageFailure {
            status: 400,
            message,
            id: "1",
            retry_after: None,
        });
        render_form(&info, &given, failure.as_ref()).0
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
            let text = drawn(&[of(kind.clone())], &[], None);
            assert!(text.contains(expected), "{kind:?}: {text}");
            assert!(!text.contains("required"), "{kind:?} is optional: {text}");
            assert!(text.contains(">optional<"), "{kind:?}: {text}");
        }
    }

    #[test]
    fn a_refusal_stands_at_the_parameter_it_names() {
        let message =
            "parameter `top`: \"ten\" is not a whole number; it takes a whole number from 1 to 100";
        let text = drawn(&[region(), top()], &[("top", "ten")], Some(message));
        let (before, after) = text.split_once(r#"id="p-top""#).unwrap_or_default();
        assert!(!before.contains("aria-invalid"), "{before}");
        assert!(after.contains(r#"aria-invalid="true""#), "{after}");
        assert!(after.contains("from 1 to 100</strong>"), "{after}");
    }

    #[test]
    fn a_refusal_at_its_field_does_not_repeat_the_name_and_keeps_the_value_as_given() {
        let cases = [
            (
                "parameter `top`: is missing; it takes a number",
                ">Is missing; it takes a number<",
            ),
            (
                r#"parameter `top`: "x" is not a number"#,
                ">&quot;x&quot; is not a number<",
            ),
        ];
        for (message, expected) in cases {
            let text = drawn(&[top()], &[], Some(message));
            assert!(text.contains(expected), "{text}");
        }
    }

    #[test]
    fn a_parameter_that_is_only_suggested_is_not_blamed() {
        let params = [region(), top()];
        let failure = |message, status| PageFailure {
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
                refused_parameter(&params, &failure(message, 400)),
                expected,
                "{message}"
            );
        }
        assert_eq!(refused_parameter(&params, &failure("top", 503)), None);
    }
}
