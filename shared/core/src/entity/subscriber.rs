//! Who gets the newsletter.

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
