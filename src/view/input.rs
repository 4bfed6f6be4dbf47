//! The input for one parameter, and a parameter in words. It owns which control fits which type and
//! values; what a value means is checked where parameters are typed, in `query`.

use maud::{Markup, html};

use crate::query::{AllowedValues, Param, ParamDefault, ParamType, Value};

/// Returns the control, filled with `value`. `about` is the id of what describes it.
pub(super) fn render_control(
    param: &Param,
    id: &str,
    about: &str,
    value: Option<&str>,
    wrong: bool,
) -> Markup {
    let invalid = wrong.then_some("true");
    let choices = param_choices(param);
    if !choices.is_empty() {
        return render_select(param, &choices, id, about, value, invalid);
    }
    let (low, high) = match &param.allowed {
        AllowedValues::Range(low, high) => (value_text(low), value_text(high)),
        _ => (None, None),
    };
    // Only these two inputs know a range.
    let ranged = matches!(
        param.kind,
        ParamType::Integer | ParamType::Number | ParamType::Date
    );
    // No `number` input for bigint: a browser would compare it as a double. No `datetime-local`
    // for timestamp: it cannot say a zone.
    let (kind, mode, pattern, step) = match &param.kind {
        ParamType::Integer => ("number", None, None, Some("1")),
        ParamType::Number => ("number", None, None, Some("any")),
        ParamType::Bigint => ("text", Some("numeric"), Some("[-+]?[0-9]+"), None),
        ParamType::Date => ("date", None, None, None),
        ParamType::Uuid => ("text", None, Some("[0-9A-Fa-f\\-]{32,36}"), None),
        ParamType::Text
        | ParamType::Timestamp
        | ParamType::Boolean
        | ParamType::Named(_)
        | ParamType::List(_) => ("text", None, None, None),
    };
    html! {
        input id=(id) name=(param.name) type=(kind) value=[value]
            min=[low.filter(|_| ranged)] max=[high.filter(|_| ranged)] step=[step]
            inputmode=[mode] pattern=[pattern] placeholder=[input_placeholder(param)]
            required[is_required(param)] aria-describedby=(about) aria-invalid=[invalid]
            autocomplete="off" spellcheck="false";
    }
}

/// Returns a list. What was given and is not in it stays to be seen, and so does that nothing was
/// given.
fn render_select(
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
        select id=(id) name=(param.name) required[is_required(param)]
            aria-describedby=(about) aria-invalid=[invalid] {
            @if is_optional(param) {
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
fn param_choices(param: &Param) -> Vec<String> {
    match &param.allowed {
        // Several may be chosen of a list's values, which a field of text can hold.
        _ if matches!(param.kind, ParamType::List(_)) => Vec::new(),
        AllowedValues::List(values) => values.iter().filter_map(value_text).collect(),
        _ if param.kind == ParamType::Boolean => vec!["true".to_owned(), "false".to_owned()],
        _ => Vec::new(),
    }
}

/// Returns whether the query cannot run without it.
pub(super) fn is_required(param: &Param) -> bool {
    param.default == ParamDefault::Required
}

/// Returns whether it may be left out and is null then.
pub(super) fn is_optional(param: &Param) -> bool {
    param.default == ParamDefault::Value(Value::Null)
}

fn input_placeholder(param: &Param) -> Option<&'static str> {
    match param.kind {
        ParamType::Timestamp => Some("2026-01-31 18:00"),
        ParamType::Uuid => Some("00000000-0000-0000-0000-000000000000"),
        _ if is_optional(param) => Some("not set"),
        _ => None,
    }
}

/// Returns the default, as it would be given.
pub(super) fn preset_text(param: &Param) -> Option<String> {
    match &param.default {
        ParamDefault::Required => None,
        ParamDefault::Value(value) => value_text(value),
    }
}

/// A value as it is written in a form or a URL; `None` for null.
fn value_text(value: &Value) -> Option<String> {
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
        Value::List(_) => Some(value.to_string()),
    }
}

/// Returns what may be entered, beneath the input.
pub(super) fn render_hint(param: &Param) -> String {
    let is_list = matches!(param.kind, ParamType::List(_));
    let kind = match param.kind.element_type() {
        ParamType::Text | ParamType::Boolean | ParamType::List(_) => "",
        ParamType::Integer | ParamType::Bigint => "Whole number",
        ParamType::Number => "Number",
        ParamType::Date => "Date",
        ParamType::Timestamp => "Date and time, UTC where no zone is given",
        ParamType::Uuid => "UUID",
        ParamType::Named(name) => name,
    };
    let one = match &param.allowed {
        AllowedValues::Range(low, high) if kind.is_empty() => range_words(low, high),
        AllowedValues::Range(low, high) => format!("{kind}, {}", range_words(low, high)),
        AllowedValues::List(_) if is_list => allowed_words(&param.allowed),
        AllowedValues::List(_) => String::new(),
        AllowedValues::Anything => kind.to_owned(),
    };
    match (is_list, one.is_empty()) {
        (false, _) => one,
        (true, true) => "Values with commas between".to_owned(),
        (true, false) => format!("Values with commas between: {one}"),
    }
}

/// Returns the values of a list in words.
fn allowed_words(allowed: &AllowedValues) -> String {
    let AllowedValues::List(values) = allowed else {
        return String::new();
    };
    let values: Vec<String> = values.iter().filter_map(value_text).collect();
    values.join(" | ")
}

fn range_words(low: &Value, high: &Value) -> String {
    format!(
        "{} to {}",
        value_text(low).unwrap_or_default(),
        value_text(high).unwrap_or_default()
    )
}

/// Returns a parameter in short, for the catalog: `integer, 1 to 100, default 10`.
pub(super) fn param_summary(param: &Param) -> String {
    let kind = param.kind.name();
    let allowed = match &param.allowed {
        AllowedValues::Anything => kind.into_owned(),
        AllowedValues::Range(low, high) => format!("{kind}, {}", range_words(low, high)),
        AllowedValues::List(_) if matches!(param.kind, ParamType::List(_)) => {
            format!("{kind}, {}", allowed_words(&param.allowed))
        }
        AllowedValues::List(_) => allowed_words(&param.allowed),
    };
    match &param.default {
        ParamDefault::Required => format!("{allowed}, required"),
        ParamDefault::Value(Value::Null) => format!("{allowed}, optional"),
        ParamDefault::Value(value) => {
            format!(
                "{allowed}, default {}",
                value_text(value).unwrap_or_default()
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_in_short_says_type_bounds_and_default() {
        let param = |kind, default, allowed| Param {
            name: "p".to_owned(),
            kind,
            default,
            allowed,
        };
        let top = param(
            ParamType::Integer,
            ParamDefault::Value(Value::Integer(10)),
            AllowedValues::Range(Value::Integer(1), Value::Integer(100)),
        );
        let list = ["eu", "us"].map(|value| Value::Text(value.to_owned()));
        let region = param(
            ParamType::Text,
            ParamDefault::Required,
            AllowedValues::List(list.to_vec()),
        );
        let since = param(
            ParamType::Date,
            ParamDefault::Value(Value::Null),
            AllowedValues::Anything,
        );
        assert_eq!(param_summary(&top), "integer, 1 to 100, default 10");
        assert_eq!(param_summary(&region), "eu | us, required");
        assert_eq!(param_summary(&since), "date, optional");
    }
}
