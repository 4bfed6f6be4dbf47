//! The header of a query file: the `-- key: value` lines among the comments before its SQL. It owns
//! which of these lines are taken; which comments there are, and which of them only look like
//! header lines, is a matter of `comments`, and what a value may be is one of `keys`.

use super::comments::{
    QueryPreamble, check_access, check_lookalike, find_preamble, key_and_value, keys_in_block,
};
use super::fault::QueryFileError;
use super::keys::QueryHeader;
use super::kind::DatabaseKind;

/// Reads the header in the comments before the SQL of `text`.
pub(super) fn read_header(kind: DatabaseKind, text: &str) -> Result<QueryHeader, QueryFileError> {
    let QueryPreamble {
        comments,
        body,
        body_line,
    } = find_preamble(kind, text)?;
    let mut header = QueryHeader {
        body,
        body_line,
        ..QueryHeader::default()
    };
    let mut seen: Vec<(&str, usize)> = Vec::new();
    for comment in comments {
        if comment.is_block {
            ignore_block(&mut header, comment.line, comment.text)?;
        } else if let Some((key, value)) = key_and_value(comment.text) {
            check_key(comment.line, key, value, &seen)?;
            header.set(comment.line, key, value)?;
            seen.push((key, comment.line));
        } else {
            check_lookalike(comment.line, comment.text)?;
            check_access(comment.line, comment.text)?;
        }
    }
    Ok(header)
}

fn check_key(
    line: usize,
    key: &'static str,
    value: &str,
    seen: &[(&str, usize)],
) -> Result<(), QueryFileError> {
    if key != "param"
        && let Some((_, first)) = seen.iter().find(|(known, _)| *known == key)
    {
        return Err(QueryFileError::new(
            line,
            format!("`{key}` stands here for the second time, after line {first}"),
            "remove one of the two",
        ));
    }
    if value.is_empty() {
        return Err(QueryFileError::new(
            line,
            format!("`{key}` has no value"),
            "write one behind the colon, or remove the line",
        ));
    }
    if value.contains(char::is_control) {
        return Err(QueryFileError::new(
            line,
            format!("the value of `{key}` holds a control character"),
            "remove it; lines end with LF or CRLF",
        ));
    }
    // A second key on the line would be lost in a text.
    if key == "access" {
        Ok(())
    } else {
        check_access(line, value)
    }
}

/// Notes the header lines in a block comment; `access` must not be lost there.
fn ignore_block(header: &mut QueryHeader, line: usize, text: &str) -> Result<(), QueryFileError> {
    for (line, key, value) in keys_in_block(line, text) {
        if key == "access" {
            return Err(QueryFileError::new(
                line,
                "`access` has no effect in a block comment",
                format!("write it as `-- access: {value}` on a line of its own"),
            ));
        }
        header.ignored.push((line, format!("{key}: {value}")));
    }
    check_access(line, text)
}

#[cfg(test)]
mod tests;
