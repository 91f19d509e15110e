//! [`Subscriber`]: a subscriber of the newsletter.

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use uuid::Uuid;

use crate::Timestamp;
use crate::validate::Language;

/// A subscriber, decrypted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscriber {
    /// UUID, which is part of the links in mails. Only the recipient knows it.
    pub uuid: Uuid,
    /// The normalized address.
    pub email: String,
    /// Keyed hash of the address, hexadecimal. It is the check of the links.
    pub ehash: String,
    /// Language of the newsletter.
    pub language: Language,
    /// Whether the subscription was confirmed.
    pub active: bool,
    /// Time of the request.
    pub created_at: Timestamp,
}

impl Subscriber {
    /// Whether `check` is valid in a link with the UUID of this subscriber: the keyed hash, or the SHA-256 of the address as in links of the
    /// original backend, which stay valid.
    pub fn check_matches(&self, check: &str) -> bool {
        let check = check.to_ascii_lowercase();
        let unkeyed: String = Sha256::digest(self.email.as_bytes())
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let matches = |right: &str| bool::from(right.as_bytes().ct_eq(check.as_bytes()));
        matches(&self.ehash) || matches(&unkeyed)
    }
}
