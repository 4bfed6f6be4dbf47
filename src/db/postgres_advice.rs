//! Errors of connecting to PostgreSQL, with what to do about each. Which error it is to the rest
//! of the program is `postgres_fault`'s.

use std::io::ErrorKind;

use sqlx::Error;

use super::postgres_error::server_said;
use crate::error::advice::{Advice, of_tls};

/// The setting that names trusted authorities.
const CA: &str = "[postgres] sslrootcert";

/// Explains an error of TLS.
pub(super) fn tls_advice(error: &Error) -> Option<Advice> {
    match error {
        Error::Io(error) => of_tls(&error.to_string(), CA),
        Error::Tls(error) => of_tls(&error.to_string(), CA),
        _ => None,
    }
}

/// Says what to do about a connection that is not made.
pub(super) fn connect_remedy(error: &Error) -> String {
    if let Some(advice) = tls_advice(error) {
        return advice.remedy;
    }
    let Some(said) = server_said(error) else {
        return match error {
            Error::Io(error) => of_network(error.kind(), &error.to_string()),
            _ => SILENT,
        }
        .to_owned();
    };
    let remedy = match said.code() {
        "28P01" => "look at user and password in [postgres] (password, password_file, or the url)",
        "28000" => {
            "let the user in: is the role there, may it log in, and does pg_hba.conf of the server \
             have a line for it from this machine?"
        }
        "3D000" => "look at [postgres] database",
        "42501" => "let the user connect: grant connect on database … to …",
        "53300" => "raise max_connections of the server, or lower [database] pool_size",
        "57P03" => "the server starts or stops: try again in a moment",
        // A pooler's word for a setting that it does not pass on.
        "08P01" if said.message().contains("parameter") => {
            "PgBouncer passes no such setting on: name it in its ignore_startup_parameters, or \
             leave it out of [postgres] options"
        }
        "22023" | "42704" => "look at [postgres] options",
        _ => "look at [postgres], and into the log of the server",
    };
    remedy.to_owned()
}

/// Says what to do about a server that does not answer.
pub(super) const SILENT: &str =
    "look at [postgres] host and port, and at what stands between: firewall, security group, route";

fn of_network(kind: ErrorKind, words: &str) -> &'static str {
    match kind {
        ErrorKind::ConnectionRefused => {
            "is PostgreSQL running there? Look at [postgres] host and port"
        }
        ErrorKind::NotFound => "is PostgreSQL running there? Look at the folder in [postgres] host",
        ErrorKind::PermissionDenied => "let the user that runs unslow use the folder of the socket",
        ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset => {
            "is it PostgreSQL that listens there, and does it want TLS ([postgres] sslmode)?"
        }
        _ if words.contains("lookup") || words.contains("resolve") => {
            "the name is not known: look at [postgres] host"
        }
        _ => SILENT,
    }
}
