//! From the rows of a result to the bytes of a format. Pure functions: the rows come as
//! [`Rows`](crate::db::Rows) has them, JSON objects joined by commas, and their values keep the
//! very text that the database gave, numbers above all. Who asks for which format is not known
//! here.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::error::RequestError;

const HEAD: &[u8] = b"{\"ok\":true,\"rows\":[";
const WHOLE: &[u8] = b"],\"truncated\":false}";
const TRUNCATED: &[u8] = b"],\"truncated\":true}";

/// The JSON document of a query: `{"ok":true,"rows":[…],"truncated":false}`.
pub fn json(rows_json: &[u8], truncated: bool) -> Vec<u8> {
    [HEAD, rows_json, if truncated { TRUNCATED } else { WHOLE }].concat()
}

/// One JSON object a line, each as it stands.
pub fn ndjson(rows_json: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(rows_json.len() + 1);
    for object in objects(rows_json) {
        out.extend_from_slice(object);
        out.push(b'\n');
    }
    out
}

/// CSV after RFC 4180, with a header line also when there are no rows. Null is an empty field,
/// nested JSON is its text, and text is never changed, not even what a spreadsheet would run.
///
/// Fails only for rows that are not the JSON of these columns.
pub fn csv(columns: &[String], rows_json: &[u8]) -> Result<Vec<u8>, RequestError> {
    let mut writer = csv::WriterBuilder::new()
        .terminator(csv::Terminator::CRLF)
        .from_writer(Vec::with_capacity(rows_json.len()));
    writer
        .write_record(columns)
        .map_err(|error| internal(&error))?;
    for row in texts(columns, rows_json)? {
        let fields = row.iter().map(|cell| cell.as_deref().unwrap_or_default());
        writer
            .write_record(fields)
            .map_err(|error| internal(&error))?;
    }
    writer.into_inner().map_err(|error| internal(&error))
}

/// Aligned text for a terminal. Control characters are escaped, so that data cannot steer the
/// terminal.
pub fn table(columns: &[String], rows_json: &[u8]) -> Result<String, RequestError> {
    let printable = |text: &str| -> String {
        let escape = |c: char| {
            if c.is_control() {
                c.escape_default().to_string()
            } else {
                c.into()
            }
        };
        text.chars().map(escape).collect()
    };
    let mut lines = vec![
        columns
            .iter()
            .map(|name| printable(name))
            .collect::<Vec<_>>(),
    ];
    for row in texts(columns, rows_json)? {
        lines.push(
            row.iter()
                .map(|cell| printable(cell.as_deref().unwrap_or_default()))
                .collect(),
        );
    }
    Ok(aligned(&lines, true))
}

/// Lines of cells as columns that stand below each other, two spaces apart; with a rule below the
/// first line where it is a heading.
pub fn aligned(lines: &[Vec<String>], heading: bool) -> String {
    let mut widths: Vec<usize> = Vec::new();
    for line in lines {
        widths.resize(widths.len().max(line.len()), 0);
        for (width, cell) in widths.iter_mut().zip(line) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut out = String::new();
    let mut push = |cells: &mut dyn Iterator<Item = Cow<'_, str>>| {
        let start = out.len();
        for (width, cell) in widths.iter().zip(cells) {
            let padding = " ".repeat(width + 2 - cell.chars().count());
            out.extend([&*cell, &*padding]);
        }
        out.truncate(start + out[start..].trim_end_matches(' ').len());
        out.push('\n');
    };
    for (index, line) in lines.iter().enumerate() {
        push(&mut line.iter().map(|cell| Cow::Borrowed(cell.as_str())));
        if index == 0 && heading {
            push(&mut widths.iter().map(|width| "-".repeat(*width).into()));
        }
    }
    out
}

/// The rows as cells in the order of the columns, each made from its value as it is written;
/// `None` where a row has no such column.
///
/// # Errors
/// Only for rows that are not JSON.
pub fn cells<T>(
    columns: &[String],
    rows_json: &[u8],
    make: impl Fn(&RawValue) -> T,
) -> Result<Vec<Vec<Option<T>>>, RequestError> {
    objects(rows_json)
        .map(|object| {
            let Object(fields) =
                serde_json::from_slice(object).map_err(|error| internal(&error))?;
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
        .collect()
}

/// The rows as text in the order of the columns, null as `None`.
fn texts(columns: &[String], rows_json: &[u8]) -> Result<Vec<Vec<Option<String>>>, RequestError> {
    let rows = cells(columns, rows_json, text)?.into_iter();
    Ok(rows
        .map(|row| row.into_iter().map(Option::flatten).collect())
        .collect())
}

/// The rows within a document that [`json`] made: `{…},{…}`.
pub fn rows(document: &[u8]) -> &[u8] {
    let (head, tail) = (
        HEAD.len(),
        if truncated(document) {
            TRUNCATED
        } else {
            WHOLE
        },
    );
    document
        .get(head..document.len().saturating_sub(tail.len()))
        .unwrap_or_default()
}

/// Whether a document that [`json`] made says that there were more rows.
pub fn truncated(document: &[u8]) -> bool {
    document.ends_with(TRUNCATED)
}

/// The column names as a JSON list, for keeping them beside a document.
///
/// # Errors
/// None that names in UTF-8 could bring about.
pub fn columns_to_json(columns: &[String]) -> Result<Vec<u8>, RequestError> {
    serde_json::to_vec(columns).map_err(|error| internal(&error))
}

/// The column names that [`columns_to_json`] wrote.
///
/// # Errors
/// What was written by something else.
pub fn columns_from_json(json: &[u8]) -> Result<Vec<String>, RequestError> {
    serde_json::from_slice(json).map_err(|error| internal(&error))
}

/// The fields of one object in order, values as they are written.
struct Object<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de> Deserialize<'de> for Object<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields;
        impl<'de> Visitor<'de> for Fields {
            type Value = Object<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a row")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object<'de>, A::Error> {
                let mut fields = Vec::new();
                while let Some((Name(name), value)) = map.next_entry()? {
                    fields.push((name, value));
                }
                Ok(Object(fields))
            }
        }
        deserializer.deserialize_map(Fields)
    }
}

/// A name, borrowed where it holds no escapes.
#[derive(serde::Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

/// Text without its quotes, anything else as its JSON text, null as `None`.
fn text(value: &RawValue) -> Option<String> {
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

/// The objects of a comma-joined list, each as it stands.
fn objects(rows_json: &[u8]) -> impl Iterator<Item = &[u8]> {
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

fn internal(error: &dyn fmt::Display) -> RequestError {
    RequestError::Internal {
        detail: format!("rows cannot be written: {error}").into(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    const ROWS: &str = concat!(
        r#"{"id":1,"name":"a \"b\", {c}","n":0.10},"#,
        r#"{"id":2,"name":null,"n":1e400},"#,
        r#"{"n":[1,{"x":"}"}],"id":12345678901234567890123,"name":"line\nbreak"}"#
    );

    fn columns(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn json_is_the_rows_with_their_frame() {
        assert_eq!(
            json(b"", false),
            br#"{"ok":true,"rows":[],"truncated":false}"#
        );
        assert_eq!(
            json(b"{},{}", true),
            br#"{"ok":true,"rows":[{},{}],"truncated":true}"#
        );
    }

    #[test]
    fn ndjson_is_each_object_as_it_stands() {
        let out = String::from_utf8(ndjson(ROWS.as_bytes())).unwrap();
        assert_eq!(out.lines().collect::<Vec<_>>().join(","), ROWS);
        assert_eq!(out.lines().count(), 3);
        assert!(ndjson(b"").is_empty());
    }

    #[test]
    fn csv_keeps_numbers_and_quotes_what_needs_it() {
        let out = csv(&columns(&["id", "name", "n"]), ROWS.as_bytes()).unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "id,name,n\r\n1,\"a \"\"b\"\", {c}\",0.10\r\n2,,1e400\r\n\
             12345678901234567890123,\"line\nbreak\",\"[1,{\"\"x\"\":\"\"}\"\"}]\"\r\n"
        );
    }

    #[test]
    fn csv_without_rows_has_its_header_and_leaves_formulas_alone() {
        assert_eq!(csv(&columns(&["a", "b"]), b"").unwrap(), b"a,b\r\n");
        assert_eq!(
            csv(&columns(&["a"]), br#"{"a":"=1+1"}"#).unwrap(),
            b"a\r\n=1+1\r\n"
        );
        assert_eq!(
            csv(&columns(&["a"]), br#"{"a":null}"#).unwrap(),
            b"a\r\n\"\"\r\n"
        );
    }

    #[test]
    fn cells_are_text_without_quotes_and_json_for_the_rest() {
        let rows = br#"{"\u0074":"\u003cb>","j":{"k":"\u003c\\u003c\""},"b":true,"x":null}"#;
        let cells = texts(&columns(&["t", "j", "b", "x", "gone"]), rows).unwrap();
        let some = |text: &str| Some(text.to_owned());
        let json = some(r#"{"k":"<\\u003c\""}"#);
        assert_eq!(cells, [[some("<b>"), json, some("true"), None, None]]);
    }

    #[test]
    fn half_a_surrogate_pair_stays_as_it_is_written() {
        let cells = texts(&columns(&["t"]), br#"{"t":"\ud800"}"#).unwrap();
        assert_eq!(cells, [[Some("\"\\ud800\"".to_owned())]]);
    }

    #[test]
    fn a_table_is_aligned_and_cannot_steer_a_terminal() {
        let rows = "{\"a\":\"\\u001b[31m\",\"b\":\"x\"},{\"a\":\"é\",\"b\":null}";
        let out = table(&columns(&["a", "b"]), rows.as_bytes()).unwrap();
        assert_eq!(out, "a           b\n----------  -\n\\u{1b}[31m  x\né\n");
    }

    #[test]
    fn rows_that_are_cut_off_are_an_error() {
        assert!(texts(&columns(&["a"]), br#"{"a":1},{"a":"#).is_err());
        assert!(csv(&columns(&["a"]), br#"{"a":1"#).is_err());
    }
}
