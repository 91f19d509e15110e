//! Mails that wait in the outbox.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::Timestamp;
use crate::validate::Language;

/// Which text a mail has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
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
    /// When it was put there.
    pub created_at: Timestamp,
}
