//! The origins of other sites' pages, as browsers name them in `Origin`: scheme, host and, where
//! it is not the usual one, port. And names of hosts, as `Host` has them.

use super::raw_value::{RawValue, ReadResult, ValueError};
use super::types::CorsOrigins;
use super::values::read_list;

const FORM: &str = "write https://HOST or https://HOST:PORT, or * for every site";

/// Origins with commas between them, or `*`.
pub(super) fn read_origins(given: RawValue<'_>) -> ReadResult<CorsOrigins> {
    if given.text == "*" {
        return Ok(CorsOrigins::Any);
    }
    read_list(given, read_origin).map(CorsOrigins::These)
}

/// Returns one of them. Browsers compare byte by byte, and so do we: what is not written as they
/// write it would never match.
fn read_origin(given: RawValue<'_>) -> ReadResult<String> {
    let text = given.text;
    let fault = |why: &str| ValueError::new(why, FORM);
    if text == "*" {
        return Err(ValueError::new("stands for every site", "write it alone"));
    }
    if text == "null" {
        let why = "is what pages of any kind may be called (files, sandboxed frames)";
        return Err(fault(why));
    }
    if text.contains('*') {
        return Err(ValueError::new(
            "stands for several sites",
            "name each of them",
        ));
    }
    let url = url::Url::parse(text).map_err(|_| fault("is no origin"))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(fault("is no origin"));
    }
    let web = matches!(url.scheme(), "http" | "https");
    let written = match url.host_str() {
        Some(_) if web => url.origin().ascii_serialization(),
        // These are schemes of apps and of browsers' extensions.
        Some(host) if !host.is_empty() => {
            let port = url
                .port()
                .map_or_else(String::new, |port| format!(":{port}"));
            format!("{}://{host}{port}", url.scheme())
        }
        _ => return Err(fault("names no host")),
    };
    if written != text {
        let remedy = format!("browsers write {written}");
        return Err(ValueError::new("is not written as an origin", remedy));
    }
    Ok(written)
}

const HOSTS: &str = "write names alone: app.example.com, reports.internal";

/// Names with commas between them, in small letters.
pub(super) fn read_hosts(given: RawValue<'_>) -> ReadResult<Vec<String>> {
    read_list(given, read_host)
}

fn read_host(given: RawValue<'_>) -> ReadResult<String> {
    let text = given.text.strip_suffix('.').unwrap_or(given.text);
    if text.contains('*') {
        return Err(ValueError::new(
            "stands for several names",
            "name each of them",
        ));
    }
    if text.contains("://") {
        return Err(ValueError::new("has a scheme", HOSTS));
    }
    let is_address = text.starts_with('[') && text.ends_with(']');
    if text.contains(':') && !is_address {
        let remedy = "write the name without a port; every port is meant";
        return Err(ValueError::new("has a port", remedy));
    }
    let fits = |c: char| {
        c.is_ascii_alphanumeric() || "-_.".contains(c) || (is_address && "[]:".contains(c))
    };
    if text.is_empty() || !text.chars().all(fits) {
        return Err(ValueError::new("is no name of a host", HOSTS));
    }
    Ok(text.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::settings::raw_value::given;

    #[test]
    fn origins_are_taken_as_browsers_write_them() {
        for text in [
            "https://app.example",
            "http://localhost:3000",
            "https://[::1]:8443",
            "https://xn--bcher-kva.example",
            "moz-extension://0a1b2c3d-0000",
            "capacitor://localhost",
        ] {
            let these = CorsOrigins::These(vec![text.to_owned()]);
            assert_eq!(read_origins(given(text)).unwrap(), these);
        }
        let two = CorsOrigins::These(vec!["http://a".to_owned(), "https://b:1".to_owned()]);
        assert_eq!(read_origins(given("http://a, https://b:1,")).unwrap(), two);
        assert_eq!(read_origins(given("*")).unwrap(), CorsOrigins::Any);
    }

    #[test]
    fn what_would_never_match_is_refused_with_what_would() {
        for (text, words) in [
            ("https://app.example/", "browsers write https://app.example"),
            (
                "https://app.example/x?y",
                "browsers write https://app.example",
            ),
            (
                "https://app.example:443",
                "browsers write https://app.example",
            ),
            ("http://app.example:80", "browsers write http://app.example"),
            ("HTTPS://App.example", "browsers write https://app.example"),
            ("https://bücher.example", "https://xn--bcher-kva.example"),
            ("app.example", "write https://HOST"),
            ("app.example:8000", "write https://HOST"),
            ("https://*.app.example", "name each"),
            ("https://", "write https://HOST"),
            ("https://a@app.example", "write https://HOST"),
            ("file:///tmp", "write https://HOST"),
            ("data:text/html,x", "write https://HOST"),
            ("null", "sandboxed"),
            ("https://a, *", "write it alone"),
        ] {
            let fault = read_origins(given(text)).unwrap_err().sentence();
            assert!(fault.contains(words), "{text}: {fault}");
        }
    }
}
