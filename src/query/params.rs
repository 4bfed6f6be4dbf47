//! Declared parameters, and how what a client sent becomes the [`Arguments`] of a call: typed,
//! checked, completed with defaults. Every refusal is a message for that client.

use std::cmp::Ordering;

use super::value::{Arguments, ParamType, Value};
use super::words::{did_you_mean, nearest, shown};
use crate::error::RequestError;

/// The longest value a client may send, in bytes.
pub const MAX_PARAMETER_BYTES: usize = 8 * 1024;

/// How many values of a list a message names.
const LISTED: usize = 20;

/// One declared parameter of a query.
#[derive(Debug, Clone)]
pub struct Param {
    /// As in the SQL, without the colon.
    pub name: String,
    /// What its values are.
    pub kind: ParamType,
    /// What stands in where the client sends none.
    pub default: ParamDefault,
    /// Which values of the type are taken.
    pub allowed: Allowed,
}

/// What stands in where the client sends no value.
#[derive(Debug, Clone, PartialEq)]
pub enum ParamDefault {
    /// Nothing: the client must send one.
    Required,
    /// `= null`, or a canonical value.
    Value(Value),
}

/// Which values of a parameter's type are taken. It does not concern null.
#[derive(Debug, Clone, PartialEq)]
pub enum Allowed {
    /// All of them.
    Anything,
    /// One of these canonical values.
    List(Vec<Value>),
    /// From the first to the second, inclusive at both ends.
    Range(Value, Value),
}

impl Allowed {
    /// Whether a canonical value is taken; null always is.
    pub(super) fn takes(&self, value: &Value) -> bool {
        match self {
            _ if *value == Value::Null => true,
            Allowed::Anything => true,
            Allowed::List(values) => values.contains(value),
            Allowed::Range(min, max) => {
                value.compare(min).is_some_and(Ordering::is_ge)
                    && value.compare(max).is_some_and(Ordering::is_le)
            }
        }
    }
}

impl Param {
    /// What a client may send for it, in words: `one of eu, us` or `a date like …`.
    pub fn accepts(&self) -> String {
        match &self.allowed {
            Allowed::Anything => self.kind.describe().to_owned(),
            Allowed::Range(min, max) => {
                let kind = self.kind.noun();
                format!("{kind} from {min} to {max}")
            }
            Allowed::List(values) => {
                let mut names: Vec<String> = values.iter().take(LISTED).map(list_name).collect();
                if values.len() > LISTED {
                    names.push("…".to_owned());
                }
                format!("one of {}", names.join(", "))
            }
        }
    }

    /// The value for what the client sent, or for its silence.
    ///
    /// An empty field of a form counts as silence, except for a text: there it is the empty text,
    /// or null where null is the default.
    fn value(&self, sent: Option<&str>) -> Result<Value, RequestError> {
        if let Some(text) = sent {
            if text.len() > MAX_PARAMETER_BYTES {
                return Err(self.refuse(&format!("is longer than {MAX_PARAMETER_BYTES} bytes")));
            }
            if text.contains('\0') {
                return Err(self.refuse("holds a NUL character"));
            }
        }
        let silent = |text: &str| match self.kind {
            ParamType::Text => text.is_empty() && self.default == ParamDefault::Value(Value::Null),
            _ => text.trim_ascii().is_empty(),
        };
        let sent = sent.filter(|text| !silent(text));
        let Some(text) = sent else {
            return match &self.default {
                ParamDefault::Value(value) => Ok(value.clone()),
                ParamDefault::Required => Err(self.refuse("is missing")),
            };
        };
        let value = self
            .kind
            .read(text)
            .map_err(|reason| self.refuse(&format!("{} {reason}", shown(text))))?;
        if !self.allowed.takes(&value) {
            return Err(self.refuse(&format!("{} is not accepted", shown(text))));
        }
        Ok(value)
    }

    fn refuse(&self, problem: &str) -> RequestError {
        let (name, accepts) = (&self.name, self.accepts());
        RequestError::BadParameter(format!("parameter `{name}`: {problem}; it takes {accepts}"))
    }
}

/// The arguments of a call with the pairs that a client sent, in any order.
pub(super) fn arguments(
    params: &[Param],
    pairs: &[(String, String)],
) -> Result<Arguments, RequestError> {
    for (name, _) in pairs {
        if !params.iter().any(|param| param.name == *name) {
            return Err(unknown(params, name));
        }
    }
    let value = |param: &Param| {
        let mut sent = pairs
            .iter()
            .filter(|(name, _)| *name == param.name)
            .map(|(_, text)| text);
        let first = sent.next();
        if sent.next().is_some() {
            return Err(param.refuse("is given more than once"));
        }
        param.value(first.map(String::as_str))
    };
    params
        .iter()
        .map(value)
        .collect::<Result<_, _>>()
        .map(Arguments)
}

fn unknown(params: &[Param], name: &str) -> RequestError {
    let names: Vec<&str> = params.iter().map(|param| param.name.as_str()).collect();
    let guess = did_you_mean(nearest(name, names.iter().copied()));
    let known = if names.is_empty() {
        "this query takes no parameters".to_owned()
    } else {
        format!("this query takes {}", names.join(", "))
    };
    let separator = if guess.is_empty() { ";" } else { "" };
    RequestError::BadParameter(format!(
        "unknown parameter {}{guess}{separator} {known}",
        shown(name)
    ))
}

/// A value in a list; a text that would vanish there is quoted.
fn list_name(value: &Value) -> String {
    match value {
        Value::Text(text) if text.trim_ascii() != text || text.is_empty() => shown(text),
        value => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
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
        let long = "x".repeat(MAX_PARAMETER_BYTES + 1);
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
                &["`word`: is longer than 8192 bytes"],
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
        let just = "x".repeat(MAX_PARAMETER_BYTES);
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
}
