//! Where a call comes from.

use std::net::{IpAddr, Ipv4Addr};

use axum::extract::FromRequestParts;
use bespoke_core::{ClientNetwork, Networks};
use http::Request;
use http::request::Parts;

use crate::Error;

/// The address at the other end of the connection, as the host saw it: under `bespoke serve` that of the peer, on Lambda the
/// one that the gateway saw. The host puts it among the request's extensions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer(pub IpAddr);

/// Where the call comes from, behind the proxies that are trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientIp(pub IpAddr);

const FORWARDED_FOR: &str = "x-forwarded-for";

impl ClientIp {
    /// Of a request. Each proxy adds at the end of `X-Forwarded-For` whom it saw; so, going from the end, the first that is
    /// no trusted proxy is the client. What stands before it can be written by anybody.
    pub(crate) fn of<B>(request: &Request<B>, trusted: Option<&Networks>) -> Self {
        let unspecified = Peer(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        let Peer(peer) = *request.extensions().get().unwrap_or(&unspecified);
        let mut client = peer.to_canonical();
        let Some(trusted) = trusted else { return Self(client) };
        let headers = request.headers().get_all(FORWARDED_FOR).iter();
        let texts: Vec<_> = headers.filter_map(|value| value.to_str().ok()).collect();
        let mut hops = texts.iter().flat_map(|text| text.split(',')).rev();
        while trusted.contain(client)
            && let Some(hop) = hops.next()
        {
            let Ok(address) = hop.trim().parse::<IpAddr>() else {
                break;
            };
            client = address.to_canonical();
        }
        Self(client)
    }

    /// The networks under which calls are counted.
    #[must_use]
    pub fn network(self) -> ClientNetwork {
        ClientNetwork::of(self.0)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for ClientIp {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Error> {
        let client = parts.extensions.get().copied();
        client.ok_or_else(|| Error::internal("a request that did not come through the gateway"))
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
    fn a_header_counts_only_from_a_trusted_proxy() {
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
    fn what_a_client_writes_itself_counts_for_nothing() {
        let trusted = &["10.0.0.0/8"];
        assert_eq!(
            client("10.0.0.1", &["1.1.1.1, 203.0.113.5, 10.0.0.2"], trusted),
            "203.0.113.5"
        );
        assert_eq!(client("10.0.0.1", &["1.1.1.1", "203.0.113.5"], trusted), "203.0.113.5");
        assert_eq!(client("10.0.0.1", &["1.1.1.1, nonsense"], trusted), "10.0.0.1");
        assert_eq!(
            client("10.0.0.1", &["1.1.1.1, nonsense, 10.0.0.7"], trusted),
            "10.0.0.7"
        );
    }
}
