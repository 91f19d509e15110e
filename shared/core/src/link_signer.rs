//! [`LinkSigner`]: signs links that give access to a path until they expire, without other credentials, and verifies them.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::{Key, Timestamp};

/// Signs and verifies paths. The signature is the HMAC-SHA256 of the path and the expiry, with a separate key.
#[derive(Clone)]
pub struct LinkSigner(Hmac<Sha256>);

impl LinkSigner {
    /// Creates a signer, whose key is derived from the key for tokens.
    pub fn new(token_key: &Key) -> Self {
        let key = token_key.derive("links");
        Self(Hmac::new_from_slice(key.as_bytes()).expect("HMAC accepts a key of any length"))
    }

    /// Appends a query to the path that gives access until `end`, with a precision of seconds.
    pub fn sign(&self, path: &str, end: Timestamp) -> String {
        let expires = end.as_seconds();
        let signature = URL_SAFE_NO_PAD.encode(self.mac(path, expires).finalize().into_bytes());
        format!("{path}?expires={expires}&signature={signature}")
    }

    /// Whether the query gives access to the path now. `expires` is in seconds since the Unix epoch. Compares in constant time.
    pub fn verify(&self, path: &str, expires: i64, signature: &str, now: Timestamp) -> bool {
        let is_signed = URL_SAFE_NO_PAD
            .decode(signature)
            .is_ok_and(|signature| self.mac(path, expires).verify_slice(&signature).is_ok());
        is_signed && now.as_seconds() < expires
    }

    fn mac(&self, path: &str, expires: i64) -> Hmac<Sha256> {
        let mut mac = self.0.clone();
        mac.update(&expires.to_be_bytes());
        mac.update(path.as_bytes());
        mac
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::KEY_BYTES;

    const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

    fn signer(key: u8) -> LinkSigner {
        LinkSigner::new(&Key::from_bytes([key; KEY_BYTES]))
    }

    #[test]
    fn link_opens_only_its_path_until_it_expires() {
        let end = NOW.plus_ms(1_000);
        let link = signer(1).sign("/exports/a", end);
        let (path, query) = link.split_once("?expires=").unwrap();
        let (expires, signature) = query.split_once("&signature=").unwrap();
        let expires = expires.parse().unwrap();
        assert!(signer(1).verify(path, expires, signature, NOW));
        assert!(!signer(1).verify(path, expires, signature, end));
        assert!(!signer(1).verify("/exports/b", expires, signature, NOW));
        assert!(!signer(1).verify(path, expires + 1, signature, NOW));
        assert!(!signer(2).verify(path, expires, signature, NOW));
        for other in ["", "x", "!", &signature[1..], &format!("{signature}A")] {
            assert!(!signer(1).verify(path, expires, other, NOW), "{other}");
        }
    }
}
