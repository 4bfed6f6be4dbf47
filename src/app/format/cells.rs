//! Rows of JSON text taken apart into cells, without reading more of a value than where it ends.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::error::RequestError;

/// Returns the rows as cells in the order of the columns, each made from its value as it is
/// written; `None` where a row has no such column. A row is read when it is asked for, and is an
/// error only where it is not JSON.
pub fn read_cells<T>(
    columns: &[String],
    rows_json: &[u8],
    make: impl Fn(&RawValue) -> T,
) -> impl Iterator<Item = Result<Vec<Option<T>>, RequestError>> {
    split_objects(rows_json).map(move |object| {
        let RowObject(fields) =
            serde_json::from_slice(object).map_err(|error| internal_error(&error))?;
        let cell = |(index, column): (usize, &String)| {
            // The database keeps the order, so the first look nearly always finds it.
            let is_it = |field: &&(Cow<'_, str>, &RawValue)| field.0 == *column;
            let field = fields.get(index).filter(is_it);
            field
                .or_else(|| fields.iter().find(is_it))
                .map(|(_, value)| make(value))
        };
        Ok(columns.iter().enumerate().map(cell).collect())
    })
}

/// Returns the rows as text in the order of the columns, null as `None`.
pub(super) fn read_texts(
    columns: &[String],
    rows_json: &[u8],
) -> Result<Vec<Vec<Option<String>>>, RequestError> {
    read_cells(columns, rows_json, cell_text)
        .map(|row| Ok(row?.into_iter().map(Option::flatten).collect()))
        .collect()
}

/// The fields of one object in order, values as they are written.
struct RowObject<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de> Deserialize<'de> for RowObject<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct FieldVisitor;
        impl<'de> Visitor<'de> for FieldVisitor {
            type Value = RowObject<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a row")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RowObject<'de>, A::Error> {
                let mut fields = Vec::new();
                while let Some((ColumnName(name), value)) = map.next_entry()? {
                    fields.push((name, value));
                }
                Ok(RowObject(fields))
            }
        }
        deserializer.deserialize_map(FieldVisitor)
    }
}

/// A name, borrowed where it holds no escapes.
#[derive(serde::Deserialize)]
struct ColumnName<'a>(#[serde(borrow)] Cow<'a, str>);

/// Returns text without its quotes, anything else as its JSON text, null as `None`.
fn cell_text(value: &RawValue) -> Option<String> {
    match value.get() {
        "null" => None,
        // Half a surrogate pair is valid JSON and no text; it stays as it is written.
        text if text.starts_with('"') => {
            Some(serde_json::from_str(text).unwrap_or_else(|_| text.to_owned()))
        }
        nested => Some(with_angles(nested)),
    }
}

/// Undoes the escape that keeps `<` out of the bodies, where JSON text is not for a browser to
/// read as a script.
pub fn with_angles(nested: &str) -> String {
    let mut out = String::with_capacity(nested.len());
    let mut rest = nested;
    while let Some(at) = rest.find('\\') {
        let (before, escape) = rest.split_at(at);
        out.push_str(before);
        if let Some(after) = escape.strip_prefix("\\u003c") {
            out.push('<');
            rest = after;
        } else {
            // A backslash and what it escapes go together, so `\\u003c` is left alone.
            let after = escape.chars().nth(1).map_or(1, |c| 1 + c.len_utf8());
            out.push_str(&escape[..after]);
            rest = &escape[after..];
        }
    }
    out + rest
}

/// Returns the objects of a comma-joined list, each as it stands.
pub(super) fn split_objects(rows_json: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = rows_json;
    std::iter::from_fn(move || {
        let start = rest.iter().position(|byte| *byte == b'{')?;
        let (mut depth, mut in_text, mut escaped) = (0_usize, false, false);
        for (index, byte) in rest.iter().enumerate().skip(start) {
            match byte {
                _ if escaped => escaped = false,
                b'\\' if in_text => escaped = true,
                b'"' => in_text = !in_text,
                b'{' if !in_text => depth += 1,
                b'}' if !in_text => {
                    depth -= 1;
                    if depth == 0 {
                        let object = &rest[start..=index];
                        rest = &rest[index + 1..];
                        return Some(object);
                    }
                }
                _ => {}
            }
        }
        // An object without an end: given as it is, so that reading it fails rather than hides it.
        Some(std::mem::take(&mut rest))
    })
}

pub(super) fn internal_error(error: &dyn fmt::Display) -> RequestError {
    RequestError::Internal {
        detail: format!("rows cannot be written: {error}").into(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn columns(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn cells_are_text_without_quotes_and_json_for_the_rest() {
        let rows = br#"{"\u0074":"\u003cb>","j":{"k":"\u003c\\u003c\""},"b":true,"x":null}"#;
        let cells = read_texts(&columns(&["t", "j", "b", "x", "gone"]), rows).unwrap();
        let some = |text: &str| Some(text.to_owned());
        let json = some(r#"{"k":"<\\u003c\""}"#);
        assert_eq!(cells, [[some("<b>"), json, some("true"), None, None]]);
    }

    #[test]
    fn half_a_surrogate_pair_stays_as_it_is_written() {
        let cells = read_texts(&columns(&["t"]), br#"{"t":"\ud800"}"#).unwrap();
        assert_eq!(cells, [[Some("\"\\ud800\"".to_owned())]]);
    }

    #[test]
    fn rows_that_are_cut_off_are_an_error() {
        assert!(read_texts(&columns(&["a"]), br#"{"a":1},{"a":"#).is_err());
    }
}
