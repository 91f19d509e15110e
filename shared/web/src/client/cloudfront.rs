//! [`OriginSecret`]: verifies that a request came through CloudFront, and reads the address of the client from CloudFront's header.
//!
//! CloudFront adds a secret header to each request that it forwards, and replaces a header of the same name that a client sends.
//! `CloudFront-Viewer-Address` is trusted only together with the secret, because a client could forge it. A request without the secret is
//! rejected, because it has bypassed CloudFront and its limits.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use http::HeaderMap;
use subtle::ConstantTimeEq;

use super::address::ClientIp;
use crate::response::Error;

const SECRET: &str = "x-origin-secret";
const VIEWER_ADDRESS: &str = "cloudfront-viewer-address";
/// Minimum length of the secret, in bytes.
const SECRET_MIN_BYTES: usize = 32;

/// The secret that CloudFront adds to each request.
#[derive(Clone)]
pub struct OriginSecret(String);

impl FromStr for OriginSecret {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.len() < SECRET_MIN_BYTES {
            return Err(format!("must have at least {SECRET_MIN_BYTES} bytes"));
        }
        // It is the value of a header, which CloudFront and `bespoke health` send.
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(
                "must consist of letters, digits and signs of ASCII, without blanks and line breaks".to_owned(),
            );
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Debug for OriginSecret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("OriginSecret")
    }
}

impl OriginSecret {
    /// The name and the value of the header with the secret.
    pub fn header(&self) -> (&'static str, &str) {
        (SECRET, &self.0)
    }

    /// Returns the client of a request, and removes the secret from its headers.
    ///
    /// # Errors
    /// 403 `originForbidden` if the secret is missing or wrong.
    pub(crate) fn client_of(&self, headers: &mut HeaderMap) -> Result<ClientIp, Error> {
        let given = headers.remove(SECRET);
        let is_right = given.is_some_and(|given| given.as_bytes().ct_eq(self.0.as_bytes()).into());
        if !is_right {
            return Err(Error::forbidden("originForbidden"));
        }
        let address = headers.get(VIEWER_ADDRESS).and_then(|value| value.to_str().ok());
        Ok(address.and_then(address_of).map_or(ClientIp::UNKNOWN, ClientIp))
    }
}

/// Parses the address of a viewer. CloudFront appends a port and writes IPv6 addresses without brackets.
fn address_of(viewer: &str) -> Option<IpAddr> {
    let (address, port) = viewer.rsplit_once(':')?;
    port.parse::<u16>().ok()?;
    let address = address
        .strip_prefix('[')
        .and_then(|address| address.strip_suffix(']'))
        .unwrap_or(address);
    address.parse().ok().map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: &str = "0123456789abcdef0123456789abcdef";

    fn client(headers: &[(&'static str, &str)]) -> Option<String> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().unwrap());
        }
        let secret: OriginSecret = OURS.parse().unwrap();
        let client = secret.client_of(&mut map);
        assert!(map.get(SECRET).is_none());
        client.ok().map(|client| client.0.to_string())
    }

    #[test]
    fn viewer_address_needs_the_secret() {
        let viewer = (VIEWER_ADDRESS, "198.51.100.10:46532");
        assert_eq!(client(&[(SECRET, OURS), viewer]).as_deref(), Some("198.51.100.10"));
        assert_eq!(client(&[viewer]), None);
        assert_eq!(client(&[(SECRET, "0123456789abcdef0123456789abcdeF"), viewer]), None);
        assert_eq!(client(&[(SECRET, ""), viewer]), None);
    }

    #[test]
    fn viewer_address_is_parsed_in_each_form() {
        for (sent, address) in [
            ("2001:db8::a:46532", "2001:db8::a"),
            ("[2001:db8::a]:46532", "2001:db8::a"),
            ("::ffff:198.51.100.10:46532", "198.51.100.10"),
            ("198.51.100.10", "::"),
            ("203.0.113.5:1, 198.51.100.10:2", "::"),
            ("nonsense:1", "::"),
        ] {
            let client = client(&[(SECRET, OURS), (VIEWER_ADDRESS, sent)]);
            assert_eq!(client.as_deref(), Some(address), "{sent}");
        }
        assert_eq!(client(&[(SECRET, OURS)]).as_deref(), Some("::"));
    }

    #[test]
    fn short_secret_is_rejected_and_debug_hides_it() {
        assert!("short".parse::<OriginSecret>().is_err());
        assert!(!format!("{:?}", OURS.parse::<OriginSecret>().unwrap()).contains(OURS));
    }
}
