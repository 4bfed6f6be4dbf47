//! The reasons why a run on SQLite ended early: what each tells about the file, and its words.

use std::path::Path;
use std::sync::Arc;

use sqlx::Error;

use super::budget::row_bound;
use super::contact::{AwayCause, ContactResult};
use super::limits::Limits;
use super::sqlite_file;
use crate::error::{FilePosition, RequestError};
use crate::query::Statement;

/// The reason why a run ended early.
pub(super) enum SqliteStop {
    /// The driver's error, and the byte of the statement to which it points.
    Driver { error: Error, byte: Option<usize> },
    /// A bound was passed, or the result cannot be used.
    Request(RequestError),
}

impl From<Error> for SqliteStop {
    fn from(error: Error) -> Self {
        SqliteStop::Driver { error, byte: None }
    }
}

impl SqliteStop {
    /// Returns what it tells about the database.
    pub(super) fn contact_result(&self, file: Option<&Path>) -> ContactResult {
        let error = match self {
            SqliteStop::Request(error) => return ContactResult::from_end(Some(error)),
            SqliteStop::Driver { error, .. } => error,
        };
        let cause = |class| AwayCause::new(class, error_words(error, file));
        if error.as_database_error().is_none() {
            return ContactResult::Away(cause("open"));
        }
        match primary_code(error) {
            // BUSY, LOCKED
            5 | 6 => ContactResult::Full(cause("locked")),
            // INTERRUPT: by us. FULL: no room for a sort.
            9 | 13 => ContactResult::Nothing,
            // IOERR, CORRUPT: of the whole file, or of what this statement read.
            10 | 11 => ContactResult::Doubtful(cause("open")),
            // PERM, CANTOPEN, AUTH, NOTADB
            3 | 14 | 23 | 26 => ContactResult::Away(cause("open")),
            // READONLY, of the file and not of the statement.
            8 if extended_code(error) != 8 => ContactResult::Away(cause("open")),
            _ => ContactResult::Answered,
        }
    }

    /// Returns the place in the query's file to which it points.
    pub(super) fn error_position(&self, statement: &Statement) -> Option<FilePosition> {
        match self {
            SqliteStop::Driver { byte, .. } => {
                statement.source.file_position(&statement.sql, (*byte)?)
            }
            SqliteStop::Request(_) => None,
        }
    }

    pub(super) fn request_error(self, limits: Limits, file: Option<&Path>) -> RequestError {
        let error = match self {
            SqliteStop::Request(error) => return error,
            SqliteStop::Driver { error, .. } => error,
        };
        let detail = error_words(&error, file);
        if error.as_database_error().is_none() {
            return RequestError::Unavailable { detail };
        }
        let sqlstate = match primary_code(&error) {
            // PERM, BUSY, LOCKED, IOERR, CORRUPT, FULL, CANTOPEN, AUTH, NOTADB
            3 | 5 | 6 | 10 | 11 | 13 | 14 | 23 | 26 => return RequestError::Unavailable { detail },
            8 if extended_code(&error) != 8 => return RequestError::Unavailable { detail },
            8 => {
                return RequestError::Refused {
                    sqlstate: "SQLITE_READONLY".into(),
                    detail,
                };
            }
            9 => {
                return RequestError::Timeout {
                    limit: limits.timeout,
                };
            }
            18 => {
                return RequestError::TooLarge {
                    limit: row_bound(limits.max_bytes),
                };
            }
            1 => "SQLITE_ERROR".to_owned(),
            other => format!("SQLite code {other}"),
        };
        RequestError::Failed {
            sqlstate,
            detail,
            position: None,
        }
    }
}

/// SQLite's code: what happened in its low byte, more about that above.
fn extended_code(error: &Error) -> i32 {
    let said = error.as_database_error();
    let code = said.and_then(|said| said.code()?.parse::<i32>().ok());
    code.unwrap_or(1)
}

fn primary_code(error: &Error) -> i32 {
    extended_code(error) & 0xff
}

/// Returns the cause in words, with the remedy where it is the file's.
fn error_words(error: &Error, file: Option<&Path>) -> Arc<str> {
    let Some(said) = error.as_database_error() else {
        return error.to_string().into();
    };
    let message = said.message();
    let Some(file) = file else {
        return message.into();
    };
    let name = file.display();
    let words = match (primary_code(error), extended_code(error)) {
        // PERM, CANTOPEN, AUTH; a folder can be opened, and then not be read.
        (3 | 14 | 23, _) => sqlite_file::why_unopened(file),
        (10, _) if file.is_dir() => sqlite_file::why_unopened(file),
        // BUSY, LOCKED
        (5 | 6, _) => Some(format!(
            "another program has locked {name}; it is waited for a second"
        )),
        // IOERR
        (10, _) => Some(format!(
            "{name} cannot be read ({message}): the system's log may say more"
        )),
        // CORRUPT
        (11, _) => Some(format!(
            "{name} is damaged ({message}): sqlite3 {name} 'pragma integrity_check' shows where; put \
             a copy in its place"
        )),
        (26, _) => Some(format!(
            "{name} is no database of SQLite, or an encrypted one: name another file, or decrypt it"
        )),
        // READONLY_ROLLBACK, READONLY_DBMOVED
        (8, 776) => Some(sqlite_file::why_rolled_back(file)),
        (8, 1032) => Some(format!(
            "{name} was moved or replaced while it was open; it is opened again"
        )),
        (8, code) if code != 8 => Some(sqlite_file::why_log_unread(file)),
        _ => None,
    };
    words.map_or_else(|| message.into(), Into::into)
}
