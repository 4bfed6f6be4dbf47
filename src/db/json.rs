//! The JSON text of rows, as PostgreSQL's `row_to_json` writes it: making the text of a server's
//! row safe to serve, writing the same text from SQLite's values, and reading the column names
//! back from a row.

use std::fmt;
use std::io::Write;
use std::str::Utf8Chunk;

use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};

use crate::error::RequestError;

/// Appends a row as the server gave it, in one pass: raw CR and LF (a `json` column may hold
/// them) become spaces, so that a row is a line; `<` becomes its escape, so that a body can stand
/// in a page.
pub(super) fn push_row(out: &mut Vec<u8>, row: &[u8]) {
    let mut from = 0;
    for (at, byte) in row.iter().enumerate() {
        let instead: &[u8] = match byte {
            b'\r' | b'\n' => b" ",
            b'<' => b"\\u003c",
            _ => continue,
        };
        out.extend_from_slice(&row[from..at]);
        out.extend_from_slice(instead);
        from = at + 1;
    }
    out.extend_from_slice(&row[from..]);
}

/// Returns the bytes that [`push_row`] appends.
pub(super) fn length_of_row(row: &[u8]) -> usize {
    row.split(|byte| *byte == b'<')
        .map(|part| part.len() + 6)
        .sum::<usize>()
        - 6
}

/// Appends a JSON string with the escapes PostgreSQL uses, and `<` escaped. Bytes that are not
/// UTF-8 become U+FFFD.
pub(super) fn push_string(out: &mut Vec<u8>, bytes: &[u8]) {
    out.push(b'"');
    for chunk in bytes.utf8_chunks() {
        push_escaped(out, chunk.valid().as_bytes());
        if !chunk.invalid().is_empty() {
            out.extend_from_slice("\u{fffd}".as_bytes());
        }
    }
    out.push(b'"');
}

fn push_escaped(out: &mut Vec<u8>, bytes: &[u8]) {
    let mut from = 0;
    for (at, &byte) in bytes.iter().enumerate() {
        let short: &[u8] = match byte {
            b'"' => b"\\\"",
            b'\\' => b"\\\\",
            b'\x08' => b"\\b",
            b'\x0c' => b"\\f",
            b'\n' => b"\\n",
            b'\r' => b"\\r",
            b'\t' => b"\\t",
            0..0x20 | b'<' => b"",
            _ => continue,
        };
        out.extend_from_slice(&bytes[from..at]);
        if short.is_empty() {
            push_fmt(out, format_args!("\\u{byte:04x}"));
        } else {
            out.extend_from_slice(short);
        }
        from = at + 1;
    }
    out.extend_from_slice(&bytes[from..]);
}

/// Returns the bytes that [`push_string`] appends between the quotes.
pub(super) fn length_of_string(bytes: &[u8]) -> usize {
    let length = |byte: &u8| match byte {
        b'"' | b'\\' | b'\x08' | b'\x0c' | b'\n' | b'\r' | b'\t' => 2,
        0..0x20 | b'<' => 6,
        _ => 1,
    };
    let chunk = |chunk: Utf8Chunk<'_>| {
        let valid: usize = chunk.valid().as_bytes().iter().map(length).sum();
        valid + if chunk.invalid().is_empty() { 0 } else { 3 }
    };
    bytes.utf8_chunks().map(chunk).sum()
}

/// Appends bytes the way PostgreSQL shows a `bytea` in JSON.
pub(super) fn push_blob(out: &mut Vec<u8>, bytes: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    out.extend_from_slice(b"\"\\\\x");
    for byte in bytes {
        out.push(DIGITS[usize::from(byte >> 4)]);
        out.push(DIGITS[usize::from(byte & 15)]);
    }
    out.push(b'"');
}

/// Returns the bytes that [`push_blob`] appends.
pub(super) fn length_of_blob(bytes: &[u8]) -> usize {
    2 * bytes.len() + 5
}

/// Makes room for so many bytes in all, and for a quarter more: a vector by itself would double.
pub(super) fn make_room(json: &mut Vec<u8>, length: usize) {
    if length > json.capacity() {
        let spare = (json.len() / 4).max(4096);
        json.reserve_exact(length - json.len() + spare);
    }
}

/// Appends formatted text.
pub(super) fn push_fmt(out: &mut Vec<u8>, text: fmt::Arguments<'_>) {
    out.write_fmt(text)
        .expect("writing to memory does not fail");
}

/// Returns the names of a row's columns in order, or the refusal if two are the same.
pub(super) fn column_names(row: &str) -> Result<Vec<String>, RequestError> {
    let mut reader = serde_json::Deserializer::from_str(row);
    let names = reader
        .deserialize_map(JsonKeys)
        .map_err(|error| RequestError::Internal {
            detail: format!("the database's row is not a JSON object: {error}").into(),
        })?;
    refuse_duplicates(&names)?;
    Ok(names)
}

/// A JSON object can hold only one value of a name, so two columns of one name are refused.
pub(super) fn refuse_duplicates(names: &[String]) -> Result<(), RequestError> {
    let mut seen = std::collections::HashSet::with_capacity(names.len());
    match names.iter().find(|name| !seen.insert(name.as_str())) {
        None => Ok(()),
        Some(twice) => Err(RequestError::BadQuery {
            message: format!(
                "two columns of this query are named {twice:?}: give one of them another name \
                 with an alias (… as other_name)"
            ),
        }),
    }
}

struct JsonKeys;

impl<'de> Visitor<'de> for JsonKeys {
    type Value = Vec<String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut keys = Vec::new();
        while let Some((key, IgnoredAny)) = map.next_entry()? {
            keys.push(key);
        }
        Ok(keys)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_servers_row_becomes_one_line_without_a_less_than_sign() {
        let row = "{\"a\":{\r\n\"x\" : \"<b>\"}}";
        assert_eq!(
            written(|out| push_row(out, row.as_bytes())),
            "{\"a\":{  \"x\" : \"\\u003cb>\"}}"
        );
    }

    #[test]
    fn strings_are_escaped_as_postgresql_does_it() {
        let text = "a\"b\\c/\u{8}\u{c}\n\r\t\u{1}\u{1f}\u{7f}é😀<";
        assert_eq!(
            written(|out| push_string(out, text.as_bytes())),
            "\"a\\\"b\\\\c/\\b\\f\\n\\r\\t\\u0001\\u001f\u{7f}é😀\\u003c\""
        );
        assert_eq!(written(|out| push_string(out, b"\xff")), "\"\u{fffd}\"");
        assert_eq!(written(|out| push_blob(out, b"\x00\xab")), "\"\\\\x00ab\"");
        for bytes in [
            text.as_bytes(),
            b"",
            b"\xff\xfe<",
            "é\u{1}".as_bytes(),
            b"\xf0\x9f\x98",
        ] {
            let length = written(|out| push_string(out, bytes)).len();
            assert_eq!(length_of_string(bytes) + 2, length, "{bytes:?}");
            let length = written(|out| push_blob(out, bytes)).len();
            assert_eq!(length_of_blob(bytes), length, "{bytes:?}");
        }
    }

    #[test]
    fn column_names_come_in_order_and_two_of_one_name_are_refused() {
        let names = column_names(r#"{"z":[1,{"q":2}],"a\"b":null,"":"x"}"#).unwrap();
        assert_eq!(names, ["z", "a\"b", ""]);
        let refusal = column_names(r#"{"a":1,"b":2,"a":3}"#).unwrap_err();
        assert!(refusal.public_message(false).contains("\"a\""), "{refusal}");
        assert!(refusal.public_message(false).contains("alias"), "{refusal}");
    }
}
