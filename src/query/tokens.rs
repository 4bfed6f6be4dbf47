//! SQL text as tokens with their byte ranges and lines, by the tokenizer of `sqlparser`. It knows
//! where strings, names and comments end, and nothing of what the SQL means.

use std::ops::Range;

use sqlparser::dialect::{Dialect, PostgreSqlDialect, SQLiteDialect};
use sqlparser::tokenizer::{Location, Token, Tokenizer, Whitespace};

use super::comments::check_late;
use super::fault::QueryFileError;
use super::kind::DatabaseKind;

/// One token that is neither space nor comment.
#[derive(Debug)]
pub(super) struct SqlPiece {
    pub(super) token: Token,
    /// Its bytes in the text.
    pub(super) bytes: Range<usize>,
    /// Its line in the file.
    pub(super) line: usize,
}

impl SqlPiece {
    /// Returns the text of an unquoted word.
    pub(super) fn word(&self) -> Option<&str> {
        match &self.token {
            Token::Word(word) if word.quote_style.is_none() => Some(&word.value),
            _ => None,
        }
    }
}

/// Returns the tokens of `text`, whose first line is line `first_line` of its file. A comment among
/// them that says what only the header can is refused.
pub(super) fn split_pieces(
    kind: DatabaseKind,
    text: &str,
    first_line: usize,
) -> Result<Vec<SqlPiece>, QueryFileError> {
    let dialect: &dyn Dialect = match kind {
        DatabaseKind::Postgres => &PostgreSqlDialect {},
        DatabaseKind::Sqlite => &SQLiteDialect {},
    };
    let mut tokens = Vec::new();
    let outcome = Tokenizer::new(dialect, text).tokenize_with_location_into_buf(&mut tokens);

    let mut cursor = TokenCursor {
        text,
        offset: 0,
        line: 1,
        column: 1,
    };
    let mut pieces = Vec::new();
    for token in tokens {
        let line = first_line + cursor.line - 1;
        let start = cursor.offset;
        cursor.advance_to(token.span.end);
        if let Token::CustomBinaryOperator(operator) = &token.token
            && (operator.contains("--") || operator.contains("/*"))
        {
            // PostgreSQL ends the operator there, the tokenizer does not.
            return Err(QueryFileError::new(
                line,
                "a comment touches the operator before it",
                "put a space before the comment",
            ));
        }
        if let Token::Whitespace(space) = &token.token {
            check_comment(space, line, &text[..start])?;
        } else {
            pieces.push(SqlPiece {
                token: token.token,
                bytes: start..cursor.offset,
                line,
            });
        }
    }
    match outcome {
        Ok(()) => Ok(pieces),
        // The part that cannot be read begins where the last token ended.
        Err(error) => Err(QueryFileError::new(
            first_line + cursor.line - 1,
            format!("the SQL cannot be read: {}", lower_first(&error.message)),
            token_remedy(&error.message),
        )),
    }
}

fn check_comment(space: &Whitespace, line: usize, before: &str) -> Result<(), QueryFileError> {
    match space {
        Whitespace::SingleLineComment { comment, .. } => {
            let before = before.rsplit('\n').next().unwrap_or_default();
            check_late(line, comment, before.trim().is_empty())
        }
        Whitespace::MultiLineComment(comment) => check_late(line, comment, false),
        _ => Ok(()),
    }
}

fn token_remedy(message: &str) -> &'static str {
    if message.contains("'_'") {
        "put a name that begins with _ in double quotes behind a dot; let no _ end a number"
    } else if message.contains("encoded") || message.contains("unicode") {
        "close the string that begins here; write characters above 7F themselves, not as \\x or \\u"
    } else if message.contains("operator") {
        "put spaces between operators that follow each other"
    } else {
        "close the string, the quoted name or the comment that begins here"
    }
}

fn lower_first(text: &str) -> String {
    let mut chars = text.chars();
    chars
        .next()
        .map(|c| c.to_ascii_lowercase())
        .into_iter()
        .chain(chars)
        .collect()
}

/// Goes through a text once, from the tokenizer's places (lines ended by `\n`, columns counted in
/// characters) to bytes.
struct TokenCursor<'a> {
    text: &'a str,
    offset: usize,
    line: usize,
    column: usize,
}

impl TokenCursor<'_> {
    fn advance_to(&mut self, place: Location) {
        let at = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
        let target = (at(place.line), at(place.column));
        for c in self.text[self.offset..].chars() {
            if (self.line, self.column) >= target {
                break;
            }
            self.offset += c.len_utf8();
            if c == '\n' {
                self.line += 1;
                self.column = 1;
            } else {
                self.column += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn byte_ranges_hold_through_multi_byte_text_tabs_and_every_line_end() {
        let text = "\tséle😀ct\t'ñ\r\n😀'\r\n/* é\n*/ ß::text -- ü\r\n, \"ü\n\" \u{a0}x\r y";
        for kind in [DatabaseKind::Postgres, DatabaseKind::Sqlite] {
            let pieces = split_pieces(kind, text, 10).unwrap();
            let of = |part: &str| pieces.iter().find(|p| &text[p.bytes.clone()] == part);
            assert_eq!(of("'ñ\r\n😀'").unwrap().line, 10);
            assert_eq!(of("ß").unwrap().line, 13);
            assert_eq!(of("::").unwrap().line, 13);
            assert_eq!(of("\"ü\n\"").unwrap().line, 14);
            assert_eq!(of("y").unwrap().line, 15);
            let mut end = 0;
            for piece in &pieces {
                assert!(piece.bytes.start >= end && piece.bytes.end > piece.bytes.start);
                end = piece.bytes.end;
            }
        }
    }

    #[test]
    fn what_is_left_open_is_reported_with_the_line_where_it_begins() {
        for (text, part) in [
            ("select\n'a\nb", "unterminated string"),
            ("select\n\"a\nb", "close delimiter"),
            ("select\n/* a\nb", "comment"),
            ("select\n$x$ a\nb $y$", "dollar-quoted"),
            ("select\nE'a\\'\nb", "unterminated"),
            ("select\nE'\\xff'\n", "unterminated"),
            ("select\n/* /* */\nb", "comment"),
        ] {
            let fault = split_pieces(DatabaseKind::Postgres, text, 1).unwrap_err();
            assert!(fault.what.contains(part), "{text}: {}", fault.what);
            assert_eq!(fault.line, 2, "{text}");
        }
    }

    #[test]
    fn a_comment_that_touches_an_operator_is_refused() {
        for text in [
            "select a ||-- it's\n b",
            "select a ~/* c */ b",
            "select 1 -/* c */ b",
        ] {
            let fault = split_pieces(DatabaseKind::Postgres, text, 1).unwrap_err();
            assert!(
                fault.what.contains("touches the operator"),
                "{text}: {}",
                fault.what
            );
        }
        for text in [
            "select a --c\n",
            "select (a)--c\n",
            "select a *-- c\n b",
            "select a=/*c*/b",
        ] {
            assert!(
                split_pieces(DatabaseKind::Postgres, text, 1).is_ok(),
                "{text}"
            );
        }
    }
}
