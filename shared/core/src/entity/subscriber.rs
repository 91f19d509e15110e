//! Who gets the newsletter.

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use uuid::Uuid;

use crate::Timestamp;
use crate::validate::Language;

/// A subscriber, decrypted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscriber {
    /// UUID: stands in the links of mails, and is known to who gets them alone.
    pub uuid: Uuid,
    /// The address, cleaned.
    pub email: String,
    /// Keyed hash of the address, hexadecimal: the check of those links.
    pub ehash: String,
    /// Language of the newsletter.
    pub language: Language,
    /// Whether the subscription was confirmed.
    pub active: bool,
    /// When it was asked for.
    pub created_at: Timestamp,
}

impl Subscriber {
    /// Whether that is the check of a link in a mail to this subscriber, whose UUID is known: the keyed hash, or the bare
    /// SHA-256 of the address in the links of the original.
    pub fn check_matches(&self, check: &str) -> bool {
        let check = check.to_ascii_lowercase();
        let bare: String = Sha256::digest(self.email.as_bytes())
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let same = |right: &str| bool::from(right.as_bytes().ct_eq(check.as_bytes()));
        same(&self.ehash) || same(&bare)
    }
}
