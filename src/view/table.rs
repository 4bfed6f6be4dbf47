//! A result as an HTML table. It owns how a cell looks; which rows there are is decided elsewhere.

use maud::{Markup, html};
use serde_json::value::RawValue;

use super::format;

/// One value of a result, by what it is in JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TableCell {
    /// SQL's null.
    Null,
    /// A number, with the digits the database wrote.
    Number(String),
    /// Text, or anything else that JSON writes as a string.
    Text(String),
    /// An array, an object or a boolean, as JSON.
    Json(String),
}

impl TableCell {
    /// Returns the cell for one JSON value. Numbers keep their digits.
    pub fn from_json(value: &RawValue) -> TableCell {
        let json = value.get();
        match json.as_bytes().first() {
            Some(b'n') => TableCell::Null,
            Some(b'-' | b'0'..=b'9') => TableCell::Number(json.to_owned()),
            // A lone surrogate is JSON but no text: shown as it was written.
            Some(b'"') => serde_json::from_str(json)
                .map_or_else(|_| TableCell::Json(json.to_owned()), TableCell::Text),
            _ => TableCell::Json(json.to_owned()),
        }
    }

    /// Returns what is shown; `None` for null.
    pub fn shown_text(&self) -> Option<&str> {
        match self {
            TableCell::Null => None,
            TableCell::Number(text) | TableCell::Text(text) | TableCell::Json(text) => Some(text),
        }
    }
}

/// A result.
#[derive(Debug, Clone, Default)]
pub struct ResultTable {
    /// The columns' names, in order; known also where there are no rows.
    pub columns: Vec<String>,
    /// The rows, each as long as `columns`.
    pub rows: Vec<Vec<TableCell>>,
    /// Rows of the result that are not shown.
    pub hidden: u64,
    /// True where the result itself was cut: there were more rows than it has.
    pub truncated: bool,
    /// True where of some values only the beginning is shown.
    pub shortened: bool,
}

impl ResultTable {
    /// Returns whether a column holds numbers and nothing but: such a column is aligned on the
    /// right.
    fn is_numeric(&self, column: usize) -> bool {
        let mut cells = self.rows.iter().filter_map(|row| row.get(column));
        cells
            .clone()
            .any(|cell| matches!(cell, TableCell::Number(_)))
            && cells.all(|cell| matches!(cell, TableCell::Number(_) | TableCell::Null))
    }

    /// Writes `12 rows`, or that these are the first of more.
    fn size_words(&self) -> String {
        let shown = self.rows.len() as u64;
        if self.hidden > 0 {
            let all = format::format_counted(shown + self.hidden, "row");
            return format!("{} of {all}", format::format_count(shown));
        }
        let rows = format::format_counted(shown, "row");
        if self.truncated {
            format!("The first {rows}; there are more")
        } else {
            rows
        }
    }
}

/// Returns the table in a container of its own that scrolls sideways, so that the page never does.
/// `title` names it for those who do not see it.
pub(super) fn render_table(title: &str, table: &ResultTable) -> Markup {
    let classes: Vec<Option<&str>> = (0..table.columns.len())
        .map(|column| table.is_numeric(column).then_some("num"))
        .collect();
    html! {
        div.scroll.few[table.columns.len() <= FEW_COLUMNS] role="region" aria-labelledby="result" tabindex="0" {
            table {
                caption id="result" { span.unseen { (title) ": " } (table.size_words()) }
                thead {
                    tr {
                        @for (column, class) in table.columns.iter().zip(&classes) {
                            th scope="col" class=[*class] { (column) }
                        }
                    }
                }
                tbody {
                    @for row in &table.rows {
                        tr {
                            @for (cell, class) in row.iter().zip(&classes) { (render_cell(cell, *class)) }
                        }
                    }
                    @if table.rows.is_empty() {
                        tr.none { td colspan=(table.columns.len().max(1)) { "No rows" } }
                    }
                }
            }
        }
        @if table.hidden > 0 {
            p.note { (table.size_words()) " are shown. The links below give all of them: JSON, CSV, NDJSON." }
        }
        @if table.shortened {
            p.note { "Of long values only the beginning is shown. The links below give them whole." }
        }
        @if table.truncated {
            p.note { "Not everything is shown: the result was cut at the limit of rows." }
        }
    }
}

/// A table of so few columns is as wide as they are: numbers at opposite ends of a page do not read
/// as one row.
const FEW_COLUMNS: usize = 3;

/// Longer text wraps, in a column wide enough to read; a date or a name stays in one piece.
const ONE_LINE: usize = 40;

fn render_cell(cell: &TableCell, class: Option<&str>) -> Markup {
    let text = cell.shown_text().unwrap_or_default();
    let long = text.contains('\n') || text.chars().nth(ONE_LINE).is_some();
    html! {
        td class=[if long { Some("wrap") } else { class }] {
            @match cell {
                TableCell::Null => span.null { "null" },
                TableCell::Json(json) => code { (json) },
                TableCell::Number(text) | TableCell::Text(text) => (text),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn cell(json: &str) -> TableCell {
        TableCell::from_json(&RawValue::from_string(json.to_owned()).unwrap())
    }

    #[test]
    fn a_cell_is_what_it_is_in_json_and_numbers_keep_their_digits() {
        assert_eq!(cell("null"), TableCell::Null);
        let long = "12345678901234567890.10";
        assert_eq!(cell(long), TableCell::Number(long.to_owned()));
        assert_eq!(cell("-1"), TableCell::Number("-1".to_owned()));
        assert_eq!(cell("true"), TableCell::Json("true".to_owned()));
        assert_eq!(cell(r#""\u003cb>\n""#), TableCell::Text("<b>\n".to_owned()));
        assert_eq!(cell(r#""null""#), TableCell::Text("null".to_owned()));
        assert_eq!(cell("[1, 2]"), TableCell::Json("[1, 2]".to_owned()));
        assert_eq!(
            cell(r#""\ud800""#),
            TableCell::Json(r#""\ud800""#.to_owned())
        );
    }

    #[test]
    fn a_column_is_numeric_when_it_has_a_number_and_nothing_else() {
        let rows = [r#"[1, "007", null, 1]"#, r#"[null, "42", null, "NaN"]"#];
        let rows = rows.map(|row| {
            serde_json::from_str::<Vec<Box<RawValue>>>(row)
                .unwrap()
                .iter()
                .map(|value| TableCell::from_json(value))
                .collect()
        });
        let table = ResultTable {
            columns: ["n", "code", "none", "mixed"].map(str::to_owned).to_vec(),
            rows: rows.to_vec(),
            ..ResultTable::default()
        };
        assert_eq!(
            [0, 1, 2, 3].map(|column| table.is_numeric(column)),
            [true, false, false, false]
        );
    }

    #[test]
    fn only_long_text_and_lines_wrap() {
        let class = |text: &str| {
            render_cell(&TableCell::Text(text.to_owned()), None)
                .0
                .contains("wrap")
        };
        assert!(!class(&"x".repeat(ONE_LINE)));
        assert!(class(&"x".repeat(ONE_LINE + 1)));
        assert!(class("two\nlines"));
    }

    #[test]
    fn an_empty_result_has_its_headings_and_says_so() {
        let empty = ResultTable {
            columns: vec!["a".into(), "b".into()],
            ..ResultTable::default()
        };
        let text = super::render_table("Title", &empty).0;
        assert!(
            text.contains(r#"<th scope="col">a</th><th scope="col">b</th>"#),
            "{text}"
        );
        assert!(text.contains(r#"<td colspan="2">No rows</td>"#), "{text}");
        assert!(text.replace('\u{a0}', " ").contains("0 rows"), "{text}");
    }

    #[test]
    fn a_truncated_result_says_so() {
        let cut = ResultTable {
            columns: vec!["a".into()],
            rows: vec![vec![TableCell::Null]],
            truncated: true,
            ..ResultTable::default()
        };
        let text = super::render_table("Title", &cut).0.replace('\u{a0}', " ");
        assert!(text.contains("The first 1 row; there are more"), "{text}");
        assert!(text.contains(r#"<span class="null">null</span>"#), "{text}");
    }
}
