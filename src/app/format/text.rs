//! Rows as text for others than browsers: CSV for spreadsheets, aligned columns for terminals.

use std::borrow::Cow;

use super::cells::{internal_error, read_texts};
use crate::error::RequestError;
use crate::text::words::escape_controls;

/// Returns CSV after RFC 4180, with a header line also when there are no rows. Null is an empty
/// field, nested JSON is its text, and text is never changed, not even what a spreadsheet would
/// run.
///
/// Fails only for rows that are not the JSON of these columns.
pub fn write_csv(columns: &[String], rows_json: &[u8]) -> Result<Vec<u8>, RequestError> {
    let mut writer = csv::WriterBuilder::new()
        .terminator(csv::Terminator::CRLF)
        .from_writer(Vec::with_capacity(rows_json.len()));
    writer
        .write_record(columns)
        .map_err(|error| internal_error(&error))?;
    for row in read_texts(columns, rows_json)? {
        let fields = row.iter().map(|cell| cell.as_deref().unwrap_or_default());
        writer
            .write_record(fields)
            .map_err(|error| internal_error(&error))?;
    }
    writer.into_inner().map_err(|error| internal_error(&error))
}

/// Returns aligned text for a terminal, with control characters escaped.
pub fn write_table(columns: &[String], rows_json: &[u8]) -> Result<String, RequestError> {
    let mut lines = vec![
        columns
            .iter()
            .map(|name| escape_controls(name))
            .collect::<Vec<_>>(),
    ];
    for row in read_texts(columns, rows_json)? {
        lines.push(
            row.iter()
                .map(|cell| escape_controls(cell.as_deref().unwrap_or_default()))
                .collect(),
        );
    }
    Ok(align_columns(&lines, true))
}

/// Returns lines of cells as columns that stand below each other, two spaces apart; with a rule
/// below the first line where it is a heading.
pub fn align_columns(lines: &[Vec<String>], heading: bool) -> String {
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
    fn csv_keeps_numbers_and_quotes_what_needs_it() {
        let out = write_csv(&columns(&["id", "name", "n"]), ROWS.as_bytes()).unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "id,name,n\r\n1,\"a \"\"b\"\", {c}\",0.10\r\n2,,1e400\r\n\
             12345678901234567890123,\"line\nbreak\",\"[1,{\"\"x\"\":\"\"}\"\"}]\"\r\n"
        );
    }

    #[test]
    fn csv_without_rows_has_its_header_and_leaves_formulas_alone() {
        assert_eq!(write_csv(&columns(&["a", "b"]), b"").unwrap(), b"a,b\r\n");
        assert_eq!(
            write_csv(&columns(&["a"]), br#"{"a":"=1+1"}"#).unwrap(),
            b"a\r\n=1+1\r\n"
        );
        assert_eq!(
            write_csv(&columns(&["a"]), br#"{"a":null}"#).unwrap(),
            b"a\r\n\"\"\r\n"
        );
    }

    #[test]
    fn a_table_is_aligned_and_cannot_steer_a_terminal() {
        let rows = "{\"a\":\"\\u001b[31m\",\"b\":\"x\"},{\"a\":\"é\",\"b\":null}";
        let out = write_table(&columns(&["a", "b"]), rows.as_bytes()).unwrap();
        assert_eq!(out, "a           b\n----------  -\n\\u{1b}[31m  x\né\n");
    }

    #[test]
    fn rows_that_are_cut_off_are_an_error() {
        assert!(write_csv(&columns(&["a"]), br#"{"a":1"#).is_err());
    }
}
