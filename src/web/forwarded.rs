//! The words of proxies about a request, and the proxies that are believed: those in
//! `forwarded_allow_ips`, and all clients of a unix socket, whose file mode says who can connect.
//! Everybody can send these headers; believing a stranger would let him choose his address.

use std::net::{IpAddr, SocketAddr};

use actix_web::dev::RequestHead;
use actix_web::http::header::{self, HeaderName, HeaderValue};

use crate::settings::Network;

const FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// Returns who sent the request: the nearest address in the chain of proxies that is not itself a
/// trusted proxy. Each proxy appends whom it met, so the chain is read from the right, and no
/// further than it is trusted. `None` where a trusted proxy does not say, or says what is no
/// address: who has no address is on no list of addresses.
pub(super) fn client_address(head: &RequestHead, trusted: &[Network]) -> Option<IpAddr> {
    let peer = head.peer_addr.map(|address| address.ip());
    let mut hops = Vec::new();
    if is_trusted(peer, trusted) {
        hops.extend(
            head.headers
                .get_all(FOR)
                .flat_map(|value| value.to_str().unwrap_or("unreadable").split(',')),
        );
    }
    let mut nearest = peer;
    while is_trusted(nearest, trusted) {
        let Some(hop) = hops.pop() else { break };
        let hop = hop.trim();
        // Some proxies name the port too.
        let with_port = |_| hop.parse().map(|address: SocketAddr| address.ip());
        nearest = Some(hop.parse().or_else(with_port).ok()?);
    }
    nearest
}

/// Returns whether a trusted proxy says that it was asked by https, and no proxy before it says
/// otherwise.
pub(super) fn is_https(head: &RequestHead, trusted: &[Network]) -> bool {
    let mut said = head.headers.get_all(PROTO).peekable();
    said.peek().is_some()
        && peer_is_trusted(head, trusted)
        && said
            .flat_map(|value| value.to_str().unwrap_or_default().split(','))
            .all(|scheme| scheme.trim().eq_ignore_ascii_case("https"))
}

/// The host that was asked for: the one that a trusted proxy names, else that of the request.
pub(super) fn requested_host<'h>(head: &'h RequestHead, trusted: &[Network]) -> Option<&'h str> {
    let text = |value: &'h HeaderValue| value.to_str().ok();
    let forwarded = head.headers.get(HOST);
    match forwarded.filter(|_| peer_is_trusted(head, trusted)) {
        Some(value) => text(value),
        None => head.headers.get(header::HOST).and_then(text),
    }
}

/// Returns whether the other end of the connection is a trusted proxy.
pub(super) fn peer_is_trusted(head: &RequestHead, trusted: &[Network]) -> bool {
    is_trusted(head.peer_addr.map(|address| address.ip()), trusted)
}

/// `None` is the other end of a unix socket.
fn is_trusted(address: Option<IpAddr>, trusted: &[Network]) -> bool {
    address.is_none_or(|address| trusted.iter().any(|network| network.contains(address)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

    use super::*;
    use actix_web::test::TestRequest;

    /// Returns a request from `peer` (empty: a unix socket) with these headers.
    fn request(peer: &str, headers: &[(&str, &str)]) -> TestRequest {
        let mut request = TestRequest::default();
        if !peer.is_empty() {
            request = request.peer_addr(SocketAddr::new(peer.parse().unwrap(), 1));
        }
        headers
            .iter()
            .fold(request, |request, header| request.append_header(*header))
    }

    fn networks(list: &[&str]) -> Vec<Network> {
        list.iter()
            .map(|text| Network::parse(text).unwrap())
            .collect()
    }

    fn client_of(peer: &str, forwarded: &[&str], trusted: &[&str]) -> String {
        let headers: Vec<_> = forwarded
            .iter()
            .map(|value| ("X-Forwarded-For", *value))
            .collect();
        let request = request(peer, &headers).to_request();
        client_address(request.head(), &networks(trusted))
            .map_or("-".to_owned(), |ip| ip.to_string())
    }

    const LOCAL: &[&str] = &["127.0.0.1"];
    const ALL: &[&str] = &["0.0.0.0/0", "::/0"];

    #[test]
    fn a_forwarded_address_is_believed_from_trusted_proxies_only() {
        let from = |peer, trusted| client_of(peer, &["198.51.100.7"], trusted);
        assert_eq!(from("192.0.2.1", LOCAL), "192.0.2.1");
        assert_eq!(from("127.0.0.1", LOCAL), "198.51.100.7");
        assert_eq!(from("::ffff:127.0.0.1", LOCAL), "198.51.100.7");
        assert_eq!(from("192.0.2.1", ALL), "198.51.100.7");
        assert_eq!(from("127.0.0.1", &[]), "127.0.0.1");
        assert_eq!(from("", LOCAL), "198.51.100.7");
        assert_eq!(from("", &[]), "198.51.100.7");
        assert_eq!(client_of("127.0.0.1", &[], LOCAL), "127.0.0.1");
        assert_eq!(client_of("", &[], ALL), "-");
    }

    #[test]
    fn a_forwarded_chain_is_read_from_the_right_up_to_the_first_stranger() {
        let chain = ["6.6.6.6, 198.51.100.7", "10.0.0.9"];
        let trusted = ["127.0.0.1", "10.0.0.0/8"];
        assert_eq!(client_of("127.0.0.1", &chain, &trusted), "198.51.100.7");
        assert_eq!(client_of("", &chain, &trusted), "198.51.100.7");
        assert_eq!(client_of("127.0.0.1", &chain, ALL), "6.6.6.6");
        for (hop, read) in [
            ("198.51.100.7:1234", "198.51.100.7"),
            ("[2001:db8::1]:80", "2001:db8::1"),
            ("2001:db8::1", "2001:db8::1"),
        ] {
            assert_eq!(client_of("127.0.0.1", &[hop], LOCAL), read);
        }
    }

    #[test]
    fn what_is_no_address_leaves_the_client_unknown() {
        for hop in ["nonsense", "unknown", "", "6.6.6.6,", "_hidden", "unix:"] {
            assert_eq!(client_of("127.0.0.1", &[hop], LOCAL), "-", "{hop:?}");
            assert_eq!(client_of("192.0.2.1", &[hop], LOCAL), "192.0.2.1");
        }
    }

    #[test]
    fn https_takes_a_trusted_proxy_and_no_other_word() {
        let says = |peer, values: &[&str], trusted| {
            let headers: Vec<_> = values.iter().map(|v| ("X-Forwarded-Proto", *v)).collect();
            is_https(
                request(peer, &headers).to_request().head(),
                &networks(trusted),
            )
        };
        assert!(says("127.0.0.1", &["https"], LOCAL));
        assert!(says("127.0.0.1", &["HTTPS, https"], LOCAL));
        assert!(says("", &["https"], &[]));
        assert!(!says("192.0.2.1", &["https"], LOCAL));
        for values in [
            &["http"][..],
            &["http, https"],
            &["https", "http"],
            &[""],
            &[],
        ] {
            assert!(!says("127.0.0.1", values, LOCAL), "{values:?}");
        }
    }

    #[test]
    fn another_host_takes_a_trusted_proxy() {
        let asked = |peer| {
            let headers = [("Host", "inner:8000"), ("X-Forwarded-Host", "a.example")];
            let request = request(peer, &headers).to_request();
            requested_host(request.head(), &networks(LOCAL)).map(str::to_owned)
        };
        assert_eq!(asked("127.0.0.1").as_deref(), Some("a.example"));
        assert_eq!(asked("").as_deref(), Some("a.example"));
        assert_eq!(asked("192.0.2.1").as_deref(), Some("inner:8000"));
    }
}
