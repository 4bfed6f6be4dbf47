//! The meaning of a driver's errors: which [`RequestError`] each is, and whether the connection is
//! still of use.

use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use sqlx::Error;
use sqlx::postgres::{PgErrorPosition, PgSeverity};

use super::postgres_advice;
use super::postgres_error::server_said;
use crate::error::{FilePosition, RequestError};
use crate::query::Statement;

/// Returns whether the connection is gone (as opposed to: the statement failed on a sound
/// connection).
pub(super) fn breaks_connection(error: &Error) -> bool {
    match error {
        Error::Database(_) => server_said(error)
            .is_none_or(|said| matches!(said.severity(), PgSeverity::Fatal | PgSeverity::Panic)),
        _ => true,
    }
}

/// Returns whether the connection went without a word of the server, as when it dies or the network
/// does.
pub(super) fn went_silently(error: &Error) -> bool {
    matches!(error, Error::Io(_))
}

/// Returns whether the server ended the transaction for the sake of another one: a deadlock, or a
/// conflict with what a standby replays.
pub(super) fn may_be_repeated(error: &Error) -> bool {
    server_said(error).is_some_and(|said| matches!(said.code(), "40P01" | "40001"))
}

/// Returns whether trying to connect again in a moment may help: the server is full or still
/// starting.
pub(super) fn may_pass(error: &Error) -> bool {
    server_said(error).is_some_and(|said| matches!(said.code(), "53300" | "57P03"))
}

/// Returns whether the server is there and takes no more connections.
pub(super) fn is_full(error: &Error) -> bool {
    server_said(error).is_some_and(|said| said.code() == "53300")
}

/// Returns the same in one word; see [`Health::class`](super::Health).
pub(super) fn error_class(error: &Error) -> &'static str {
    let Some(said) = server_said(error) else {
        return match error {
            Error::Io(error) if error.kind() == ErrorKind::TimedOut => "timeout",
            Error::Tls(_) => "tls",
            error if postgres_advice::tls_advice(error).is_some() => "tls",
            Error::Io(_) => "connect",
            _ => "other",
        };
    };
    match said.code() {
        "53300" => "full",
        "57P03" => "starting",
        code if code.starts_with("28") => "auth",
        // The connection's own end, as when the server is shut down.
        code if code.starts_with("08") || code.starts_with("57P") => "connect",
        _ => "other",
    }
}

/// Returns the cause of an error of connecting, or of the first round trip on a connection.
pub(super) fn unavailable_words(place: &str, error: &Error) -> Arc<str> {
    let words = error_words(error);
    // The first statement on a connection sets nothing else that a user gives.
    let is_zone = server_said(error).is_some_and(|said| said.code() == "22023");
    if is_zone && words.contains("TimeZone") {
        return format!(
            "{place}: {words}; [database] timezone has to be a name that this server has: \
             select name from pg_timezone_names"
        )
        .into();
    }
    format!("{place}: {words}").into()
}

/// Returns the error of a statement. `sql` only decides what 0A000 means; it goes nowhere.
/// `elapsed` is the statement's own time and `limit` its timeout.
pub(super) fn of_statement(
    place: &str,
    error: &Error,
    sql: &str,
    elapsed: Duration,
    limit: Duration,
) -> RequestError {
    let unavailable = || RequestError::Unavailable {
        detail: unavailable_words(place, error),
    };
    let Some(said) = server_said(error) else {
        return match error {
            Error::Io(_) | Error::Tls(_) | Error::Protocol(_) => unavailable(),
            other => RequestError::Internal {
                detail: error_words(other).into(),
            },
        };
    };
    let sqlstate = said.code().to_owned();
    let mut detail = error_words(error);
    if sqlstate == "42883" && detail.contains("slow_version()") {
        detail.push_str("; `unslow install` creates slow_version()");
    }
    let detail = detail.into();
    match sqlstate.as_str() {
        "25006" => RequestError::Refused { sqlstate, detail },
        "0A000" if is_writing(sql) => RequestError::Refused { sqlstate, detail },
        // The same code when somebody cancels the statement by hand, which is no timeout.
        "57014" if elapsed >= limit => RequestError::Timeout { limit },
        code if code.starts_with("08")
            || code.starts_with("28")
            || matches!(
                code,
                "53300" | "57P01" | "57P02" | "57P03" | "57P05" | "25P03"
            ) =>
        {
            unavailable()
        }
        _ if breaks_connection(error) => unavailable(),
        _ => RequestError::Failed {
            sqlstate,
            detail,
            position: None,
        },
    }
}

/// Returns the place in the query's file to which the server points. It counts the characters of
/// what it was sent, of which `lead` stand before the statement.
pub(super) fn error_position(
    error: &Error,
    statement: &Statement,
    lead: usize,
) -> Option<FilePosition> {
    // A place within another text, such as the body of a function, is no place of the file.
    let Some(PgErrorPosition::Original(character)) = server_said(error)?.position() else {
        return None;
    };
    let Statement { sql, source, .. } = statement;
    let character = character.checked_sub(lead + 1)?;
    let byte = sql.char_indices().nth(character).map(|(byte, _)| byte);
    source.file_position(sql, byte.unwrap_or(sql.len()))
}

/// Returns the cause in words, without the driver's frame and without the statement.
fn error_words(error: &Error) -> String {
    if let Some(advice) = postgres_advice::tls_advice(error) {
        return advice.words;
    }
    match error {
        Error::Io(error) if error.kind() == ErrorKind::UnexpectedEof => {
            "the server closed the connection".to_owned()
        }
        Error::Io(error) => error.to_string(),
        Error::Database(said) => said.message().to_owned(),
        other => other.to_string(),
    }
}

/// Returns whether a word of the statement is one that writes. PostgreSQL says 0A000 to a CTE that
/// writes, and to much else; its message depends on the server's language.
fn is_writing(sql: &str) -> bool {
    sql.split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .any(|word| {
            ["insert", "update", "delete", "merge"]
                .iter()
                .any(|verb| word.eq_ignore_ascii_case(verb))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_words_make_a_statement_one_that_writes() {
        assert!(is_writing(
            "with x as (DELETE from t returning 1) select * from x"
        ));
        assert!(is_writing("with x as (\nmerge into t"));
        assert!(!is_writing("select deleted, update_count, inserts from t"));
    }

    #[test]
    fn a_vanished_connection_is_unavailable_and_broken() {
        let error = Error::Io(std::io::Error::from(ErrorKind::UnexpectedEof));
        assert!(breaks_connection(&error) && went_silently(&error));
        assert_eq!(error_class(&error), "connect");
        let late = Error::Io(std::io::Error::from(ErrorKind::TimedOut));
        assert_eq!(error_class(&late), "timeout");
        let second = Duration::from_secs(1);
        let end = of_statement("db:5432", &error, "select 1", second, second);
        assert!(matches!(end, RequestError::Unavailable { .. }), "{end}");
    }
}
