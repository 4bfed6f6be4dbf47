//! Networks in CIDR notation, for the lists that say who may do something.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// An address or a network in CIDR notation. IPv4 addresses in their IPv6-mapped form
/// (`::ffff:10.0.0.1`) count as the IPv4 addresses they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    base: IpAddr,
    prefix: u8,
}

impl Network {
    /// Every IPv4 address.
    pub(super) const ALL_V4: Network = Network {
        base: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        prefix: 0,
    };
    /// Every IPv6 address.
    pub(super) const ALL_V6: Network = Network {
        base: IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        prefix: 0,
    };

    /// Reads `10.0.0.0/8`, `fd00::/8` or one address. The error says what is wrong with the text.
    pub fn parse(text: &str) -> Result<Network, String> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address
            .trim()
            .parse()
            .map_err(|_| "is not an IP address".to_owned())?;
        let width = address_bits(address);
        let prefix = match prefix {
            None => width,
            Some(digits) => digits
                .trim()
                .parse()
                .ok()
                .filter(|prefix| *prefix <= width)
                .ok_or_else(|| format!("needs a prefix of 0 to {width} after the /"))?,
        };
        // A mapped network is the IPv4 network, as long as its prefix reaches into it.
        let (address, prefix) = match address.to_canonical() {
            IpAddr::V4(mapped) if address.is_ipv6() && prefix >= 96 => {
                (IpAddr::V4(mapped), prefix - 96)
            }
            _ => (address, prefix),
        };
        let base = mask_address(address, prefix);
        if base != address {
            return Err(format!(
                "has bits set beyond its prefix; the network is {base}/{prefix}"
            ));
        }
        Ok(Network { base, prefix })
    }

    /// Returns whether `address` is in the network.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_ipv4() == self.base.is_ipv4() && mask_address(address, self.prefix) == self.base
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.prefix == address_bits(self.base) {
            write!(f, "{}", self.base)
        } else {
            write!(f, "{}/{}", self.base, self.prefix)
        }
    }
}

fn address_bits(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

fn mask_address(address: IpAddr, prefix: u8) -> IpAddr {
    match address {
        IpAddr::V4(v4) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0);
            Ipv4Addr::from_bits(v4.to_bits() & mask).into()
        }
        IpAddr::V6(v6) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(prefix)).unwrap_or(0);
            Ipv6Addr::from_bits(v6.to_bits() & mask).into()
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_network_holds_its_addresses_and_no_others() {
        for (network, inside, outside) in [
            ("10.0.0.0/8", "10.255.0.1", "11.0.0.1"),
            ("127.0.0.1", "127.0.0.1", "127.0.0.2"),
            ("10.0.0.0/8", "::ffff:10.1.2.3", "::10.1.2.3"),
            ("::ffff:10.0.0.0/104", "10.1.2.3", "11.1.2.3"),
            ("::ffff:10.0.0.1", "10.0.0.1", "10.0.0.2"),
            ("fd00::/8", "fd12::1", "fe80::1"),
            ("::1", "::1", "127.0.0.1"),
            ("0.0.0.0/0", "8.8.8.8", "::1"),
            ("::/0", "::1", "8.8.8.8"),
            ("192.0.2.128/25", "192.0.2.255", "192.0.2.127"),
        ] {
            let parsed = Network::parse(network).unwrap();
            assert!(
                parsed.contains(inside.parse().unwrap()),
                "{network} {inside}"
            );
            assert!(
                !parsed.contains(outside.parse().unwrap()),
                "{network} {outside}"
            );
        }
    }

    #[test]
    fn what_is_not_a_network_is_refused_with_the_reason() {
        for (text, reason) in [
            ("ten", "not an IP address"),
            ("10.0.0.0/33", "0 to 32"),
            ("::/129", "0 to 128"),
            ("10.0.0.0/", "0 to 32"),
            ("10.0.0.1/8", "10.0.0.0/8"),
        ] {
            let error = Network::parse(text).unwrap_err();
            assert!(error.contains(reason), "{text}: {error}");
        }
    }

    #[test]
    fn a_network_prints_as_it_is_written() {
        for text in ["10.0.0.0/8", "127.0.0.1", "fd00::/8", "::1", "0.0.0.0/0"] {
            assert_eq!(Network::parse(text).unwrap().to_string(), text);
        }
    }
}
