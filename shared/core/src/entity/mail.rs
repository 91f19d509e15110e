//! Mails that wait in the outbox.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::Timestamp;
use crate::validate::Language;

/// Which text a mail has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Template {
    /// Confirm a new account.
    Signup,
    /// Somebody signed up with an address that has an account: sign in instead.
    SignupAea,
    /// Somebody signed up with an address whose account is disabled.
    SignupAed,
    /// The address is told that the password was changed.
    PasswordChanged,
    /// Sign in by a link.
    #[serde(rename = "signinlink")]
    SigninLink,
    /// Confirm a new address.
    #[serde(rename = "emailchange")]
    EmailChange,
    /// The address that an account has is told that another was asked for.
    EmailChangeAsked,
    /// The address that an account had is told that it has another now.
    EmailChanged,
    /// Nobody can sign in with the password for a while: too many tried.
    SigninLocked,
    /// Confirm a new subscription to the newsletter.
    Nlsub,
    /// Confirm a subscription that was asked for before.
    Nlsubinact,
    /// Somebody subscribed with an address that is subscribed: unsubscribe here.
    Nlsubact,
    /// Somebody asked to be unsubscribed: confirm it.
    Nlunsub,
    /// An invitation to the team of translators.
    Transinvite,
    /// Somebody suggests a language, to the maintainer.
    Langsuggest,
    /// An account was removed, to the address that it had.
    Goodbye,
    /// Set another password.
    #[serde(rename = "passwordreset")]
    PasswordReset,
}

impl Template {
    /// All of them.
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

    /// Whether it is about the newsletter, and not about an account.
    pub const fn is_newsletter(self) -> bool {
        matches!(self, Self::Nlsub | Self::Nlsubinact | Self::Nlsubact | Self::Nlunsub)
    }
}

/// A mail that waits, decrypted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboxMail {
    /// UUID; names the delivered file, so that a second delivery does not make a second mail.
    pub uuid: Uuid,
    /// Which text.
    pub template: Template,
    /// The address.
    pub to: String,
    /// Language of the text.
    pub language: Language,
    /// The link that it is about, where there is one.
    pub action_url: Option<String>,
    /// Where one click ends the newsletter (RFC 8058), in its mails.
    pub unsubscribe_url: Option<String>,
    /// What somebody wrote that the mail passes on.
    pub details: Option<String>,
    /// When it was put there.
    pub created_at: Timestamp,
}

/// How often a mail is tried.
pub const MAX_TRIES: u32 = 10;
/// How long whoever has taken a mail out of the outbox may take to send it, in milliseconds. Nobody else tries it meanwhile.
pub const LEASE_MS: i64 = 10 * MINUTE_MS;

const MINUTE_MS: i64 = 60 * 1000;
/// The longest wait between two tries, in milliseconds.
const MAX_WAIT_MS: i64 = 4 * 60 * MINUTE_MS;

/// How long a mail rests that was tried so many times in vain, in milliseconds: twice as long each time. `None` when it is given
/// up.
pub fn wait_after_ms(tries: u32) -> Option<i64> {
    let doubled = MINUTE_MS << tries.saturating_sub(1).min(16);
    (tries < MAX_TRIES).then(|| doubled.min(MAX_WAIT_MS))
}

/// What an administrator sees of a mail that has not gone: not its links, for they sign in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaitingMail {
    /// Integer id.
    pub id: i64,
    /// UUID.
    pub uuid: Uuid,
    /// Which text.
    pub template: Template,
    /// The address.
    pub to: String,
    /// Language of the text.
    pub language: Language,
    /// When it was put there.
    pub created_at: Timestamp,
    /// How often it was tried.
    pub tries: u32,
    /// When it is tried next; `None` when it was given up.
    pub due_at: Option<Timestamp>,
    /// Why the last try failed.
    pub problem: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mail_rests_longer_each_time_until_it_is_given_up() {
        let waits: Vec<_> = (1..=MAX_TRIES)
            .map(|tries| wait_after_ms(tries).map(|ms| ms / MINUTE_MS))
            .collect();
        let minutes = [1, 2, 4, 8, 16, 32, 64, 128, 240].map(Some);
        assert_eq!(waits[..9], minutes);
        assert_eq!(waits[9], None);
        assert_eq!(wait_after_ms(u32::MAX), None);
    }
}
