//! The plain listener beside TLS: whatever is asked for there, the answer is where it is to be
//! found by https. `/healthz` alone is answered, by the route table: health checks of load
//! balancers and of scripts take a redirect for a failure, and the answer tells nobody anything.

use actix_web::HttpResponse;
use actix_web::dev::RequestHead;
use actix_web::http::header;

use super::connection::ListenerProtocol;
use super::context::RequestContext;
use super::site::Site;
use super::{errors, forwarded, limits};
use crate::error::RequestError;
use crate::settings::Network;

/// A visitor to be sent on.
#[derive(Debug, Clone, Copy)]
pub(super) struct HttpsRedirect {
    from: u16,
    to: u16,
}

impl HttpsRedirect {
    /// Returns the address to send a request on to that came by a listener of [`ListenerProtocol::Redirect`];
    /// `None` for what is answered there. A client that came by https to a proxy before us would be
    /// sent round in circles.
    pub(super) fn for_request(
        head: &RequestHead,
        manner: ListenerProtocol,
        trusted: &[Network],
    ) -> Option<HttpsRedirect> {
        let ListenerProtocol::Redirect { from, to } = manner else {
            return None;
        };
        let answered = head.uri.path() == "/healthz" || forwarded::is_https(head, trusted);
        (!answered).then_some(HttpsRedirect { from, to })
    }

    /// Returns the answer: 308, which keeps method and body, or 400 where nobody knows which host
    /// is meant.
    pub(super) fn redirect_response(
        self,
        site: &Site,
        context: &RequestContext,
        head: &RequestHead,
    ) -> HttpResponse {
        let server = &site.app.settings.server;
        let found = limits::within_limits(head, server).and_then(|()| {
            let host = forwarded::requested_host(head, &server.forwarded_allow_ips);
            let target = head.uri.path_and_query();
            let target = target.map_or("/", |target| target.as_str());
            self.https_location(host.unwrap_or_default(), target)
                .ok_or_else(|| RequestError::Rejected {
                    status: 400,
                    message: "here visitors are only sent on to https, which takes a Host"
                        .to_owned(),
                })
        });
        match found {
            Ok(location) => HttpResponse::PermanentRedirect()
                .insert_header((header::LOCATION, location))
                .insert_header((header::CACHE_CONTROL, "no-store"))
                .finish(),
            Err(error) => errors::respond_error(site, context, &error),
        }
    }

    /// Returns the same target by https. Who came to the port that is listened on here, is sent to
    /// the port that speaks TLS here. Any other port was translated on the way (by a balancer, by a
    /// container's host), and then https is where it usually is.
    fn https_location(self, host: &str, target: &str) -> Option<String> {
        let (name, port) = match host.rsplit_once(':') {
            Some((name, port)) if !port.ends_with(']') => (name, port.parse().ok()?),
            _ => (host, 80),
        };
        let bare = name
            .strip_prefix('[')
            .map_or(Some(name), |rest| rest.strip_suffix(']'))?;
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
        let fits = if bare.len() < name.len() {
            bare.parse::<std::net::Ipv6Addr>().is_ok()
        } else {
            !bare.is_empty() && bare.bytes().all(is_plain)
        };
        if !fits || !target.starts_with('/') {
            return None;
        }
        Some(if port == self.from && self.to != 443 {
            format!("https://{name}:{}{target}", self.to)
        } else {
            format!("https://{name}{target}")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_target_is_named_on_the_port_that_speaks_tls() {
        for (host, from, to, expected) in [
            ("a.example", 80, 443, "https://a.example/q?x=1"),
            ("a.example:80", 80, 443, "https://a.example/q?x=1"),
            ("a.example", 80, 8443, "https://a.example:8443/q?x=1"),
            ("a.example:8080", 8080, 8443, "https://a.example:8443/q?x=1"),
            ("[::1]:8080", 8080, 8443, "https://[::1]:8443/q?x=1"),
            ("[::1]", 80, 443, "https://[::1]/q?x=1"),
            // Translated on the way.
            ("a.example", 8080, 8443, "https://a.example/q?x=1"),
            ("a.example:9000", 8080, 8443, "https://a.example/q?x=1"),
        ] {
            let found = HttpsRedirect { from, to }.https_location(host, "/q?x=1");
            assert_eq!(found.as_deref(), Some(expected), "{host} {from} {to}");
        }
    }

    #[test]
    fn a_host_that_is_none_leads_nowhere() {
        let redirect = HttpsRedirect { from: 80, to: 443 };
        for host in [
            "", ":80", "a b", "a/b", "a@b", "a\\b", "[::1", "[a]", "a:b", "a:80:80", "::1", "a?b",
        ] {
            assert_eq!(redirect.https_location(host, "/"), None, "{host:?}");
        }
        assert_eq!(redirect.https_location("a", "*"), None);
    }
}
