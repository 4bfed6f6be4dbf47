//! The comments of a query file: those before its SQL, in which its header stands, and those
//! beside it. It owns where comments are, and which of them mean a header line without being one;
//! the keys and their values are those of `header`.
//!
//! A header line that is lost in silence may open a query to everybody, so each that cannot be
//! read as one is refused, and `access` is looked for in comments of every kind.

use super::fault::QueryFileError;
use super::keys::{KEYS, is_fitting};
use super::kind::DatabaseKind;
use crate::text::words::{did_you_mean, quote_value};

/// A comment before the first line of SQL.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct HeaderComment<'a> {
    /// Its line in the file.
    pub(super) line: usize,
    /// Its text without the characters that make it a comment.
    pub(super) text: &'a str,
    /// The comment stands between `/*` and `*/`, not behind `--`.
    pub(super) is_block: bool,
}

/// The part of a file before its SQL.
#[derive(Debug)]
pub(super) struct QueryPreamble<'a> {
    pub(super) comments: Vec<HeaderComment<'a>>,
    /// The byte where the SQL begins.
    pub(super) body: usize,
    /// The line of that byte.
    pub(super) body_line: usize,
}

/// Finds the comments before the first line of SQL. Blank lines between them do not count, nor
/// does the mark that some editors put at the front of a file.
pub(super) fn find_preamble(
    kind: DatabaseKind,
    text: &str,
) -> Result<QueryPreamble<'_>, QueryFileError> {
    let mut comments = Vec::new();
    let (mut at, mut line) = (0, 1);
    loop {
        let rest = &text[at..];
        let blank = rest.len() - rest.trim_start_matches(is_blank).len();
        line += rest[..blank].matches('\n').count();
        at += blank;
        let rest = &text[at..];
        let (length, text, is_block) = if let Some(inner) = rest.strip_prefix("--") {
            let inner = inner.split('\n').next().unwrap_or_default();
            (2 + inner.len(), inner, false)
        } else if let Some(inner) = rest.strip_prefix("/*") {
            let Some(end) = end_of_block(inner, kind == DatabaseKind::Postgres) else {
                return Err(QueryFileError::new(
                    line,
                    "the comment that begins here is never closed",
                    "add `*/` where it ends; on PostgreSQL each `/*` within it needs its own",
                ));
            };
            (2 + end, inner[..end].trim_end_matches("*/"), true)
        } else {
            break;
        };
        comments.push(HeaderComment {
            line,
            text,
            is_block,
        });
        line += rest[..length].matches('\n').count();
        at += length;
    }
    check_foreign(&text[at..], line)?;
    Ok(QueryPreamble {
        comments,
        body: at,
        body_line: line,
    })
}

fn is_blank(c: char) -> bool {
    c.is_whitespace() || is_invisible(c)
}

fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2060}'..='\u{2064}' | '\u{feff}')
}

/// Returns the byte behind the end of a block comment whose opening is already read.
fn end_of_block(text: &str, nests: bool) -> Option<usize> {
    let bytes = text.as_bytes();
    let (mut at, mut depth) = (0, 1_usize);
    while at + 1 < bytes.len() {
        match &bytes[at..at + 2] {
            b"*/" if depth == 1 => return Some(at + 2),
            b"*/" => {
                depth -= 1;
                at += 2;
            }
            b"/*" if nests => {
                depth += 1;
                at += 2;
            }
            _ => at += 1,
        }
    }
    None
}

/// Refuses the comments of other languages, which a header may stand in.
fn check_foreign(body: &str, line: usize) -> Result<(), QueryFileError> {
    let mark = ["#", "//"].into_iter().find(|mark| body.starts_with(mark));
    mark.map_or(Ok(()), |mark| {
        Err(QueryFileError::new(
            line,
            format!("`{mark}` begins no comment in SQL"),
            "begin the line with `--`",
        ))
    })
}

/// Returns the key and value of a header line's text, which is `key: value`; `None` for any other.
pub(super) fn key_and_value(text: &str) -> Option<(&'static str, &str)> {
    let (key, value) = text.split_once(':')?;
    let key = known_key(key.trim())?;
    Some((key, value.trim()))
}

fn known_key(word: &str) -> Option<&'static str> {
    KEYS.into_iter().find(|key| *key == word)
}

/// Refuses the text of a `--` comment before the SQL that means a header line and is none.
pub(super) fn check_lookalike(line: usize, text: &str) -> Result<(), QueryFileError> {
    // PostgreSQL or an editor ends the line there, and another comment may begin behind it.
    let ends = ['\r', '\u{b}', '\u{c}', '\u{85}', '\u{2028}', '\u{2029}'];
    if text.strip_suffix('\r').unwrap_or(text).contains(ends) {
        return Err(QueryFileError::new(
            line,
            "a comment holds a control character that ends a line",
            "remove it; lines end with LF or CRLF",
        ));
    }
    let bare = text
        .trim()
        .trim_start_matches(|c: char| !c.is_alphanumeric());
    for key in KEYS {
        if let Some(value) = meant_value(bare, key) {
            let value = match key {
                "title" | "description" | "notify" | "param" => value.to_owned(),
                _ => value.to_lowercase(),
            };
            return Err(QueryFileError::new(
                line,
                format!(
                    "{} looks like a header line and is none",
                    quote_value(text.trim())
                ),
                format!(
                    "write it as `-- {key}: {value}`, or, if it is a remark, begin it with \
                     another word"
                ),
            ));
        }
    }
    let Some((word, value)) = bare.split_once(SEPARATORS) else {
        return check_short_remark(line, bare);
    };
    let near = nearest_key(word).or_else(|| {
        let is_token = value.trim().eq_ignore_ascii_case("token");
        is_token.then_some("access")
    });
    // An address in a comment is no value.
    let Some(near) = near.filter(|_| !value.starts_with("//")) else {
        return check_short_remark(line, bare);
    };
    Err(QueryFileError::new(
        line,
        format!(
            "there is no header key {}{}",
            quote_value(word.trim()),
            did_you_mean(Some(near))
        ),
        format!(
            "the keys are {}; a remark begins with another word",
            KEYS.join(", ")
        ),
    ))
}

/// Refuses a short remark, or a key of a remark, that speaks of access: a reader of the file would
/// take the query for protected, and a query that is open by mistake is the worst end.
fn check_short_remark(line: usize, text: &str) -> Result<(), QueryFileError> {
    /// The most words of a remark that could stand for a setting.
    const SHORT: usize = 5;
    let words = |text: &str| -> Vec<String> {
        let words = text.split(|c: char| !c.is_alphanumeric());
        words
            .filter(|word| !word.is_empty())
            .map(str::to_lowercase)
            .collect()
    };
    let has = |words: &[String], wanted: &str| words.iter().any(|word| word == wanted);
    let all = words(text);
    let is_key = |(key, _): (&str, &str)| {
        let key = words(key);
        key.len() <= 2 && (has(&key, "access") || has(&key, "token"))
    };
    let speaks_of_access = all == ["access"]
        || (all.len() <= SHORT && has(&all, "access") && has(&all, "token"))
        || text.split_once(SEPARATORS).is_some_and(is_key);
    if !speaks_of_access {
        return Ok(());
    }
    Err(QueryFileError::new(
        line,
        format!(
            "{} reads like `access: token` and protects nothing",
            quote_value(text)
        ),
        "write `-- access: token`, or, if it is a remark, say it in a longer sentence",
    ))
}

/// The characters that people put between a key and its value.
const SEPARATORS: [char; 9] = [
    ':', '=', '\u{ff1a}', '\u{fe55}', '\u{a789}', '\u{2236}', '\u{2d0}', '\u{5c3}', '\u{ff1d}',
];

/// Returns the value of `key` in a text that gives it one in a form of its own: without the colon,
/// with another sign, or behind a decoration. Words of prose are no value.
fn meant_value<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    let rest = after_key(text, key)?;
    let is_exact = text.starts_with(key);
    let value = rest.trim_start_matches(is_blank);
    if let Some(value) = value.strip_prefix(SEPARATORS) {
        // Another spelling of the key is a matter of `nearest_key`.
        return (is_exact && !value.starts_with("//")).then(|| value.trim());
    }
    if rest.starts_with(|c: char| c.is_alphanumeric() || c == '_') {
        return None;
    }
    let value = value
        .trim_start_matches(|c: char| !c.is_alphanumeric() && c != '_')
        .trim();
    is_fitting(key, value).then_some(value)
}

/// Returns the text behind a key at its front, in whatever case and with whatever between its
/// words.
fn after_key<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    let mut rest = text.chars();
    for wanted in key.chars() {
        let c = rest.next()?;
        let fits = match wanted {
            '-' => matches!(c, '-' | '_' | ' '),
            wanted => c.eq_ignore_ascii_case(&wanted),
        };
        if !fits {
            return None;
        }
    }
    Some(rest.as_str())
}

/// Returns the key that a word was most likely meant to be. It is stricter than other guesses: a
/// comment may begin with any word. `access` is not: it must not be lost.
fn nearest_key(word: &str) -> Option<&'static str> {
    if word.len() > 40 {
        return None;
    }
    let plain: String = word
        .chars()
        .filter(|c| !is_invisible(*c))
        .map(|c| {
            if matches!(c, '_' | ' ' | '\t') {
                '-'
            } else {
                c
            }
        })
        .flat_map(char::to_lowercase)
        .collect();
    let plain = plain.trim_matches('-');
    let distance = |key: &str| strsim::damerau_levenshtein(plain, key);
    KEYS.into_iter()
        .map(|key| (distance(key), key))
        .filter(|(distance, key)| *distance <= if *key == "access" { 2 } else { 1 })
        .min()
        .map(|(_, key)| key)
}

/// Returns the keys that stand in a block comment, one to a line, each with its line.
pub(super) fn keys_in_block(
    first_line: usize,
    text: &str,
) -> impl Iterator<Item = (usize, &'static str, &str)> {
    text.lines().enumerate().filter_map(move |(i, line)| {
        let line = line.trim_start_matches(|c: char| is_blank(c) || matches!(c, '*' | '-' | '!'));
        let (key, value) = key_and_value(line)?;
        Some((first_line + i, key, value))
    })
}

/// Refuses a comment of any kind, anywhere, that says `access: token`: a reader of the file would
/// take the query for protected.
pub(super) fn check_access(first_line: usize, text: &str) -> Result<(), QueryFileError> {
    let claim = text
        .lines()
        .enumerate()
        .find(|(_, line)| claims_access(line));
    claim.map_or(Ok(()), |(i, _)| {
        Err(QueryFileError::new(
            first_line + i,
            "a comment says that access takes a token, and has no effect",
            "write `-- access: token` on a line of its own, above the first line of the SQL; if \
             it is a remark, say it in other words",
        ))
    })
}

fn claims_access(text: &str) -> bool {
    let text = text.to_lowercase();
    text.match_indices("access").any(|(at, word)| {
        let starts = !text[..at].ends_with(|c: char| c.is_alphanumeric() || "_-".contains(c));
        let value = text[at + word.len()..].trim_start_matches(is_blank);
        let value = value.strip_prefix(SEPARATORS).map(|value| {
            value.trim_start_matches(|c: char| is_blank(c) || matches!(c, '\'' | '"' | '`'))
        });
        let after = value.and_then(|value| value.strip_prefix("token"));
        starts && after.is_some_and(|after| !after.starts_with(char::is_alphanumeric))
    })
}

/// Refuses a comment beside or below the SQL that says what only the header can. `is_alone` says
/// that nothing stands before it on its line.
pub(super) fn check_late(line: usize, text: &str, is_alone: bool) -> Result<(), QueryFileError> {
    if is_alone && let Some((key, _)) = key_and_value(text) {
        return Err(QueryFileError::new(
            line,
            format!("`{key}` stands below the first line of the SQL, where it has no effect"),
            "move it up, above the SQL; if it is a remark, begin it with another word",
        ));
    }
    check_access(line, text)
}
