//! [`ClientIp`]: the IP address of the client, if necessary from the headers of trusted proxies.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use axum::extract::FromRequestParts;
use bespoke_core::{ClientNetwork, Networks};
use http::request::Parts;
use http::{HeaderValue, Request};

use crate::response::Error;

/// The address at the other end of the connection: the peer of `bespoke serve`, or on Lambda the source address that the API gateway reports.
/// The host inserts it into the extensions of the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer(pub IpAddr);

/// The address of the client, behind trusted proxies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientIp(pub IpAddr);

const FORWARDED_FOR: &str = "x-forwarded-for";

impl ClientIp {
    /// The address of all clients whose address cannot be parsed. They share its limits, and an API key that is bound to networks does not
    /// accept it.
    pub(crate) const UNKNOWN: Self = Self(IpAddr::V6(Ipv6Addr::UNSPECIFIED));

    /// Returns the client of a request. Each proxy appends the address of its peer to `X-Forwarded-For`, so the client is the last address that
    /// is not a trusted proxy; the addresses before it may be forged.
    ///
    /// If that address cannot be parsed, the client is [`Self::UNKNOWN`] and not the proxy that reported it, because otherwise all clients of
    /// that proxy would share one limit.
    pub(crate) fn of<B>(request: &Request<B>, trusted: Option<&Networks>) -> Self {
        let unspecified = Peer(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        let Peer(peer) = *request.extensions().get().unwrap_or(&unspecified);
        let mut client = peer.to_canonical();
        let Some(trusted) = trusted else { return Self(client) };
        let headers = request.headers().get_all(FORWARDED_FOR).iter();
        let lines: Vec<_> = headers.map(HeaderValue::as_bytes).collect();
        let mut hops = lines.iter().flat_map(|line| line.split(|byte| *byte == b',')).rev();
        while trusted.contain(client)
            && let Some(hop) = hops.next()
        {
            let Some(address) = address_of(hop) else {
                return Self::UNKNOWN;
            };
            client = address.to_canonical();
        }
        Self(client)
    }

    /// The networks of the client, for which calls are counted.
    #[must_use]
    pub fn network(self) -> ClientNetwork {
        ClientNetwork::of(self.0)
    }
}

/// Parses the address of a hop, with or without a port. An IPv6 address may be in brackets and have a zone. The hop may be in quotes.
fn address_of(hop: &[u8]) -> Option<IpAddr> {
    let hop = std::str::from_utf8(hop).ok()?.trim();
    let hop = hop
        .strip_prefix('"')
        .and_then(|hop| hop.strip_suffix('"'))
        .unwrap_or(hop);
    // The zone of a link-local address has a meaning only for the proxy.
    let zone = hop.find('%').map(|start| start..hop.find(']').unwrap_or(hop.len()));
    let without_zone = zone.map(|zone| [&hop[..zone.start], hop.get(zone.end..).unwrap_or_default()].concat());
    let hop = without_zone.as_deref().unwrap_or(hop);
    let with_port = || hop.parse().ok().map(|address: SocketAddr| address.ip());
    let in_brackets = || hop.strip_prefix('[')?.strip_suffix(']')?.parse().ok().map(IpAddr::V6);
    hop.parse().ok().or_else(with_port).or_else(in_brackets)
}

impl<S: Send + Sync> FromRequestParts<S> for ClientIp {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Error> {
        let client = parts.extensions.get().copied();
        client.ok_or_else(|| Error::internal("the request did not pass the gateway"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(peer: &str, forwarded: &[&str], trusted: &[&str]) -> String {
        let mut request = Request::new(());
        request.extensions_mut().insert(Peer(peer.parse().unwrap()));
        for value in forwarded {
            request.headers_mut().append(FORWARDED_FOR, value.parse().unwrap());
        }
        let trusted = Networks::parse(trusted.iter().copied()).ok();
        ClientIp::of(&request, trusted.as_ref()).0.to_string()
    }

    #[test]
    fn forwarded_header_needs_a_trusted_proxy() {
        assert_eq!(client("198.51.100.1", &["203.0.113.5"], &[]), "198.51.100.1");
        assert_eq!(
            client("198.51.100.1", &["203.0.113.5"], &["10.0.0.0/8"]),
            "198.51.100.1"
        );
        assert_eq!(client("10.0.0.1", &["203.0.113.5"], &["10.0.0.0/8"]), "203.0.113.5");
        assert_eq!(client("10.0.0.1", &[], &["10.0.0.0/8"]), "10.0.0.1");
        for trusted in ["10.0.0.0/8", "::ffff:10.0.0.1", "::ffff:10.0.0.0/104"] {
            for peer in ["10.0.0.1", "::ffff:10.0.0.1"] {
                assert_eq!(client(peer, &["::ffff:203.0.113.5"], &[trusted]), "203.0.113.5");
            }
        }
    }

    #[test]
    fn hop_with_port_or_invalid_bytes_is_handled() {
        let trusted = &["10.0.0.0/8"];
        for hop in [
            "203.0.113.5:4711",
            "203.0.113.5",
            "[::ffff:203.0.113.5]:80",
            "[::ffff:203.0.113.5]",
            "\"203.0.113.5\"",
            "\"[::ffff:203.0.113.5]:80\"",
            "::FFFF:203.0.113.5%eth0",
            "[::ffff:203.0.113.5%eth0]:80",
        ] {
            assert_eq!(client("10.0.0.1", &[hop], trusted), "203.0.113.5", "{hop}");
        }
        let mut request = Request::new(());
        request.extensions_mut().insert(Peer("10.0.0.1".parse().unwrap()));
        let line = HeaderValue::from_bytes(b"\xff, 203.0.113.5").unwrap();
        request.headers_mut().append(FORWARDED_FOR, line);
        let trusted = Networks::parse(["10.0.0.0/8"]).unwrap();
        assert_eq!(ClientIp::of(&request, Some(&trusted)).0.to_string(), "203.0.113.5");
    }

    #[test]
    fn forged_hops_are_ignored() {
        let trusted = &["10.0.0.0/8"];
        assert_eq!(
            client("10.0.0.1", &["1.1.1.1, 203.0.113.5, 10.0.0.2"], trusted),
            "203.0.113.5"
        );
        assert_eq!(client("10.0.0.1", &["1.1.1.1", "203.0.113.5"], trusted), "203.0.113.5");
        for unreadable in [
            "1.1.1.1, nonsense",
            "nonsense",
            "",
            "1.1.1.1,",
            "1.1.1.1, 203.0.113.05",
            "1.1.1.1, nonsense, 10.0.0.7",
        ] {
            assert_eq!(client("10.0.0.1", &[unreadable], trusted), "::", "{unreadable}");
        }
    }
}
