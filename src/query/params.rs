//! Declared parameters, and how what a client sent becomes the [`Arguments`] of a call: typed,
//! checked, completed with defaults. Every refusal is a message for that client.

use std::cmp::Ordering;

use super::value::{Arguments, ParamType, Value, read_list};
use crate::error::RequestError;
use crate::text::words::{did_you_mean, nearest_word, quote_value};

/// The longest value a client may send, in characters, as a JSON Schema counts them.
pub(super) const LONGEST: usize = 8 * 1024;

/// The number of values of a list that a message names.
const LISTED: usize = 20;

/// One declared parameter of a query.
#[derive(Debug, Clone, PartialEq)]
pub struct Param {
    /// The name in the SQL, without the colon.
    pub name: String,
    /// The type of its values.
    pub kind: ParamType,
    /// The value where the client sends none.
    pub default: ParamDefault,
    /// The values of the type that are taken.
    pub allowed: AllowedValues,
}

/// The value where the client sends none.
#[derive(Debug, Clone, PartialEq)]
pub enum ParamDefault {
    /// Nothing: the client must send one.
    Required,
    /// `= null`, or a canonical value.
    Value(Value),
}

/// The values of a parameter's type that are taken. The rule does not concern null.
#[derive(Debug, Clone, PartialEq)]
pub enum AllowedValues {
    /// All of them.
    Anything,
    /// One of these canonical values.
    List(Vec<Value>),
    /// The values from the first to the second, inclusive at both ends.
    Range(Value, Value),
}

impl AllowedValues {
    /// Returns whether a canonical value is taken; null always is.
    pub(super) fn is_allowed(&self, value: &Value) -> bool {
        if let Value::List(items) = value {
            return items.iter().all(|item| self.is_allowed(item));
        }
        match self {
            _ if *value == Value::Null => true,
            AllowedValues::Anything => true,
            AllowedValues::List(values) => values.contains(value),
            AllowedValues::Range(min, max) => {
                value.compare_values(min).is_some_and(Ordering::is_ge)
                    && value.compare_values(max).is_some_and(Ordering::is_le)
            }
        }
    }
}

impl Param {
    /// Returns what a client may send for it, in words: `one of eu, us` or `a date like …`.
    fn accepted_words(&self) -> String {
        let element = self.kind.element_type();
        let one = match &self.allowed {
            AllowedValues::Anything => return self.kind.describe_values().into_owned(),
            AllowedValues::Range(min, max) => {
                format!("{} from {min} to {max}", element.bound_noun())
            }
            AllowedValues::List(values) => {
                let mut names: Vec<String> = values.iter().take(LISTED).map(list_name).collect();
                if values.len() > LISTED {
                    names.push("…".to_owned());
                }
                format!("one of {}", names.join(", "))
            }
        };
        match self.kind {
            ParamType::List(_) => format!("a list with commas between its values, each {one}"),
            _ => one,
        }
    }

    /// Returns the value for what the client sent, or for its silence: only a list may come in
    /// several texts.
    ///
    /// An empty field of a form counts as silence, except for a text: there it is the empty text,
    /// or null where null is the default. Where a list or a type of the database has no default,
    /// it is the empty list, or a text for the database to read.
    fn read_value(&self, sent: &[&str]) -> Result<Value, RequestError> {
        let is_list = matches!(self.kind, ParamType::List(_));
        if sent.len() > 1 && !is_list {
            return Err(self.refuse_value("is given more than once"));
        }
        for text in sent {
            if text.chars().nth(LONGEST).is_some() {
                return Err(self.refuse_value(&format!("is longer than {LONGEST} characters")));
            }
            if text.contains('\0') {
                return Err(self.refuse_value("holds a NUL character"));
            }
        }
        let silent = |text: &str| match self.kind {
            ParamType::Text => text.is_empty() && self.default == ParamDefault::Value(Value::Null),
            ParamType::Named(_) | ParamType::List(_) => {
                text.is_empty() && self.default != ParamDefault::Required
            }
            _ => text.trim_ascii().is_empty(),
        };
        let given = match sent {
            [text] if silent(text) => &[],
            sent => sent,
        };
        let [text, ..] = given else {
            return match &self.default {
                ParamDefault::Value(value) => Ok(value.clone()),
                ParamDefault::Required => Err(self.refuse_value("is missing")),
            };
        };
        let read = match &self.kind {
            ParamType::List(element) => read_list(element, given),
            kind => kind.read(text),
        };
        let value =
            read.map_err(|reason| self.refuse_value(&format!("{} {reason}", quote_value(text))))?;
        if !self.allowed.is_allowed(&value) {
            return Err(self.refuse_value(&format!("{} is not accepted", quote_value(text))));
        }
        Ok(value)
    }

    fn refuse_value(&self, problem: &str) -> RequestError {
        let (name, accepts) = (&self.name, self.accepted_words());
        RequestError::BadParameter(format!("parameter `{name}`: {problem}; it takes {accepts}"))
    }
}

/// Returns the arguments of a call with the pairs that a client sent, in any order.
pub(super) fn read_arguments(
    params: &[Param],
    pairs: &[(String, String)],
) -> Result<Arguments, RequestError> {
    for (name, _) in pairs {
        if !params.iter().any(|param| param.name == *name) {
            return Err(unknown_parameter(params, name));
        }
    }
    let value = |param: &Param| {
        let sent = pairs.iter().filter(|(name, _)| *name == param.name);
        let sent: Vec<&str> = sent.map(|(_, text)| text.as_str()).collect();
        param.read_value(&sent)
    };
    params
        .iter()
        .map(value)
        .collect::<Result<_, _>>()
        .map(Arguments)
}

fn unknown_parameter(params: &[Param], name: &str) -> RequestError {
    let names: Vec<&str> = params.iter().map(|param| param.name.as_str()).collect();
    let guess = did_you_mean(nearest_word(name, names.iter().copied()));
    let known = if names.is_empty() {
        "this query takes no parameters".to_owned()
    } else {
        format!("this query takes {}", names.join(", "))
    };
    let separator = if guess.is_empty() { ";" } else { "" };
    RequestError::BadParameter(format!(
        "unknown parameter {}{guess}{separator} {known}",
        quote_value(name)
    ))
}

/// Returns a value in a list; a text that would vanish there is quoted.
fn list_name(value: &Value) -> String {
    match value {
        Value::Text(text) if text.trim_ascii() != text || text.is_empty() => quote_value(text),
        value => value.to_string(),
    }
}

#[cfg(test)]
mod tests;
