//! The URLs of the database and of Redis: taken apart, checked, and shown without their passwords.
//! No message of this file repeats a URL, because a URL may hold a password.

mod escapes;
mod postgres;

use std::path::PathBuf;

use url::{Host, Url};

pub(super) use postgres::UrlPieces;

use super::raw_value::{RawValue, ValueError};
use super::secret::Secret;
use escapes::{ESCAPES, decode_percent};

/// Takes a `postgres://` URL apart; a `sqlite:` URL has no pieces.
pub(super) fn split_url(text: &str) -> Result<UrlPieces, ValueError> {
    if text.starts_with("sqlite:") {
        return Ok(UrlPieces::default());
    }
    postgres::split_url(text)
}

/// Returns the file of a `sqlite:` URL, which must be there; `None` for other URLs.
pub(super) fn sqlite_file(given: RawValue<'_>) -> Result<Option<PathBuf>, ValueError> {
    let Some(rest) = given.text.strip_prefix("sqlite:") else {
        return Ok(None);
    };
    let file = rest.strip_prefix("//").unwrap_or(rest);
    if file.is_empty() || file.contains('?') || file == ":memory:" {
        let remedy = "write sqlite:FILE, without parameters; it is opened for reading";
        return Err(ValueError::new("does not name a SQLite file", remedy));
    }
    super::files::readable_file(RawValue {
        text: file,
        ..given
    })
    .map(Some)
}

/// The most bytes of a path that the address of a unix socket has room for.
pub(super) const LONGEST_SOCKET: usize = 107;

const REDIS_FORMS: &str = "write redis://[:PASSWORD@]HOST:PORT/NUMBER, rediss://… for TLS, or redis+unix:///PATH?db=NUMBER";

/// Checks a Redis URL and gives it in the form that the redis crate reads.
pub(super) fn read_redis(given: RawValue<'_>) -> Result<Secret, ValueError> {
    // Valkey speaks the same language.
    let other = [
        ("unix:", "redis+unix:"),
        ("valkey:", "redis:"),
        ("valkeys:", "rediss:"),
        ("valkey+unix:", "redis+unix:"),
    ];
    let same = other
        .iter()
        .find_map(|(scheme, ours)| Some(format!("{ours}{}", given.text.strip_prefix(scheme)?)));
    let url = parse(same.as_deref().unwrap_or(given.text))?;
    if url.fragment().is_some() {
        // The redis crate takes `#insecure` for leave to skip every check of the certificate.
        return Err(ValueError::new("has a # in it", ESCAPES));
    }
    match url.scheme() {
        "redis" | "rediss" => redis_tcp(&url)?,
        "redis+unix" => return redis_unix(&url),
        _ => return Err(ValueError::new("is not the URL of a Redis", REDIS_FORMS)),
    }
    Ok(Secret::new(url.into()))
}

fn redis_tcp(url: &Url) -> Result<(), ValueError> {
    let fault = |why: &str| Err(ValueError::new(why, REDIS_FORMS));
    match url.host() {
        None | Some(Host::Domain("")) => return fault("names no host"),
        Some(Host::Domain("0.0.0.0" | "[::]")) => return fault("names no host one can connect to"),
        Some(_) => {}
    }
    decode_percent(url.username())?;
    url.password().map(decode_percent).transpose()?;
    let number = url.path().trim_matches('/');
    if !number.is_empty() && number.parse::<u32>().is_err() {
        return fault("has a path that is not the number of a database");
    }
    match url.query_pairs().find(|(name, _)| name != "protocol") {
        Some((name, _)) => fault(&format!(
            "has a parameter that unslow does not know: {name:?}"
        )),
        None => Ok(()),
    }
}

fn redis_unix(url: &Url) -> Result<Secret, ValueError> {
    let fault = |why: &str| Err(ValueError::new(why, REDIS_FORMS));
    if url.path().trim_matches('/').is_empty() || url.host_str().is_some_and(|h| !h.is_empty()) {
        return fault("names no absolute path of a socket");
    }
    let path = decode_percent(url.path())?;
    if path.len() > LONGEST_SOCKET {
        return fault(&format!(
            "names a socket whose path has more than {LONGEST_SOCKET} bytes"
        ));
    }
    let mut out = url.clone();
    out.set_query(None);
    for (name, value) in url.query_pairs() {
        // redis-py's names and the redis crate's.
        let name = match name.as_ref() {
            "db" if value.parse::<u32>().is_err() => return fault("has a db that is not a number"),
            "db" | "user" | "pass" | "protocol" => name.as_ref(),
            "username" => "user",
            "password" => "pass",
            _ => {
                return fault(&format!(
                    "has a parameter that unslow does not know: {name:?}"
                ));
            }
        };
        out.query_pairs_mut().append_pair(name, &value);
    }
    Ok(Secret::new(out.into()))
}

/// Returns a checked Redis URL without its password, for when a file gives that.
pub(super) fn without_password(url: &Secret) -> Secret {
    let Ok(mut parsed) = Url::parse(url.reveal()) else {
        return url.clone();
    };
    // It fails for URLs that cannot have a password, which then have none.
    let _ = parsed.set_password(None);
    replace_query(&mut parsed, |name, value| {
        (!is_password(name)).then_some(value)
    });
    Secret::new(parsed.into())
}

/// Returns a URL with `***` for its password, for people to read. What is no URL is hidden whole.
pub(super) fn redact_url(text: &str) -> String {
    if text.starts_with("sqlite:") {
        return text.to_owned();
    }
    // A URL of PostgreSQL may have no host, which only it takes for a URL.
    let added = postgres::split_scheme(text).and_then(|_| without_host(text));
    let Ok(mut url) = Url::parse(added.as_deref().unwrap_or(text)) else {
        return "***".to_owned();
    };
    if url.password().is_some() {
        let _ = url.set_password(Some("***"));
    }
    replace_query(&mut url, |name, value| {
        Some(if is_password(name) {
            "***".to_owned()
        } else {
            value
        })
    });
    let shown = String::from(url);
    if added.is_some() {
        shown.replacen(&format!("@{NO_HOST}"), "@", 1)
    } else {
        shown
    }
}

/// A host that stands for none.
const NO_HOST: &str = "no-host.invalid";

/// Returns a URL with a user and without a host, with a host that stands for none.
fn without_host(text: &str) -> Option<String> {
    let (before, after) = text.split_once("@/")?;
    Some(format!("{before}@{NO_HOST}/{after}"))
}

/// Says that there is a password in a URL. Where a text is no URL it looks for the form of one
/// with a password, because it may be a URL in which the password's characters are not escaped.
pub(super) fn holds_password(text: &str) -> bool {
    let by_form = |text: &str| {
        let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
        let before = rest.rsplit_once('@').map(|(before, _)| before);
        before.is_some_and(|before| before.contains(':'))
    };
    if text.starts_with("sqlite:") {
        return false;
    }
    let url = match Url::parse(text) {
        Ok(url) if text.contains("://") => url,
        _ => return by_form(text),
    };
    url.password().is_some_and(|password| !password.is_empty())
        || url
            .query_pairs()
            .any(|(name, value)| is_password(&name) && !value.is_empty())
        || url.fragment().is_some() && by_form(text)
}

fn is_password(name: &str) -> bool {
    matches!(name, "pass" | "password" | "sslpassword")
}

fn replace_query(url: &mut Url, replace: impl Fn(&str, String) -> Option<String>) {
    let pairs: Vec<(String, String)> = url
        .query_pairs()
        .filter_map(|(name, value)| Some((name.to_string(), replace(&name, value.into_owned())?)))
        .collect();
    url.set_query(None);
    if !pairs.is_empty() {
        url.query_pairs_mut().extend_pairs(pairs);
    }
}

fn parse(text: &str) -> Result<Url, ValueError> {
    Url::parse(text).map_err(|error| {
        let remedy = match error {
            // Text before a `/`, `?` or `#` in a password is taken for host and port.
            url::ParseError::InvalidPort | url::ParseError::InvalidDomainCharacter => ESCAPES,
            _ => "write SCHEME://USER:PASSWORD@HOST:PORT/NAME",
        };
        ValueError::new(format!("is not a URL ({error})"), remedy)
    })
}

#[cfg(test)]
mod tests;
