//! The part of a result that a page shows: its first rows, and of long values their beginning. Data
//! formats have all of it.

use serde_json::value::RawValue;

use crate::app::format;
use crate::cache::Entry;
use crate::error::RequestError;
use crate::view::{self, TableCell};

/// The most text of all rows that a page shows, in bytes, a cell's markup included. With it a page
/// stays small whatever the rows are like.
const TEXT: usize = 1 << 20;
/// The bytes of one cell's markup, near enough.
const MARKUP: usize = 32;
/// The longest value that a page shows as a whole, in bytes.
const LONGEST: usize = 16 << 10;

/// Returns the bytes of a result that a page is made of, near enough.
pub(super) fn result_size(entry: &Entry, rows: usize) -> usize {
    let each = entry.body.len() / usize::try_from(entry.rows).unwrap_or(1).max(1);
    entry.body.len().min(each.saturating_mul(rows))
}

/// Returns the first rows of a result, at most so many.
///
/// # Errors
/// The result is none that this program stored.
pub(super) fn excerpt_table(entry: &Entry, most: usize) -> Result<view::ResultTable, RequestError> {
    let columns = format::columns_from_json(&entry.head)?;
    let mut rows: Vec<Vec<TableCell>> = Vec::new();
    let (mut left, mut is_shortened) = (TEXT, false);
    for row in
        format::read_cells(&columns, format::document_rows(&entry.body), shown_cell).take(most)
    {
        let row: Vec<_> = row?.into_iter().map(or_null).collect();
        let size = row.iter().map(|(cell, _)| cell_length(cell) + MARKUP).sum();
        if size > left && !rows.is_empty() {
            break;
        }
        left = left.saturating_sub(size);
        is_shortened |= row.iter().any(|(_, is_shortened)| *is_shortened);
        rows.push(row.into_iter().map(|(cell, _)| cell).collect());
    }
    Ok(view::ResultTable {
        hidden: entry.rows.saturating_sub(rows.len() as u64),
        columns,
        rows,
        truncated: format::is_truncated(&entry.body),
        shortened: is_shortened,
    })
}

/// Returns the columns of the first row, each with its value; none where there is no row.
///
/// # Errors
/// As of [`excerpt_table`].
pub(super) fn first_row(entry: &Entry) -> Result<Vec<(String, TableCell)>, RequestError> {
    let columns = format::columns_from_json(&entry.head)?;
    let first = format::read_cells(&columns, format::document_rows(&entry.body), shown_cell).next();
    let first = first.transpose()?.unwrap_or_default();
    let cells = first.into_iter().map(|cell| or_null(cell).0);
    Ok(columns.into_iter().zip(cells).collect())
}

/// A cell, and whether it is less than its value.
type ShownCell = (TableCell, bool);

fn or_null(shown: Option<ShownCell>) -> ShownCell {
    shown.unwrap_or((TableCell::Null, false))
}

fn cell_length(cell: &TableCell) -> usize {
    cell.shown_text().map_or(0, str::len)
}

/// Returns a value for a page, which escapes what bodies must hold escaped already.
fn shown_cell(value: &RawValue) -> ShownCell {
    let whole = match TableCell::from_json(value) {
        TableCell::Json(nested) => TableCell::Json(format::with_angles(&nested)),
        cell => cell,
    };
    if cell_length(&whole) <= LONGEST {
        return (whole, false);
    }
    let short = |text: &str| format!("{}…", &text[..text.floor_char_boundary(LONGEST)]);
    let cell = match &whole {
        TableCell::Null => TableCell::Null,
        TableCell::Number(text) => TableCell::Number(short(text)),
        TableCell::Text(text) => TableCell::Text(short(text)),
        TableCell::Json(text) => TableCell::Json(short(text)),
    };
    (cell, true)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn a_long_value_is_cut_between_characters_and_keeps_its_kind() {
        for (json, kind) in [
            (format!("\"{}\"", "é".repeat(LONGEST)), "Text"),
            (format!("\"x{}\"", "é".repeat(LONGEST)), "Text"),
            (format!("[\"{}\"]", "é".repeat(LONGEST)), "Json"),
            ("9".repeat(LONGEST + 1), "Number"),
        ] {
            let (cell, is_shortened) = shown_cell(&RawValue::from_string(json).unwrap());
            assert!(is_shortened && format!("{cell:?}").starts_with(kind));
            let text = cell.shown_text().unwrap();
            assert!(text.ends_with('…') && text.len() <= LONGEST + '…'.len_utf8());
        }
        let whole = format!("\"{}\"", "x".repeat(LONGEST));
        assert!(!shown_cell(&RawValue::from_string(whole).unwrap()).1);
    }
}
