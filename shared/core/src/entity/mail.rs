//! Mails in the outbox: [`Template`] names the text, [`OutboxMail`] is a mail to queue, and [`PendingMail`] one to deliver.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::Timestamp;
use crate::validate::Language;

/// The text template of a mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Template {
    /// Confirm a new account.
    Signup,
    /// A sign-up with the address of an existing account: offers to sign in.
    SignupAea,
    /// A sign-up with the address of a disabled account.
    SignupAed,
    /// The password was changed.
    PasswordChanged,
    /// Sign in with a link.
    #[serde(rename = "signinlink")]
    SigninLink,
    /// Confirm a new address.
    #[serde(rename = "emailchange")]
    EmailChange,
    /// A change of the address was requested; to the present address.
    EmailChangeAsked,
    /// The address was changed; to the previous address.
    EmailChanged,
    /// Sign-in with the password is locked after too many attempts.
    SigninLocked,
    /// Confirm a new subscription to the newsletter.
    Nlsub,
    /// Confirm a subscription that was requested before.
    Nlsubinact,
    /// A subscription with an address that is already subscribed: offers to unsubscribe.
    Nlsubact,
    /// Confirm the end of a subscription.
    Nlunsub,
    /// An invitation to the team of translators.
    Transinvite,
    /// A user suggests a language; to the maintainer.
    Langsuggest,
    /// An account was deleted; to its address.
    Goodbye,
    /// Set a new password.
    #[serde(rename = "passwordreset")]
    PasswordReset,
}

impl Template {
    /// All templates.
    pub const ALL: [Self; 17] = [
        Self::Signup,
        Self::SignupAea,
        Self::SignupAed,
        Self::PasswordChanged,
        Self::SigninLink,
        Self::EmailChange,
        Self::EmailChangeAsked,
        Self::EmailChanged,
        Self::SigninLocked,
        Self::Nlsub,
        Self::Nlsubinact,
        Self::Nlsubact,
        Self::Nlunsub,
        Self::Transinvite,
        Self::Langsuggest,
        Self::Goodbye,
        Self::PasswordReset,
    ];

    /// Whether the mail may contain the code of a confirmation.
    pub const fn has_code(self) -> bool {
        matches!(self, Self::Signup | Self::SignupAea | Self::SigninLink)
    }

    /// Whether the mail concerns the newsletter and not an account.
    pub const fn is_newsletter(self) -> bool {
        matches!(self, Self::Nlsub | Self::Nlsubinact | Self::Nlsubact | Self::Nlunsub)
    }
}

/// A mail in the outbox, decrypted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboxMail {
    /// UUID. It is the name of a delivered file, so that a second delivery does not create a second file.
    pub uuid: Uuid,
    /// The template.
    pub template: Template,
    /// The recipient.
    pub to: String,
    /// Language of the text.
    pub language: Language,
    /// The link of the mail, if it has one.
    pub action_url: Option<String>,
    /// The one-click unsubscribe URL (RFC 8058) of a newsletter mail.
    pub unsubscribe_url: Option<String>,
    /// Text of a user that the mail contains, or the code of a confirmation.
    pub details: Option<String>,
    /// Time at which the mail was queued.
    pub created_at: Timestamp,
}

/// The maximum number of delivery attempts for a mail.
pub const MAX_TRIES: u32 = 10;
/// How long a process may take to send a mail that it has claimed, in milliseconds. No other process sends the mail in this time.
pub const LEASE_MS: i64 = 10 * MINUTE_MS;

const MINUTE_MS: i64 = 60 * 1000;
/// Maximum wait between two attempts, in milliseconds.
const MAX_WAIT_MS: i64 = 4 * 60 * MINUTE_MS;

/// Returns the wait after `tries` failed attempts, in milliseconds. The wait doubles with each attempt. `None` if the mail is given up.
pub fn wait_after_ms(tries: u32) -> Option<i64> {
    let doubled = MINUTE_MS << tries.saturating_sub(1).min(16);
    (tries < MAX_TRIES).then(|| doubled.min(MAX_WAIT_MS))
}

/// An undelivered mail as administrators see it. It does not contain the links, because they can sign in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingMail {
    /// Integer id.
    pub id: i64,
    /// UUID.
    pub uuid: Uuid,
    /// The template.
    pub template: Template,
    /// The recipient.
    pub to: String,
    /// Language of the text.
    pub language: Language,
    /// Time at which the mail was queued.
    pub created_at: Timestamp,
    /// Number of delivery attempts.
    pub tries: u32,
    /// Time of the next attempt; `None` if the mail was given up.
    pub due_at: Option<Timestamp>,
    /// The reason why the last attempt failed.
    pub problem: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wait_doubles_until_the_mail_is_given_up() {
        let waits: Vec<_> = (1..=MAX_TRIES)
            .map(|tries| wait_after_ms(tries).map(|ms| ms / MINUTE_MS))
            .collect();
        let minutes = [1, 2, 4, 8, 16, 32, 64, 128, 240].map(Some);
        assert_eq!(waits[..9], minutes);
        assert_eq!(waits[9], None);
        assert_eq!(wait_after_ms(u32::MAX), None);
    }
}
