//! Signed links: a path of ours that anybody may open until a moment, without other credentials.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::{Key, Timestamp};

/// Signs paths and verifies them: HMAC-SHA256 over the path and the end, under a key of its own.
#[derive(Clone)]
pub struct LinkSigner(Hmac<Sha256>);

impl LinkSigner {
    /// A signer whose key is derived from the one for tokens.
    pub fn new(token_key: &Key) -> Self {
        let key = token_key.derive("links");
        Self(Hmac::new_from_slice(key.as_bytes()).expect("HMAC takes a key of any length"))
    }

    /// The path with a query that opens it until `end`, to the second.
    pub fn sign(&self, path: &str, end: Timestamp) -> String {
        let expires = end.as_seconds();
        let signature = URL_SAFE_NO_PAD.encode(self.mac(path, expires).finalize().into_bytes());
        format!("{path}?expires={expires}&signature={signature}")
    }

    /// Whether that query opens the path now. `expires` is in seconds since the Unix epoch. Takes the same time
    /// wherever a wrong signature differs.
    pub fn verify(&self, path: &str, expires: i64, signature: &str, now: Timestamp) -> bool {
        let right = URL_SAFE_NO_PAD
            .decode(signature)
            .is_ok_and(|signature| self.mac(path, expires).verify_slice(&signature).is_ok());
        right && now.as_seconds() < expires
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
    fn a_link_opens_its_path_until_its_end_and_nothing_else() {
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
