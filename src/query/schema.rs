//! The JSON Schema (2020-12) of a parameter, for API descriptions. It owns how the rules of
//! `params`, `value`, `number` and `moment` are said there.
//!
//! A value that the schema takes is taken here. What is taken here is a value that the schema
//! takes, but maybe written in another way: ` +5`, `yes`, a timestamp in a zone where the schema
//! has a range.

use std::cmp::Ordering;

use serde_json::{Map, Number, Value as Json, json};

use super::list::MOST;
use super::params::{AllowedValues, LONGEST, Param, ParamDefault};
use super::value::{BOOLEANS, ParamType, Value};
use super::{number, pattern};

impl Param {
    /// Returns the JSON Schema of its values, with its default where it has one that is not null.
    pub fn json_schema(&self) -> Json {
        let element = self.kind.element_type();
        let mut schema = match &self.allowed {
            AllowedValues::Anything => of_type(element),
            AllowedValues::List(values) => of_list(element, values),
            AllowedValues::Range(min, max) => of_range(element, min, max),
        };
        if matches!(self.kind, ParamType::List(_)) {
            schema = of_items(schema);
        }
        if let ParamDefault::Value(value) = &self.default
            && let Some(default) = json_value(value)
        {
            schema.insert("default".to_owned(), default);
        }
        Json::Object(schema)
    }

    /// Returns the JSON Schema of what a form may hold for it: texts that stand for its values.
    /// `schema` is that of [`Param::json_schema`], or a reference to it.
    pub fn field_schema(&self, schema: Json) -> Json {
        let mut words: Vec<&str> = Vec::new();
        if self.kind == ParamType::Boolean {
            let taken = BOOLEANS
                .iter()
                .filter(|(_, value)| self.allowed.is_allowed(&Value::Boolean(*value)));
            words.extend(taken.map(|(word, _)| *word));
        }
        words.extend(self.takes_empty().then_some(""));
        if words.is_empty() {
            return schema;
        }
        json!({ "anyOf": [schema, { "type": "string", "enum": words }] })
    }

    /// Returns whether an empty value that its schema does not take is taken all the same, because
    /// it counts as none.
    pub fn takes_empty(&self) -> bool {
        match (&self.default, &self.kind) {
            (ParamDefault::Required, ParamType::List(_)) => true,
            (ParamDefault::Required, _) => false,
            (ParamDefault::Value(value), ParamType::Text) => *value == Value::Null,
            (ParamDefault::Value(_), _) => true,
        }
    }
}

/// Returns a list of what `schema` takes. A text with a comma or a backslash in it is written in
/// another way.
fn of_items(mut schema: Map<String, Json>) -> Map<String, Json> {
    if schema.contains_key("maxLength") {
        schema.insert("pattern".to_owned(), "^[^\\u0000,\\\\]+$".into());
    }
    object_members(json!({ "type": "array", "items": schema, "maxItems": MOST }))
}

fn of_type(kind: &ParamType) -> Map<String, Json> {
    object_members(match kind {
        // PostgreSQL has no text with NUL.
        ParamType::Text | ParamType::Named(_) => {
            json!({ "type": "string", "maxLength": LONGEST, "pattern": "^[^\\u0000]*$" })
        }
        ParamType::Integer => integer_schema("int32", i32::MIN.into(), i32::MAX.into()),
        ParamType::Bigint => integer_schema("int64", i64::MIN, i64::MAX),
        ParamType::Number => json!({ "type": "number" }),
        ParamType::Boolean => json!({ "type": "boolean" }),
        ParamType::Date => {
            json!({ "type": "string", "format": "date", "pattern": pattern::ANY_DAY })
        }
        ParamType::Timestamp => {
            json!({ "type": "string", "format": "date-time", "pattern": pattern::any_moment() })
        }
        ParamType::Uuid => json!({ "type": "string", "format": "uuid" }),
        ParamType::List(element) => return of_items(of_type(element)),
    })
}

fn integer_schema(format: &str, min: i64, max: i64) -> Json {
    json!({ "type": "integer", "format": format, "minimum": min, "maximum": max })
}

fn of_range(kind: &ParamType, min: &Value, max: &Value) -> Map<String, Json> {
    let mut schema = of_type(kind);
    match (min, max) {
        (Value::Date(min), Value::Date(max)) => {
            schema.insert("pattern".to_owned(), pattern::day_pattern(min, max).into());
        }
        (Value::Timestamp(min), Value::Timestamp(max)) => {
            schema.insert(
                "pattern".to_owned(),
                pattern::moment_pattern(min, max).into(),
            );
        }
        (Value::Number(min), Value::Number(max)) => {
            let ends = [
                ("minimum", near_bound(min, Ordering::Less, f64::next_up)),
                (
                    "maximum",
                    near_bound(max, Ordering::Greater, f64::next_down),
                ),
            ];
            let ends = ends
                .into_iter()
                .filter_map(|(key, end)| Some((key.to_owned(), Json::Number(end?))));
            schema.extend(ends);
        }
        _ => {
            for (key, bound) in [("minimum", min), ("maximum", max)] {
                schema.extend(json_value(bound).map(|bound| (key.to_owned(), bound)));
            }
        }
    }
    schema
}

fn of_list(kind: &ParamType, values: &[Value]) -> Map<String, Json> {
    let listed: Option<Vec<Json>> = values.iter().map(json_value).collect();
    match (kind, listed) {
        (ParamType::Number, None) => {
            // Digits that JSON numbers would lose.
            let texts: Vec<String> = values.iter().map(Value::to_string).collect();
            object_members(json!({ "type": "string", "enum": texts }))
        }
        (_, listed) => {
            let mut schema = of_type(kind);
            schema.retain(|key, _| key == "type" || key == "format");
            schema.insert("enum".to_owned(), listed.into());
            schema
        }
    }
}

/// Returns the value in JSON; `None` for null, and for a number that JSON would round.
fn json_value(value: &Value) -> Option<Json> {
    Some(match value {
        Value::Null => return None,
        Value::List(items) => Json::Array(items.iter().map(json_value).collect::<Option<_>>()?),
        Value::Integer(n) => json!(n),
        Value::Bigint(n) => json!(n),
        Value::Boolean(b) => json!(b),
        Value::Number(text) => {
            let number = json_number(text)?;
            let is_exact = canonical_number(&number) == *text;
            Json::Number(is_exact.then_some(number)?)
        }
        Value::Text(text) | Value::Date(text) | Value::Timestamp(text) | Value::Uuid(text) => {
            json!(text)
        }
    })
}

/// Returns a canonical number in JSON, rounded where it has more digits than a double; `None`
/// beyond what that holds.
fn json_number(text: &str) -> Option<Number> {
    match text.parse::<i64>() {
        Ok(whole) => Some(whole.into()),
        Err(_) => Number::from_f64(text.parse().ok()?),
    }
}

/// Returns a bound in JSON that is not on its `wrong` side: rounding must not let in what is
/// refused.
fn near_bound(bound: &str, wrong: Ordering, step: fn(f64) -> f64) -> Option<Number> {
    let number = json_number(bound).or_else(|| {
        let greatest = if bound.starts_with('-') {
            f64::MIN
        } else {
            f64::MAX
        };
        Number::from_f64(greatest)
    })?;
    if number::compare_numbers(&canonical_number(&number), bound) != wrong {
        return Some(number);
    }
    Number::from_f64(step(number.as_f64()?))
}

/// Returns how a number that was written in JSON is read here.
fn canonical_number(number: &Number) -> String {
    number::canonical_number(&number.to_string()).unwrap_or_default()
}

/// Returns the members of an object.
fn object_members(object: Json) -> Map<String, Json> {
    match object {
        Json::Object(members) => members,
        _ => Map::new(),
    }
}

#[cfg(test)]
mod tests;
