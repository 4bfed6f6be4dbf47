//! The origin of a request: this machine itself, or a page of another site. Both are told by
//! headers that browsers and proxies add, and that pages cannot take away.

use actix_web::dev::RequestHead;
use actix_web::http::Version;
use actix_web::http::header::{self, HeaderMap, HeaderValue};

use crate::error::RequestError;

/// Headers that a proxy adds: whoever sends one is not simply on this machine.
pub(in crate::web) const FORWARDING: [&str; 6] = [
    "forwarded",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-real-ip",
    "via",
];

/// Returns whether a request comes from a peer on this machine, with no proxy before it, that asked
/// for this machine by a name of its own: the header check keeps a proxy on the same host out, the
/// `Host` check a page that has rebound its DNS name to 127.0.0.1. A proxy that says nothing of its
/// visitors and calls this machine by its own name, as nginx does when nobody tells it otherwise,
/// is known at least by the HTTP/1.0 that its older versions speak, and that people's own clients
/// no longer do.
pub(super) fn is_local(head: &RequestHead) -> bool {
    let host = head.headers.get(header::HOST);
    let host = host.and_then(|value| value.to_str().ok());
    head.peer_addr
        .is_some_and(|peer| peer.ip().to_canonical().is_loopback())
        && head.version >= Version::HTTP_11
        && !FORWARDING
            .iter()
            .any(|name| head.headers.contains_key(*name))
        && host.is_some_and(is_local_name)
}

fn is_local_name(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    ["localhost", "127.0.0.1", "[::1]"].contains(&name)
}

/// Refuses what a page of another site made a browser send (CSRF). Browsers say where a request
/// comes from; other clients say nothing, and need no protection from pages.
///
/// # Errors
/// 403 with the reason.
pub(in crate::web) fn own_origin(headers: &HeaderMap) -> Result<(), RequestError> {
    let refused = |why: &str| {
        Err(RequestError::Rejected {
            status: 403,
            message: format!("refused, because {why}"),
        })
    };
    let mut sites = headers.get_all("sec-fetch-site");
    if sites.any(|site| !matches!(site.as_bytes(), b"same-origin" | b"none")) {
        return refused("a page of another site sent it (Sec-Fetch-Site)");
    }
    let text = |value: &HeaderValue| value.to_str().map(str::to_ascii_lowercase).ok();
    let host = headers.get(header::HOST).and_then(text);
    let is_own = |origin: &HeaderValue| {
        let (origin, host) = text(origin).zip(host.as_deref())?;
        let (scheme, authority) = origin.split_once("://")?;
        let usual_port = match scheme {
            "http" => ":80",
            "https" => ":443",
            _ => return None,
        };
        // An origin leaves the usual port out, a `Host` may name it.
        Some(authority == host.strip_suffix(usual_port).unwrap_or(host))
    };
    if headers
        .get_all(header::ORIGIN)
        .any(|origin| is_own(origin) != Some(true))
    {
        return refused(
            "a page of another site sent it (Origin is not this Host; a proxy has to pass Host on)",
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

    use std::net::SocketAddr;

    use actix_web::http::header::HeaderName;
    use actix_web::test::TestRequest;

    use super::*;

    fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(
                HeaderName::from_bytes(name.as_bytes()).unwrap(),
                HeaderValue::from_str(value).unwrap(),
            );
        }
        headers
    }

    fn asked(pairs: &[(&str, &str)]) -> TestRequest {
        let request = TestRequest::default();
        pairs
            .iter()
            .fold(request, |request, pair| request.append_header(*pair))
    }

    fn local(peer: &str, pairs: &[(&str, &str)]) -> bool {
        let peer = SocketAddr::new(peer.parse().unwrap(), 1);
        is_local(asked(pairs).peer_addr(peer).to_request().head())
    }

    #[test]
    fn loopback_is_local_only_without_a_proxy_and_under_its_own_name() {
        for host in [
            "localhost",
            "localhost:8000",
            "127.0.0.1:8000",
            "[::1]:8000",
            "[::1]",
        ] {
            assert!(local("127.0.0.1", &[("host", host)]), "{host}");
        }
        assert!(local("::1", &[("host", "localhost")]));
        assert!(local("::ffff:127.0.0.1", &[("host", "localhost")]));
        for host in [
            "evil.example",
            "localhost.evil.example:8000",
            "127.0.0.1.nip.io",
            "",
        ] {
            assert!(!local("127.0.0.1", &[("host", host)]), "{host}");
        }
        for header in FORWARDING {
            assert!(
                !local("127.0.0.1", &[("host", "localhost"), (header, "x")]),
                "{header}"
            );
        }
        assert!(!local("127.0.0.1", &[]));
        assert!(!local("192.0.2.1", &[("host", "localhost")]));
        let by_unix_socket = asked(&[("host", "localhost")]).to_request();
        assert!(!is_local(by_unix_socket.head()));
    }

    #[test]
    fn a_proxy_that_hides_its_visitors_is_known_by_its_http() {
        let by = |version| {
            let request = asked(&[("host", "127.0.0.1:8000")]).version(version);
            let peer = SocketAddr::from(([127, 0, 0, 1], 1));
            is_local(request.peer_addr(peer).to_request().head())
        };
        assert!(by(Version::HTTP_11));
        assert!(!by(Version::HTTP_10));
        assert!(!by(Version::HTTP_09));
    }

    #[test]
    fn an_action_that_a_page_of_another_site_sends_is_refused() {
        let own = |pairs: &[(&str, &str)]| {
            let mut all = vec![("host", "localhost:8000")];
            all.extend(pairs);
            own_origin(&headers(&all)).is_ok()
        };
        assert!(own(&[]), "no browser");
        assert!(own(&[("sec-fetch-site", "same-origin")]));
        assert!(own(&[("sec-fetch-site", "none")]), "typed by its user");
        assert!(own(&[("origin", "http://localhost:8000")]));
        assert!(own(&[("origin", "HTTP://LocalHost:8000")]));
        for site in ["cross-site", "same-site", "", "same-origin, cross-site"] {
            assert!(!own(&[("sec-fetch-site", site)]), "{site}");
        }
        for origin in [
            "https://evil.example",
            "http://localhost",
            "http://localhost:80",
            "http://localhost:8001",
            "http://localhost:8000.evil.example",
            "http://evil.example@localhost:8000",
            "http://127.0.0.1:8000",
            "localhost:8000",
            "file://localhost:8000",
            "null",
            "",
        ] {
            assert!(!own(&[("origin", origin)]), "{origin}");
        }
        let (own_one, strange) = ("http://localhost:8000", "http://evil.example");
        assert!(!own(&[("origin", own_one), ("origin", strange)]));
        assert!(!own(&[
            ("sec-fetch-site", "none"),
            ("sec-fetch-site", "cross-site")
        ]));
    }

    #[test]
    fn an_origin_is_compared_without_the_usual_port_and_needs_a_host() {
        let own = |host: &str, origin: &str| {
            own_origin(&headers(&[("host", host), ("origin", origin)])).is_ok()
        };
        // Behind a proxy that ends TLS.
        assert!(own("unslow.example", "https://unslow.example"));
        assert!(own("unslow.example:443", "https://unslow.example"));
        assert!(own("[::1]:80", "http://[::1]"));
        assert!(!own("unslow.example:80", "https://unslow.example"));
        assert!(!own("unslow.example", "https://unslow.example:8443"));
        assert!(own_origin(&headers(&[("origin", "http://localhost")])).is_err());
    }
}
