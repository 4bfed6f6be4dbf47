//! URLs of PostgreSQL, taken apart as libpq does it: where it finds the parts, what each parameter
//! means, and which of them mean nothing here. No message of this file repeats a value, because a
//! value may be a password.

use super::super::raw_value::ValueError;
use super::escapes::{ESCAPES, decode_percent, non_empty};
use crate::text::words::nearest_word;

/// The parts of a database URL, as texts for the settings of the same names. `None` is what it
/// leaves out.
#[derive(Debug, Default)]
pub(in crate::settings) struct UrlPieces {
    pub(in crate::settings) host: Option<String>,
    pub(in crate::settings) port: Option<String>,
    pub(in crate::settings) database: Option<String>,
    pub(in crate::settings) user: Option<String>,
    pub(in crate::settings) password: Option<String>,
    pub(in crate::settings) sslmode: Option<String>,
    pub(in crate::settings) sslrootcert: Option<String>,
    pub(in crate::settings) application_name: Option<String>,
    pub(in crate::settings) connect_timeout: Option<String>,
    pub(in crate::settings) options: Option<String>,
    /// Parameters that are taken and do nothing, each with what to know about it.
    pub(in crate::settings) notes: Vec<String>,
}

const FORMS: &str = "write postgres://USER:PASSWORD@HOST:PORT/DATABASE or sqlite:FILE";

/// Parameters that mean nothing here and take nothing away when they do nothing.
const IDLE: [&str; 25] = [
    "keepalives",
    "keepalives_idle",
    "keepalives_interval",
    "keepalives_count",
    "tcp_user_timeout",
    "gssencmode",
    "krbsrvname",
    "gsslib",
    "gssdelegation",
    "sslcompression",
    "sslsni",
    "sslcertmode",
    "sslnegotiation",
    "ssl_min_protocol_version",
    "ssl_max_protocol_version",
    "min_protocol_version",
    "max_protocol_version",
    "requirepeer",
    "require_auth",
    "client_encoding",
    "passfile",
    "target_session_attrs",
    "load_balance_hosts",
    "channel_binding",
    "fallback_application_name",
];

/// Parameters that would promise what is not done.
const REFUSED: [(&str, &str); 8] = [
    (
        "sslcert",
        "client certificates are not made here; use a password",
    ),
    (
        "sslkey",
        "client certificates are not made here; use a password",
    ),
    (
        "sslpassword",
        "client certificates are not made here; use a password",
    ),
    (
        "sslcrl",
        "lists of revoked certificates are not read here; leave it out",
    ),
    (
        "sslcrldir",
        "lists of revoked certificates are not read here; leave it out",
    ),
    (
        "service",
        "service files are not read here; write the parts of the service",
    ),
    (
        "replication",
        "a connection for replication runs no queries; leave it out",
    ),
    ("requiressl", "write sslmode=require"),
];

/// Parameters with a meaning.
const TAKEN: [&str; 12] = [
    "host",
    "hostaddr",
    "port",
    "dbname",
    "user",
    "password",
    "sslmode",
    "sslrootcert",
    "application_name",
    "connect_timeout",
    "options",
    "search_path",
];

/// Takes a `postgres://` URL apart.
pub(super) fn split_url(text: &str) -> Result<UrlPieces, ValueError> {
    let Some((_, rest)) = split_scheme(text) else {
        return Err(ValueError::new("is not the URL of a database", FORMS));
    };
    if rest.contains('#') {
        return Err(ValueError::new("has a # in it", ESCAPES));
    }
    let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (authority, path) = place.split_once('/').unwrap_or((place, ""));
    if path.contains('@') {
        // A password was cut in two there, and a part of it would be shown as host or database.
        return Err(ValueError::new("has an @ behind its first /", ESCAPES));
    }
    let (login, server) = authority.rsplit_once('@').unwrap_or(("", authority));
    let (user, password) = match login.split_once(':') {
        Some((user, password)) => (user, Some(password)),
        None => (login, None),
    };
    let (host, port) = host_and_port(server)?;
    let mut pieces = UrlPieces {
        host: non_empty(decode_percent(host)?),
        port,
        database: non_empty(decode_percent(path)?),
        user: non_empty(decode_percent(user)?),
        password: password
            .map(decode_percent)
            .transpose()?
            .and_then(non_empty),
        ..UrlPieces::default()
    };
    let mut fallback = None;
    let parameters = query.split('&').filter(|parameter| !parameter.is_empty());
    for parameter in parameters {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        let (name, value) = (decode_percent(name)?, non_empty(decode_percent(value)?));
        if name == "fallback_application_name" {
            fallback = value;
            continue;
        }
        take(&mut pieces, &name, value)?;
    }
    pieces.application_name = pieces.application_name.or(fallback);
    one_host(&pieces)?;
    Ok(pieces)
}

/// Returns the scheme, and what stands behind `://`.
pub(super) fn split_scheme(text: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = text.split_once("://")?;
    ["postgres", "postgresql"]
        .contains(&scheme)
        .then_some((scheme, rest))
}

/// Returns host and port of `host:port` or `[IPv6]:port`.
fn host_and_port(text: &str) -> Result<(&str, Option<String>), ValueError> {
    let (host, port) = if let Some(rest) = text.strip_prefix('[') {
        let lacks = || {
            ValueError::new(
                "has a [ without its ]",
                "write an IPv6 address as [::1]:5432",
            )
        };
        let (host, after) = rest.split_once(']').ok_or_else(lacks)?;
        (host, after.strip_prefix(':').or(Some(after)))
    } else {
        match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        }
    };
    if text.contains(',') {
        return Err(several_hosts());
    }
    match port.filter(|port| !port.is_empty()) {
        // Text before a `/` or `?` in a password is taken for host and port.
        Some(port) if port.parse::<u16>().is_err() => Err(ValueError::new(
            "has no port from 1 to 65535 behind its host",
            ESCAPES,
        )),
        port => Ok((host, port.map(str::to_owned))),
    }
}

fn several_hosts() -> ValueError {
    ValueError::new(
        "names several hosts",
        "name one host; of several none is chosen here yet",
    )
}

fn one_host(pieces: &UrlPieces) -> Result<(), ValueError> {
    let is_list = |text: &Option<String>| text.as_ref().is_some_and(|text| text.contains(','));
    if is_list(&pieces.host)
        && !pieces
            .host
            .as_ref()
            .is_some_and(|host| host.starts_with('/'))
        || is_list(&pieces.port)
    {
        return Err(several_hosts());
    }
    Ok(())
}

/// Puts one parameter where it belongs. A later one takes the place of an earlier one.
fn take(pieces: &mut UrlPieces, name: &str, value: Option<String>) -> Result<(), ValueError> {
    let place = match name {
        "host" => &mut pieces.host,
        "port" => &mut pieces.port,
        "dbname" => &mut pieces.database,
        "user" => &mut pieces.user,
        "password" => &mut pieces.password,
        "sslmode" => &mut pieces.sslmode,
        "sslrootcert" => &mut pieces.sslrootcert,
        "application_name" => &mut pieces.application_name,
        "connect_timeout" => &mut pieces.connect_timeout,
        "options" => &mut pieces.options,
        "hostaddr" => {
            let note = "hostaddr is connected to in place of host; with sslmode=verify-full it \
                        is the name in the certificate too";
            pieces.notes.push(note.to_owned());
            &mut pieces.host
        }
        _ => return note_idle(pieces, name, value.as_deref()),
    };
    *place = value;
    Ok(())
}

/// Notes a parameter that does nothing, and refuses one that must not.
fn note_idle(pieces: &mut UrlPieces, name: &str, value: Option<&str>) -> Result<(), ValueError> {
    if let Some((_, remedy)) = REFUSED.iter().find(|(refused, _)| *refused == name) {
        return Err(ValueError::new(format!("has a parameter {name}"), *remedy));
    }
    if !IDLE.contains(&name) {
        let why = format!("has a parameter that unslow does not know: {name:?}");
        let known = TAKEN.iter().chain(&IDLE).copied();
        let remedy = match name {
            "search_path" | "schema" | "currentSchema" => {
                "write options=-csearch_path%3DSCHEMA, or [postgres] search_path".to_owned()
            }
            _ => match nearest_word(name, known) {
                Some(near) => format!("did you mean {near}?"),
                None => "leave it out".to_owned(),
            },
        };
        return Err(ValueError::new(why, remedy));
    }
    let note = match (name, value) {
        ("channel_binding", Some("require")) => {
            "channel_binding=require has no effect: sslmode=verify-full is what proves the server"
        }
        ("target_session_attrs", Some("any" | "prefer-standby") | None)
        | ("channel_binding" | "load_balance_hosts", Some("disable" | "prefer") | None)
        | ("client_encoding", Some("UTF8" | "utf8" | "UTF-8" | "utf-8" | "auto")) => return Ok(()),
        ("target_session_attrs", _) => {
            "target_session_attrs has no effect: the one host that is named is taken as it is"
        }
        ("passfile", _) => "passfile has no effect: [postgres] password_file names a file",
        _ => {
            pieces.notes.push(format!("{name} has no effect here"));
            return Ok(());
        }
    };
    pieces.notes.push(note.to_owned());
    Ok(())
}
