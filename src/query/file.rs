//! One query file: its header and its statement, put together as a [`Query`]. It owns what a file
//! as a whole must be; header keys, declarations and SQL are read by the files beside it.

use super::definition::Query;
use super::fault::QueryFileError;
use super::header::read_header;
use super::keys::QueryHeader;
use super::kind::DatabaseKind;
use super::params::{Param, ParamDefault};
use super::policy::QueryAccess;
use super::statement::rewrite_statement;
use crate::error::{FilePosition, StartupError};
use crate::text::words::quote_value;

/// Longest name of a query.
const NAME_LENGTH: usize = 64;

/// A file that was read: the query it offers on the given kind of database (none where it is for
/// another kind), and one line for each thing in it that has no effect.
#[derive(Debug)]
pub(super) struct QueryFile {
    pub(super) query: Option<Query>,
    pub(super) notes: Vec<String>,
    /// The place where it says `access: token`.
    pub(super) protected_at: Option<String>,
}

impl Query {
    /// Returns the query in the text of a file `NAME.sql`, as if it were alone in a catalog.
    ///
    /// Besides what can be wrong in the file, it is an error when its `database` line is for
    /// another kind.
    pub fn parse(kind: DatabaseKind, name: &str, text: &str) -> Result<Query, StartupError> {
        let file = format!("{name}.sql");
        read(kind, &file, name, text.as_bytes())?
            .query
            .ok_or_else(|| {
                StartupError::new(format!("this query is not for {}", kind.name()))
                    .at_place(file)
                    .with_remedy("change its `database` line or choose another database")
            })
    }
}

/// Reads a file. `file` names it in messages; `stem` is its name without `.sql`.
pub(super) fn read(
    kind: DatabaseKind,
    file: &str,
    stem: &str,
    bytes: &[u8],
) -> Result<QueryFile, StartupError> {
    check_name(file, stem)?;
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let line = bytes[..error.valid_up_to()].split(|b| *b == b'\n').count();
        QueryFileError::new(line, "the file is not UTF-8", "save it as UTF-8").in_file(file)
    })?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    parse(kind, file, stem, text).map_err(|fault| fault.in_file(file))
}

fn parse(
    kind: DatabaseKind,
    file: &str,
    name: &str,
    text: &str,
) -> Result<QueryFile, QueryFileError> {
    if let Some((before, _)) = text.split_once('\0') {
        let line = 1 + before.matches('\n').count();
        return Err(QueryFileError::new(
            line,
            "there is a NUL character",
            "remove it",
        ));
    }
    let QueryHeader {
        title,
        description,
        policy,
        params,
        database,
        access,
        access_line,
        notify_line,
        unasked,
        ignored,
        body,
        body_line,
    } = read_header(kind, text)?;
    if database.is_some_and(|wanted| wanted != kind) {
        return Ok(QueryFile {
            query: None,
            notes: Vec::new(),
            protected_at: None,
        });
    }
    check_types(kind, &params)?;
    check_warm(&unasked, &params)?;
    let (lines, params): (Vec<usize>, Vec<_>) = params.into_iter().unzip();
    // The SQL may begin behind a comment of its line.
    let line = text[..body].rsplit('\n').next().unwrap_or_default();
    let first = FilePosition {
        line: body_line,
        column: 1 + line.chars().count(),
    };
    let statement = rewrite_statement(kind, &text[body..], first, &params)?;

    let mut notes: Vec<String> = Vec::new();
    notes.extend(ignored.iter().map(|(line, text)| {
        let key = text.split(':').next().unwrap_or_default();
        format!("{file}:{line}: `{key}` has no effect in a block comment: write it as `-- {text}`")
    }));
    if let Some(line) = notify_line.filter(|_| kind == DatabaseKind::Sqlite) {
        notes.push(format!(
            "{file}:{line}: `notify` has no effect: SQLite sends no messages"
        ));
    }
    if !policy.cached {
        notes.extend(unasked.iter().map(|(line, key)| {
            format!("{file}:{line}: `{key}` has no effect: with `cache: off` nothing is kept")
        }));
    }
    for (i, param) in params
        .iter()
        .enumerate()
        .filter(|(i, _)| !statement.order.contains(i))
    {
        let (line, name) = (lines[i], &param.name);
        notes.push(format!(
            "{file}:{line}: the SQL does not use the parameter `{name}`"
        ));
    }
    let query = Query {
        name: name.to_owned(),
        file: file.to_owned(),
        is_embedded: false,
        is_hidden: false,
        index: 0,
        title: title.unwrap_or_else(|| name.to_owned()),
        description,
        params,
        policy,
        access,
        kind,
        statement,
    };
    Ok(QueryFile {
        query: Some(query),
        notes,
        protected_at: (access == QueryAccess::Token).then(|| format!("{file}:{access_line}")),
    })
}

/// SQLite has neither types by name nor lists.
fn check_types(kind: DatabaseKind, params: &[(usize, Param)]) -> Result<(), QueryFileError> {
    let is_foreign = |param: &Param| param.kind.known_name().is_none();
    let foreign = params.iter().find(|(_, param)| is_foreign(param));
    match foreign.filter(|_| kind == DatabaseKind::Sqlite) {
        None => Ok(()),
        Some((line, Param { name, kind, .. })) => Err(QueryFileError::new(
            *line,
            format!(
                "parameter `{name}` has the type {}, which SQLite has not",
                quote_value(&kind.name())
            ),
            "take one of the types that stand in the documentation, such as text, or add \
             `-- database: postgres` to the header",
        )),
    }
}

/// Nobody is there to choose a value.
fn check_warm(unasked: &[(usize, &str)], params: &[(usize, Param)]) -> Result<(), QueryFileError> {
    let Some((line, _)) = unasked.iter().find(|(_, key)| *key == "warm") else {
        return Ok(());
    };
    let required = params
        .iter()
        .find(|(_, param)| param.default == ParamDefault::Required);
    match required {
        None => Ok(()),
        Some((_, Param { name, .. })) => Err(QueryFileError::new(
            *line,
            format!("`warm` loads with the default parameters, and `{name}` has no default"),
            format!("give `{name}` one (`= VALUE`, or `= null`), or remove the `warm` line"),
        )),
    }
}

/// Returns whether this can be the name of a query.
pub(super) fn is_query_name(stem: &str) -> bool {
    (1..=NAME_LENGTH).contains(&stem.len())
        && stem
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-')
}

fn check_name(file: &str, stem: &str) -> Result<(), StartupError> {
    if is_query_name(stem) {
        return Ok(());
    }
    Err(
        StartupError::new(format!("{} is not a name for a query", quote_value(stem)))
            .at_place(file)
            .with_remedy("rename the file: 1 to 64 of a-z, 0-9, _ and -, then .sql"),
    )
}

#[cfg(test)]
mod tests;
