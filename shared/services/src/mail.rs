//! Mail: who takes it, and how it is set up. What delivers it is heavy, and so a crate of its own (`bespoke-mail`), for those
//! alone who deliver.

use std::path::PathBuf;

use async_trait::async_trait;
use aws_credential_types::provider::SharedCredentialsProvider;
use bespoke_core::Timestamp;
use bespoke_core::entity::mail::OutboxMail;
use lettre::message::{Mailbox, Mailboxes};

/// How the mails of an installation look, and where they go.
#[derive(Debug, Clone)]
pub struct MailSettings {
    /// Who they are from.
    pub from: Mailbox,
    /// Where answers go; without any, to whom they are from.
    pub reply_to: Mailboxes,
    /// Name of the service, as readers know it.
    pub service: String,
    /// Where the website is, without a slash at its end; without one mails lead to none.
    pub website: Option<String>,
    /// Where whoever runs the service gets letters.
    pub postal_address: Option<String>,
    /// Who takes them.
    pub transport: MailTransport,
}

/// Who takes the mails.
#[derive(Clone)]
pub enum MailTransport {
    /// A folder: each mail becomes a file.
    Folder(PathBuf),
    /// An SMTP server, as `smtp://` or `smtps://` URL with user and password.
    Smtp(String),
    /// AWS SES.
    Ses(SesSettings),
}

/// How AWS SES is reached.
#[derive(Clone, Default)]
pub struct SesSettings {
    /// Region.
    pub region: String,
    /// URL of a server that is not AWS.
    pub endpoint: Option<String>,
    /// Name of a configuration set.
    pub configuration_set: Option<String>,
    /// Where complaints and bounces go.
    pub feedback: Option<String>,
    /// Who asks.
    pub access: Option<SharedCredentialsProvider>,
}

impl std::fmt::Debug for MailTransport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Folder(folder) => write!(f, "folder {}", folder.display()),
            // The URL has a password.
            Self::Smtp(_) => f.write_str("SMTP"),
            Self::Ses(settings) => write!(f, "AWS SES in {}", settings.region),
        }
    }
}

/// A mail that could not be delivered. Its text goes to the log and to administrators, so it names no address.
#[derive(Debug, thiserror::Error)]
pub enum MailError {
    /// Trying again does not help: nobody can have the address, or it is refused for good.
    #[error("refused: {0}")]
    Refused(String),
    /// The deliverer failed, or asks to try again.
    #[error("failed: {0}")]
    Failed(String),
}

/// Delivers mails. Delivering the same mail again must not make a second one where that can be avoided.
#[async_trait]
pub trait Mailer: Send + Sync {
    /// Delivers one mail. `now` is the time at which a call to a service is signed.
    ///
    /// # Errors
    /// [`MailError`]; the mail has then not been sent, as far as can be known.
    async fn deliver(&self, mail: &OutboxMail, now: Timestamp) -> Result<(), MailError>;

    /// Whether delivery is at hand, so that a request can wait for it.
    fn is_local(&self) -> bool {
        false
    }
}
