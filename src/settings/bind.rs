//! The addresses to listen on, in gunicorn's grammar.

use std::net::{Ipv4Addr, SocketAddr, ToSocketAddrs};

use super::raw_value::{RawValue, ReadResult, ValueError};
use super::resolved_setting::ResolvedSetting;
use super::types::{BindAddress, Settings};
use super::values::read_list;
use crate::error::StartupError;

/// Addresses with commas between them; at least one.
pub(super) fn read_addresses(given: RawValue<'_>) -> ReadResult<Vec<BindAddress>> {
    let binds = read_list(given, read_address)?;
    if binds.is_empty() {
        return Err(ValueError::new("names no address", BIND_FORMS));
    }
    Ok(binds)
}

/// Makes sure that what is for operators alone is not also where everybody comes.
///
/// # Errors
/// An address of `[stats] bind` is also one of another setting.
pub(super) fn keep_apart(
    settings: &Settings,
    shown: &[ResolvedSetting],
) -> Result<(), StartupError> {
    let redirects = settings.tls.iter().flat_map(|tls| &tls.redirect_bind);
    let others = || settings.server.bind.iter().chain(redirects.clone());
    let both = settings
        .stats_bind
        .iter()
        .find(|bind| others().any(|other| other == *bind));
    let Some(bind) = both else { return Ok(()) };
    let place = shown
        .iter()
        .find(|one| one.section == "stats" && one.key == "bind");
    let place = place.map_or_else(String::new, |one| format!("{}: ", one.origin));
    Err(
        StartupError::new(format!("{bind} is listened on for everybody already"))
            .at_place(format!("{place}[stats] bind"))
            .with_remedy("name an address that is in no other setting, or remove it from there"),
    )
}

const BIND_FORMS: &str = "write HOST:PORT, [IPv6]:PORT, unix:PATH or fd://N";

/// gunicorn's grammar: without a port it is 8000, without a host it is all interfaces.
fn read_address(given: RawValue<'_>) -> ReadResult<BindAddress> {
    let fault = |why: &str| ValueError::new(why, BIND_FORMS);
    if let Some(rest) = given.text.strip_prefix("unix:") {
        let path = rest.strip_prefix("//").unwrap_or(rest);
        if path.is_empty() {
            return Err(fault("has no path"));
        }
        return Ok(BindAddress::Unix(given.base.join(path)));
    }
    if let Some(number) = given.text.strip_prefix("fd://") {
        let digits = number.bytes().all(|byte| byte.is_ascii_digit());
        return match number.parse() {
            Ok(number @ 3..) if digits => Ok(BindAddress::Fd(number)),
            Ok(0..=2) if digits => Err(fault("is one of the standard streams")),
            _ => Err(fault("has no number of a descriptor")),
        };
    }
    let text = given.text.strip_prefix("tcp://").unwrap_or(given.text);
    if text.contains('/') {
        return Err(fault("is not an address"));
    }
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(ValueError::new(
            "is a port without a host",
            format!("write :{text} or 127.0.0.1:{text}"),
        ));
    }
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, after) = rest.split_once(']').ok_or_else(|| fault("lacks its ]"))?;
            let port = match after {
                "" => None,
                _ => Some(
                    after
                        .strip_prefix(':')
                        .ok_or_else(|| fault("is not an address"))?,
                ),
            };
            (host, port)
        }
        None if text.matches(':').count() > 1 => {
            return Err(ValueError::new(
                "is not an address",
                format!("IPv6 goes in brackets: [{text}]:8000"),
            ));
        }
        None => match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    let port = match port {
        None => 8000,
        Some(port) => port
            .parse()
            .map_err(|_| fault("has no port of 0 to 65535"))?,
    };
    resolve_host(host, port).map(BindAddress::Tcp)
}

/// IPv4 first, so that `localhost` is where every client looks first for a server.
fn resolve_host(host: &str, port: u16) -> ReadResult<SocketAddr> {
    if host.is_empty() {
        return Ok(SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)));
    }
    let addresses: Vec<SocketAddr> = (host, port)
        .to_socket_addrs()
        .map_err(|error| {
            ValueError::new(
                format!("names a host that does not resolve ({error})"),
                BIND_FORMS,
            )
        })?
        .collect();
    let first = addresses
        .iter()
        .find(|address| address.is_ipv4())
        .or(addresses.first());
    first
        .copied()
        .ok_or_else(|| ValueError::new("names a host without an address", BIND_FORMS))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::settings::raw_value::given;

    #[test]
    fn addresses_to_listen_on_follow_gunicorns_grammar() {
        for (text, address) in [
            ("127.0.0.1:8080", "127.0.0.1:8080"),
            ("127.0.0.1", "127.0.0.1:8000"),
            (":9000", "0.0.0.0:9000"),
            ("[::1]:80", "[::1]:80"),
            ("[::1]", "[::1]:8000"),
            ("tcp://127.0.0.1:0", "127.0.0.1:0"),
            ("localhost:81", "127.0.0.1:81"),
        ] {
            assert_eq!(
                read_address(given(text)).unwrap(),
                BindAddress::Tcp(address.parse().unwrap()),
                "{text}"
            );
        }
        for (text, path) in [
            ("unix:/run/u.sock", "/run/u.sock"),
            ("unix:u.sock", "/base/u.sock"),
            ("unix:///a", "/a"),
        ] {
            assert_eq!(
                read_address(given(text)).unwrap(),
                BindAddress::Unix(path.into()),
                "{text}"
            );
        }
        assert_eq!(read_address(given("fd://3")).unwrap(), BindAddress::Fd(3));
        assert_eq!(
            read_addresses(given("127.0.0.1:1, [::1]:2,fd://4"))
                .unwrap()
                .len(),
            3
        );
    }

    #[test]
    fn addresses_that_cannot_be_listened_on_are_refused_with_the_remedy() {
        for (text, remedy) in [
            ("8000", ":8000"),
            ("::1", "[::1]:8000"),
            ("127.0.0.1:99999", "HOST:PORT"),
            ("127.0.0.1:http", "HOST:PORT"),
            ("[::1", "HOST:PORT"),
            ("[::1]80", "HOST:PORT"),
            ("unix:", "HOST:PORT"),
            ("fd://", "fd://N"),
            ("fd://2", "fd://N"),
            ("fd://+3", "fd://N"),
            ("fd://-3", "fd://N"),
            ("fd://99999999999", "fd://N"),
            ("http://127.0.0.1:80", "HOST:PORT"),
            ("", "HOST:PORT"),
            (",", "HOST:PORT"),
        ] {
            let fault = read_addresses(given(text)).unwrap_err();
            assert!(fault.remedy.contains(remedy), "{text}: {fault:?}");
        }
    }
}
