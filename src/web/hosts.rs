//! The names under which this machine is asked over loopback. A page of another site can have its
//! own name lead to 127.0.0.1 (DNS rebinding): the visitor's browser then takes this server for
//! that site's and lets the page read all answers. Such a request comes from this machine and says
//! the foreign name in `Host`, which no script can change.

use std::net::IpAddr;

use actix_web::dev::RequestHead;
use actix_web::http::header::{self, HeaderValue};

use super::access::FORWARDING;
use super::connection::{ListenerInfo, ListenerProtocol};
use super::forwarded;
use crate::error::RequestError;
use crate::settings::ServerSettings;

/// The ports that a `Host` may leave out, of plain HTTP and of https.
const USUAL: [u16; 2] = [HTTP, 443];
const HTTP: u16 = 80;

/// Refuses a request that came over loopback and asks for another host than this machine and those
/// in `[server] allowed_hosts`.
///
/// # Errors
/// 421 with the name of the setting.
pub(super) fn check_host(
    head: &RequestHead,
    server: &ServerSettings,
    reception: ListenerInfo,
) -> Result<(), RequestError> {
    if is_answered(head, server, reception) {
        return Ok(());
    }
    Err(RequestError::Rejected {
        status: 421,
        message:
            "over loopback this server answers to localhost, to loopback addresses and to the \
                  names in [server] allowed_hosts, and this request asks for another host; a proxy \
                  on this machine sends X-Forwarded-For and a Host without a port, or its site's \
                  name stands in allowed_hosts"
                .to_owned(),
    })
}

fn is_answered(head: &RequestHead, server: &ServerSettings, reception: ListenerInfo) -> bool {
    // No browser comes by a unix socket, and inside TLS a browser holds the name against the
    // certificate. Whoever is only sent on to https is shown nothing.
    let Some(peer) = head.peer_addr else {
        return true;
    };
    if reception.manner != ListenerProtocol::Plain || !peer.ip().to_canonical().is_loopback() {
        return true;
    }
    let host = head.headers.get(header::HOST).map(HeaderValue::as_bytes);
    let authority = head
        .uri
        .authority()
        .map(|authority| authority.as_str().as_bytes());
    let asked = [host, authority];
    let mut asked = asked.into_iter().flatten();
    asked.all(|host| {
        // An empty one stands for none.
        host.is_empty()
            || std::str::from_utf8(host).is_ok_and(|host| {
                is_own(host, &server.allowed_hosts) || is_passed_on(head, host, server, reception)
            })
    })
}

/// Returns whether a trusted proxy passes the request on. Scripts can send these headers too; but
/// the port in a browser's `Host` is the one it connects to: ours, or that of a tunnel on this
/// machine, which passes bytes on unseen. A proxy's is one of the usual ones; a site on another
/// port is named in `allowed_hosts`.
fn is_passed_on(
    head: &RequestHead,
    host: &str,
    server: &ServerSettings,
    reception: ListenerInfo,
) -> bool {
    let (_, port) = split_port(host);
    let port = port.unwrap_or(HTTP);
    FORWARDING
        .iter()
        .any(|name| head.headers.contains_key(*name))
        && forwarded::peer_is_trusted(head, &server.forwarded_allow_ips)
        && USUAL.contains(&port)
        && reception.port != Some(port)
}

fn is_own(host: &str, allowed: &[String]) -> bool {
    let (name, _) = split_port(host);
    let name = name.strip_suffix('.').unwrap_or(name);
    is_this_machine(name) || allowed.iter().any(|one| one.eq_ignore_ascii_case(name))
}

/// Returns whether it is a name that leads to this machine wherever it is asked for (RFC 6761,
/// 6.3), or a loopback address.
fn is_this_machine(name: &str) -> bool {
    const LOCALHOST: &str = "localhost";
    let inner = name
        .strip_prefix('[')
        .and_then(|name| name.strip_suffix(']'));
    let address: Option<IpAddr> = inner.unwrap_or(name).parse().ok();
    match address {
        Some(address) => {
            address.to_canonical().is_loopback() && address.is_ipv6() == inner.is_some()
        }
        None => name
            .len()
            .checked_sub(LOCALHOST.len())
            .filter(|at| name.is_char_boundary(*at))
            .is_some_and(|at| {
                let (below, last) = name.split_at(at);
                last.eq_ignore_ascii_case(LOCALHOST)
                    && (below.is_empty() || (below.len() > 1 && below.ends_with('.')))
            }),
    }
}

/// Returns the name and the port of a `Host`. What is no port stays part of the name.
fn split_port(host: &str) -> (&str, Option<u16>) {
    match host.rsplit_once(':') {
        Some((name, "")) => (name, None),
        Some((name, digits)) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            match digits.parse() {
                Ok(port) => (name, Some(port)),
                Err(_) => (host, None),
            }
        }
        _ => (host, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_is_localhost_and_loopback_addresses_and_nothing_that_looks_like_them() {
        let allowed = ["app.example".to_owned()];
        for host in [
            "localhost",
            "localhost:8000",
            "LocalHost",
            "localhost.",
            "a.localhost:1",
            "x.y.localhost",
            "127.0.0.1",
            "127.0.0.1:65535",
            "127.1.2.3",
            "[::1]",
            "[::1]:8000",
            "[::ffff:127.0.0.1]",
            "app.example",
            "APP.example:8000",
            "app.example.",
            "localhost:",
        ] {
            assert!(is_own(host, &allowed), "{host}");
        }
        for host in [
            "evil.example",
            "localhost.evil.example",
            "evillocalhost",
            ".localhost",
            "127.0.0.1.nip.io",
            "128.0.0.1",
            "0.0.0.0",
            "[::]",
            "192.0.2.1",
            "::1",
            "[127.0.0.1]",
            "127.1",
            "2130706433",
            "localhost:8000:1",
            "localhost:99999",
            "localhost@evil.example",
            "sub.app.example",
            "app.example.evil",
            "é",
            "",
            "a,localhost",
            " localhost",
        ] {
            assert!(!is_own(host, &allowed), "{host:?}");
        }
    }
}
