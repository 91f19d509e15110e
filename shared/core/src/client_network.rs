//! [`ClientNetwork`]: the networks of a client's IP address, for which calls and attempts are counted.

use std::net::{IpAddr, Ipv6Addr};

/// Usual prefix length of one internet connection in IPv6, in bits.
const IPV6_CUSTOMER_BITS: u32 = 64;
/// Shortest usual prefix length of one site in IPv6, in bits. Such a site can choose among 65,536 customer networks.
const IPV6_SITE_BITS: u32 = 48;

/// The networks of a client. For IPv4, both are the address itself, because a large number of IPv4 addresses is expensive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ClientNetwork {
    /// The /64 of an IPv6 address.
    pub customer: IpAddr,
    /// The /48 of an IPv6 address.
    pub site: IpAddr,
}

impl ClientNetwork {
    /// Returns the networks of an address.
    pub fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            address @ IpAddr::V4(_) => Self {
                customer: address,
                site: address,
            },
            IpAddr::V6(address) => Self {
                customer: prefix(address, IPV6_CUSTOMER_BITS),
                site: prefix(address, IPV6_SITE_BITS),
            },
        }
    }

    /// Whether the site has more than one customer network, so that it must be counted separately.
    pub fn has_site(self) -> bool {
        self.site.is_ipv6()
    }
}

fn prefix(address: Ipv6Addr, bits: u32) -> IpAddr {
    let rest = u128::BITS - bits;
    Ipv6Addr::from(u128::from(address) >> rest << rest).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ipv6_is_counted_by_customer_and_site() {
        let of = |text: &str| {
            let network = ClientNetwork::of(text.parse().unwrap());
            (network.customer.to_string(), network.site.to_string())
        };
        let pair = |customer: &str, site: &str| (customer.to_owned(), site.to_owned());
        assert_eq!(of("2001:db8:1:2:3:4:5:6"), pair("2001:db8:1:2::", "2001:db8:1::"));
        assert_eq!(of("203.0.113.5"), pair("203.0.113.5", "203.0.113.5"));
        assert_eq!(of("::ffff:203.0.113.5"), pair("203.0.113.5", "203.0.113.5"));
    }
}
