//! The way from the SQL of a query file to a statement with the database's own placeholders. It
//! owns what a query file may hold: one read, whose only placeholders are declared parameters.
//! Values never come near it, so none can become SQL.

use std::fmt;
use std::ops::Range;

use sqlparser::tokenizer::Token;

use super::fault::QueryFileError;
use super::kind::DatabaseKind;
use super::params::Param;
use super::source_map::SourceMap;
use super::tokens::{SqlPiece, split_pieces};
use super::value::ParamType;
use crate::error::FilePosition;
use crate::text::words::{did_you_mean, nearest_word, quote_value};

/// The first keywords of statements that read.
const READS: [&str; 4] = ["select", "with", "values", "table"];

/// SQL with a database's placeholders. It begins and ends with SQL proper, never with a comment
/// or a `;`, so that other text can be put around it.
#[derive(Clone, PartialEq, Eq)]
pub struct Statement {
    /// The SQL.
    pub sql: String,
    /// The argument that each placeholder takes: placeholder `n` (from 1) takes argument `order[n -
    /// 1]` of [`Arguments`](super::Arguments).
    pub order: Vec<usize>,
    /// The places in the file from which the SQL comes.
    pub source: SourceMap,
}

impl fmt::Debug for Statement {
    /// Shows no SQL: its literals are nobody's business.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let statement = &mut f.debug_struct("Statement");
        statement
            .field("order", &self.order)
            .finish_non_exhaustive()
    }
}

/// Returns the statement in `text`, which begins at the place `first` of its file. What stands
/// around it there, comments and the final `;`, is left out.
pub(super) fn rewrite_statement(
    kind: DatabaseKind,
    text: &str,
    first: FilePosition,
    params: &[Param],
) -> Result<Statement, QueryFileError> {
    let mut pieces = split_pieces(kind, text, first.line)?;
    end_of_statement(&mut pieces)?;
    let (Some(front), Some(last)) = (pieces.first(), pieces.last()) else {
        return Err(QueryFileError::new(
            first.line,
            "there is no SQL",
            "write a select below the header",
        ));
    };
    let (begin, end) = (front.bytes.start, last.bytes.end);
    check_read(&pieces)?;
    check_brackets(&pieces)?;

    let mut sql = String::with_capacity(text.len());
    let mut order = Vec::new();
    let mut source = SourceMap::default();
    let mut copied = begin;
    let mut place = first.position_after(&text[..begin]);
    source.push(0, place, true);
    for (bytes, argument) in find_occurrences(kind, &pieces, params)? {
        let known = order.iter().position(|known| *known == argument);
        if known.is_none() {
            order.push(argument);
        }
        let number = known.map_or(order.len(), |known| known + 1);
        sql.push_str(&text[copied..bytes.start]);
        place = place.position_after(&text[copied..bytes.start]);
        source.push(sql.len(), place, false);
        sql.push_str(&placeholder_text(kind, &params[argument].kind, number));
        copied = bytes.end;
        place = place.position_after(&text[bytes]);
        source.push(sql.len(), place, true);
    }
    sql.push_str(&text[copied..end]);
    Ok(Statement { sql, order, source })
}

/// Finds the places of parameters, and the parameter of each: a `:` that touches the name of a
/// declared one.
fn find_occurrences(
    kind: DatabaseKind,
    pieces: &[SqlPiece],
    params: &[Param],
) -> Result<Vec<(Range<usize>, usize)>, QueryFileError> {
    let mut found = Vec::new();
    let mut slices = 0_usize;
    for (i, piece) in pieces.iter().enumerate() {
        match piece.token {
            Token::LBracket => slices += 1,
            Token::RBracket => slices = slices.saturating_sub(1),
            _ => check_token(kind, piece)?,
        }
        if piece.token != Token::Colon {
            continue;
        }
        let touching = pieces
            .get(i + 1)
            .filter(|next| next.bytes.start == piece.bytes.end);
        let Some((next, name)) = touching.and_then(|next| Some((next, next.word()?))) else {
            if kind == DatabaseKind::Sqlite {
                return Err(QueryFileError::new(
                    piece.line,
                    "there is a `:` without the name of a parameter",
                    "write a parameter as `:name`, without a space",
                ));
            }
            continue;
        };
        let Some(argument) = params.iter().position(|param| param.name == name) else {
            return Err(undeclared_fault(piece.line, name, slices > 0, params));
        };
        if slices > 0 && i > 0 && is_bound(&pieces[i - 1].token) {
            return Err(QueryFileError::new(
                piece.line,
                format!("it is unclear whether `:{name}` is a parameter or part of a slice"),
                format!("write `[1 : :{name}]` for the parameter, `[1 : {name}]` for a column"),
            ));
        }
        found.push((piece.bytes.start..next.bytes.end, argument));
    }
    Ok(found)
}

/// Removes the one `;` that may end a statement; refuses what stands behind it.
fn end_of_statement(pieces: &mut Vec<SqlPiece>) -> Result<(), QueryFileError> {
    let Some(end) = pieces
        .iter()
        .position(|piece| piece.token == Token::SemiColon)
    else {
        return Ok(());
    };
    if let Some(next) = pieces.get(end + 1) {
        let what = if next.token == Token::SemiColon {
            "there is a second `;`"
        } else {
            "there is a second statement"
        };
        return Err(QueryFileError::new(
            next.line,
            what,
            "a query file holds one statement; put the other into a file of its own",
        ));
    }
    pieces.truncate(end);
    Ok(())
}

fn check_read(pieces: &[SqlPiece]) -> Result<(), QueryFileError> {
    let first = pieces
        .iter()
        .find(|piece| piece.token != Token::LParen)
        .unwrap_or(&pieces[0]);
    let reads = first
        .word()
        .is_some_and(|word| READS.iter().any(|r| word.eq_ignore_ascii_case(r)));
    if reads {
        return Ok(());
    }
    let found = match first.word() {
        Some(word) => format!(
            "the statement begins with {}: it is not a read",
            quote_value(word)
        ),
        None => "the statement does not begin with a keyword: it is not a read".to_owned(),
    };
    Err(QueryFileError::new(
        first.line,
        found,
        "a query begins with select, with, values or table; nothing else is run",
    ))
}

/// Other text is put around the statement, so what it opens it must close, and nothing more.
fn check_brackets(pieces: &[SqlPiece]) -> Result<(), QueryFileError> {
    let mut open: Vec<&SqlPiece> = Vec::new();
    for piece in pieces {
        let opening = match piece.token {
            Token::LParen | Token::LBracket => {
                open.push(piece);
                continue;
            }
            Token::RParen => Token::LParen,
            Token::RBracket => Token::LBracket,
            _ => continue,
        };
        if open.pop().is_none_or(|last| last.token != opening) {
            let what = format!("there is a `{}` without its `{opening}`", piece.token);
            return Err(QueryFileError::new(
                piece.line,
                what,
                "add the one or remove the other",
            ));
        }
    }
    match open.last() {
        Some(piece) => Err(QueryFileError::new(
            piece.line,
            format!("the `{}` is never closed", piece.token),
            "close it, or remove it",
        )),
        None => Ok(()),
    }
}

/// Refuses tokens that a database would take for a placeholder of its own (nothing would be bound
/// to it; SQLite would silently take null), and what belongs to another program.
fn check_token(kind: DatabaseKind, piece: &SqlPiece) -> Result<(), QueryFileError> {
    let sqlite = kind == DatabaseKind::Sqlite;
    let own = match &piece.token {
        Token::Placeholder(text) => text.clone(),
        Token::AtSign if sqlite => "@".to_owned(),
        Token::Backslash => {
            return Err(QueryFileError::new(
                piece.line,
                "there is a `\\`",
                "commands of psql are not SQL; remove them",
            ));
        }
        Token::DoubleColon if sqlite => {
            return Err(QueryFileError::new(
                piece.line,
                "SQLite has no `::`",
                "write `cast(value as type)`, or add `-- database: postgres` to the header",
            ));
        }
        _ => return Ok(()),
    };
    Err(QueryFileError::new(
        piece.line,
        format!(
            "there is a placeholder {}, which nothing would be bound to",
            quote_value(&own)
        ),
        "declare a parameter (`-- param: name text`) and write it as `:name`",
    ))
}

fn undeclared_fault(line: usize, name: &str, in_slice: bool, params: &[Param]) -> QueryFileError {
    let guess = did_you_mean(nearest_word(
        name,
        params.iter().map(|param| param.name.as_str()),
    ));
    let remedy = if in_slice {
        format!(
            "in a slice put spaces around the colon: `[1 : {name}]`; {}",
            declare_line(name)
        )
    } else {
        format!(
            "{}; where it is no parameter, put a space after the colon",
            declare_line(name)
        )
    };
    QueryFileError::new(
        line,
        format!("the parameter `:{name}` is not declared{guess}"),
        remedy,
    )
}

fn declare_line(name: &str) -> String {
    format!("declare a parameter with `-- param: {name} TYPE` in the header")
}

/// Returns whether a slice's lower bound can end with this token.
fn is_bound(token: &Token) -> bool {
    matches!(
        token,
        Token::Word(_)
            | Token::Number(..)
            | Token::RParen
            | Token::RBracket
            | Token::SingleQuotedString(_)
    )
}

/// Returns what stands for argument number `n`. The types without a native form are bound as text,
/// and the database turns the canonical text into its own type.
fn placeholder_text(kind: DatabaseKind, value: &ParamType, n: usize) -> String {
    match (kind, value) {
        (DatabaseKind::Sqlite, ParamType::Number) => format!("(cast(?{n} as numeric))"),
        (DatabaseKind::Sqlite, _) => format!("(?{n})"),
        (
            DatabaseKind::Postgres,
            ParamType::Text | ParamType::Integer | ParamType::Bigint | ParamType::Boolean,
        ) => format!("(${n})"),
        (DatabaseKind::Postgres, value) => {
            format!("(cast(cast(${n} as text) as {}))", value.postgres_name())
        }
    }
}

#[cfg(test)]
mod tests;
