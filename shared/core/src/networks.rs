//! [`Networks`]: lists of networks in CIDR notation, for API keys and for trusted proxies.

use std::fmt;
use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net};

/// The number of bits before the IPv4 address in an IPv4-mapped IPv6 address (`::ffff:192.0.2.1`).
const MAPPED_BITS: u8 = 96;

/// The maximum number of networks in one list.
pub const MAX_NETWORKS: usize = 32;

/// A list of networks. The stored form is CIDR notation, separated by blanks. An IPv4-mapped network is converted to IPv4, because the
/// addresses of clients are compared in their IPv4 form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Networks(Vec<IpNet>);

/// An invalid list of networks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be IP addresses, or networks such as 192.0.2.0/24")]
pub struct NetworksError;

impl Networks {
    /// Parses addresses and networks. An address is a network with one member. The host bits of a network are ignored.
    ///
    /// # Errors
    /// [`NetworksError`] for an invalid text, for an IPv4-mapped network that is larger than all of IPv4, for an empty list, and for more than
    /// [`MAX_NETWORKS`].
    pub fn parse<'a>(texts: impl IntoIterator<Item = &'a str>) -> Result<Self, NetworksError> {
        let network = |text: &str| {
            let single = || text.parse::<IpAddr>().map(IpNet::from).ok();
            let network: IpNet = text.parse().ok().or_else(single)?;
            Some(canonical(network)?.trunc())
        };
        // One more than the limit is enough to detect a list that is too long.
        let networks: Option<Vec<_>> = texts.into_iter().take(MAX_NETWORKS + 1).map(network).collect();
        networks
            .filter(|networks| (1..=MAX_NETWORKS).contains(&networks.len()))
            .map(Self)
            .ok_or(NetworksError)
    }

    /// Whether a network of the list contains the address. An IPv4-mapped address counts as its IPv4 address.
    pub fn contain(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }

    /// The networks in CIDR notation.
    pub fn texts(&self) -> Vec<String> {
        self.0.iter().map(IpNet::to_string).collect()
    }
}

/// Converts an IPv4-mapped network to IPv4, and returns other networks unchanged. `None` if an IPv4-mapped network is larger than all of IPv4.
fn canonical(network: IpNet) -> Option<IpNet> {
    let mapped = match network {
        IpNet::V4(_) => None,
        IpNet::V6(network) => network.addr().to_ipv4_mapped(),
    };
    let Some(address) = mapped else { return Some(network) };
    let bits = network.prefix_len().checked_sub(MAPPED_BITS)?;
    Ipv4Net::new(address, bits).ok().map(IpNet::V4)
}

impl fmt::Display for Networks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.texts().join(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_found_in_their_networks() {
        let networks = Networks::parse(["192.0.2.77/24", "2001:db8::/32", "203.0.113.9"]).unwrap();
        assert_eq!(networks.to_string(), "192.0.2.0/24 2001:db8::/32 203.0.113.9/32");
        for (address, expected) in [
            ("192.0.2.1", true),
            ("192.0.3.1", false),
            ("::ffff:192.0.2.1", true),
            ("2001:db8:1::1", true),
            ("2001:db9::1", false),
            ("203.0.113.9", true),
            ("203.0.113.10", false),
        ] {
            assert_eq!(networks.contain(address.parse().unwrap()), expected, "{address}");
        }
    }

    #[test]
    fn mapped_networks_are_ipv4_networks() {
        let networks = Networks::parse([
            "::ffff:127.0.0.1",
            "::ffff:192.0.2.77/120",
            "::ffff:c633:6400/128",
            "2001:db8::/32",
        ])
        .unwrap();
        let texts = ["127.0.0.1/32", "192.0.2.0/24", "198.51.100.0/32", "2001:db8::/32"];
        assert_eq!(networks.texts(), texts);
        for address in ["127.0.0.1", "::ffff:127.0.0.1", "192.0.2.1", "::ffff:192.0.2.1"] {
            assert!(networks.contain(address.parse().unwrap()), "{address}");
        }
        assert_eq!(Networks::parse(["::ffff:0:0/96"]).unwrap().texts(), ["0.0.0.0/0"]);
        assert_eq!(Networks::parse(["::/0"]).unwrap().texts(), ["::/0"]);
        for larger in ["::ffff:192.0.2.1/95", "::ffff:0:0/64", "::ffff:127.0.0.1/0"] {
            assert_eq!(Networks::parse([larger]), Err(NetworksError), "{larger}");
        }
    }

    #[test]
    fn invalid_network_is_rejected() {
        for wrong in [
            "",
            "192.0.2.0/33",
            "192.0.2",
            "example.com",
            "192.0.2.0/24/1",
            " 192.0.2.1",
        ] {
            assert_eq!(Networks::parse([wrong]), Err(NetworksError), "{wrong}");
        }
        assert_eq!(Networks::parse([]), Err(NetworksError));
        assert_eq!(Networks::parse(["::1"; MAX_NETWORKS + 1]), Err(NetworksError));
    }
}
