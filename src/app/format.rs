//! The formats of an answer, as bytes made from the rows of a result. The functions are pure: the
//! rows come as [`Rows`](crate::db::Rows) has them, JSON objects joined by commas, and their values
//! keep the very text that the database gave, numbers above all. The choice of a format is not made
//! here.
//!
//! Here are the document that is stored, and NDJSON, which is made of the same bytes; `cells`
//! takes rows apart, and `text` writes them for spreadsheets and terminals.

mod cells;
mod text;

pub use cells::{read_cells, with_angles};
pub use text::{align_columns, write_csv, write_table};

use crate::error::RequestError;
use cells::internal_error;

const HEAD: &[u8] = b"{\"ok\":true,\"rows\":[";
const WHOLE: &[u8] = b"],\"truncated\":false}";
const TRUNCATED: &[u8] = b"],\"truncated\":true}";

/// Makes the rows into the JSON document of a query: `{"ok":true,"rows":[…],"truncated":false}`. In
/// place: a result may be as large as memory allows once.
pub fn write_json(mut rows_json: Vec<u8>, truncated: bool) -> Vec<u8> {
    let tail = if truncated { TRUNCATED } else { WHOLE };
    let length = rows_json.len();
    rows_json.reserve_exact(HEAD.len() + tail.len());
    rows_json.resize(HEAD.len() + length, 0);
    rows_json.copy_within(..length, HEAD.len());
    rows_json[..HEAD.len()].copy_from_slice(HEAD);
    rows_json.extend_from_slice(tail);
    rows_json.shrink_to_fit();
    rows_json
}

/// Returns one JSON object a line, each as it stands.
pub fn write_ndjson(rows_json: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(rows_json.len() + 1);
    for object in cells::split_objects(rows_json) {
        out.extend_from_slice(object);
        out.push(b'\n');
    }
    out
}

/// Returns the rows within a document that [`write_json`] made: `{…},{…}`.
pub fn document_rows(document: &[u8]) -> &[u8] {
    let tail = if is_truncated(document) {
        TRUNCATED
    } else {
        WHOLE
    };
    document
        .strip_prefix(HEAD)
        .and_then(|rest| rest.strip_suffix(tail))
        .unwrap_or_default()
}

/// Returns whether a document that [`write_json`] made says that there were more rows.
pub fn is_truncated(document: &[u8]) -> bool {
    document.ends_with(TRUNCATED)
}

/// Returns the column names as a JSON list, for keeping them beside a document.
///
/// # Errors
/// None that names in UTF-8 could bring about.
pub fn columns_to_json(columns: &[String]) -> Result<Vec<u8>, RequestError> {
    serde_json::to_vec(columns).map_err(|error| internal_error(&error))
}

/// Returns the column names that [`columns_to_json`] wrote.
///
/// # Errors
/// What was written by something else.
pub fn columns_from_json(json: &[u8]) -> Result<Vec<String>, RequestError> {
    serde_json::from_slice(json).map_err(|error| internal_error(&error))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    /// Objects with texts that could be taken for their ends.
    const ROWS: &str = concat!(
        r#"{"name":"a \"b\", {c}","n":0.10},"#,
        r#"{"n":[1,{"x":"}"}],"name":"line\nbreak"}"#
    );

    #[test]
    fn json_is_the_rows_with_their_frame() {
        assert_eq!(
            write_json(Vec::new(), false),
            br#"{"ok":true,"rows":[],"truncated":false}"#
        );
        assert_eq!(
            write_json(b"{},{}".to_vec(), true),
            br#"{"ok":true,"rows":[{},{}],"truncated":true}"#
        );
    }

    #[test]
    fn rows_and_truncation_are_read_back_from_the_document() {
        for rows in ["", "{}", ROWS] {
            for more in [false, true] {
                let document = write_json(rows.as_bytes().to_vec(), more);
                assert_eq!(super::document_rows(&document), rows.as_bytes());
                assert_eq!(is_truncated(&document), more);
            }
        }
        assert!(super::document_rows(b"no document").is_empty());
    }

    #[test]
    fn ndjson_is_each_object_as_it_stands() {
        let out = String::from_utf8(write_ndjson(ROWS.as_bytes())).unwrap();
        assert_eq!(out.lines().collect::<Vec<_>>().join(","), ROWS);
        assert_eq!(out.lines().count(), 2);
        assert!(write_ndjson(b"").is_empty());
    }
}
