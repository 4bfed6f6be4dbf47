//! The cause of an error of data: a value that the client sent, or the query itself. It names the
//! parameter where that can be told.

use std::sync::Arc;

use crate::error::{RefusedValue, RequestError, refused_value};
use crate::query::{Arguments, Param, ParamDefault, Query, Value};

/// Returns the error of a run, as one of a client's value where it is that. A query whose
/// parameters all have their defaults fails by itself.
pub(super) fn attribute_error(
    query: &Query,
    args: &Arguments,
    error: RequestError,
) -> RequestError {
    let (sqlstate, detail, position) = match error {
        RequestError::Failed {
            sqlstate,
            detail,
            position,
        } => (sqlstate, detail, position),
        other => return other,
    };
    let code = of_sqlite(&sqlstate, &detail).unwrap_or(&sqlstate);
    let sent: Vec<_> = query
        .params
        .iter()
        .zip(&args.0)
        .filter(|(param, value)| is_sent(param, value))
        .collect();
    if sent.is_empty() || refused_value::refusal_reason(code).is_none() {
        return RequestError::Failed {
            sqlstate,
            detail,
            position,
        };
    }
    RequestError::RefusedValue(Arc::new(RefusedValue {
        parameter: quoted_parameter(&sent, &detail).map(|param| param.name.clone()),
        sqlstate: code.to_owned(),
        detail,
        position,
    }))
}

/// Returns whether the client sent this value, and not the default.
fn is_sent(param: &Param, value: &Value) -> bool {
    match &param.default {
        ParamDefault::Required => true,
        ParamDefault::Value(default) => default != value,
    }
}

/// Returns the parameter whose value the database quotes, else the only one that was sent.
fn quoted_parameter<'a>(sent: &[(&'a Param, &Value)], detail: &str) -> Option<&'a Param> {
    let is_quoted = |value: &Value| detail.contains(&format!("\"{value}\""));
    let quoted: Vec<_> = sent.iter().filter(|(_, value)| is_quoted(value)).collect();
    match (quoted.as_slice(), sent) {
        ([(param, _)], _) | ([], [(param, _)]) => Some(param),
        _ => None,
    }
}

/// Returns the standard's code for an error of data that SQLite tells by its words alone.
fn of_sqlite<'a>(code: &str, detail: &str) -> Option<&'a str> {
    const BY_WORDS: [(&str, &str); 9] = [
        ("integer overflow", "22003"),
        ("malformed JSON", "22032"),
        ("JSON path", "22032"),
        ("JSON cannot hold BLOB", "22032"),
        ("ESCAPE expression", "22019"),
        ("pattern too complex", "22025"),
        ("must be a positive integer", "22023"),
        ("must be a non-negative", "22023"),
        ("datatype mismatch", "22P02"),
    ];
    if !code.starts_with("SQLITE_ERROR") && code != "SQLite code 20" {
        return None;
    }
    let found = BY_WORDS.iter().find(|(words, _)| detail.contains(words));
    found.map(|(_, sqlstate)| *sqlstate)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::query::DatabaseKind;

    fn class(header: &str, pairs: &[(&str, &str)], sqlstate: &str, detail: &str) -> String {
        let text = format!("{header}select 1");
        let query = Query::parse(DatabaseKind::Sqlite, "q", &text).unwrap();
        let pairs: Vec<_> = pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        let args = query.read_arguments(&pairs).unwrap();
        let error = RequestError::Failed {
            sqlstate: sqlstate.to_owned(),
            detail: detail.into(),
            position: None,
        };
        let error = attribute_error(&query, &args, error);
        format!("{} {}", error.status(), error.public_message(false))
    }

    #[test]
    fn an_error_of_data_is_the_client_s_where_it_sent_a_value() {
        let one = "-- param: a text = x\n";
        let two = "-- param: a text = x\n-- param: b text = x\n";
        let sent = [("a", "y")];
        let both = [("a", "y"), ("b", "z")];
        let zero = "division by zero";
        for (header, pairs, sqlstate, detail, said) in [
            (
                one,
                &sent[..],
                "22012",
                zero,
                "400 the database refused the value of parameter a",
            ),
            (
                two,
                &both,
                "22012",
                zero,
                "400 the database refused the value of a parameter",
            ),
            (
                two,
                &both,
                "22P02",
                "for inet: \"z\"",
                "400 the database refused the value of parameter b",
            ),
            (one, &sent, "SQLITE_ERROR", "integer overflow", "400 "),
            (one, &sent, "SQLITE_ERROR", "no such table: t", "503 "),
            (one, &sent, "42P01", "no such table", "503 "),
            (one, &[], "22012", zero, "503 "),
            (one, &[("a", "x")], "22012", zero, "503 "),
            ("", &[], "22012", zero, "503 "),
        ] {
            let end = class(header, pairs, sqlstate, detail);
            assert!(end.starts_with(said), "{sqlstate} {detail}: {end}");
        }
    }
}
