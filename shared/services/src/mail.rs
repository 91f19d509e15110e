//! [`Mailer`]: the interface for mail, and its settings. The implementations have large dependencies, so they are in a separate crate
//! (`bespoke-mail`), which only the processes that deliver mails use.

use std::path::PathBuf;

use async_trait::async_trait;
use aws_credential_types::provider::SharedCredentialsProvider;
use bespoke_core::Timestamp;
use bespoke_core::entity::mail::OutboxMail;
use lettre::message::{Mailbox, Mailboxes};

/// Settings of the appearance and the delivery of mails.
#[derive(Debug, Clone)]
pub struct MailSettings {
    /// The sender.
    pub from: Mailbox,
    /// The addresses for replies; if empty, replies go to the sender.
    pub reply_to: Mailboxes,
    /// Name of the service, as readers know it.
    pub service: String,
    /// URL of the website without a slash at its end. Without it, mails contain no links to the website.
    pub website: Option<String>,
    /// Postal address of the operator.
    pub postal_address: Option<String>,
    /// Transport.
    pub transport: MailTransport,
}

/// The transport of mails.
#[derive(Clone)]
pub enum MailTransport {
    /// A folder: each mail becomes a file.
    Folder(PathBuf),
    /// An SMTP server, as `smtp://` or `smtps://` URL with user and password.
    Smtp(String),
    /// AWS SES.
    Ses(SesSettings),
}

/// Access to AWS SES.
#[derive(Clone, Default)]
pub struct SesSettings {
    /// Region.
    pub region: String,
    /// URL of a server that stands in for AWS.
    pub endpoint: Option<String>,
    /// Name of a configuration set.
    pub configuration_set: Option<String>,
    /// The address for complaints and bounces.
    pub feedback: Option<String>,
    /// Credentials.
    pub access: Option<SharedCredentialsProvider>,
}

impl std::fmt::Debug for MailTransport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Folder(folder) => write!(f, "folder {}", folder.display()),
            // The URL is not shown, because it contains a password.
            Self::Smtp(_) => f.write_str("SMTP"),
            Self::Ses(settings) => write!(f, "AWS SES in {}", settings.region),
        }
    }
}

/// A mail that could not be delivered. Its text goes to the log and to administrators, so it names no address.
#[derive(Debug, thiserror::Error)]
pub enum MailError {
    /// Permanent failure: the address is invalid, or the mail was rejected for good.
    #[error("refused: {0}")]
    Refused(String),
    /// Temporary failure.
    #[error("failed: {0}")]
    Failed(String),
}

/// Delivers mails. If possible, delivering the same mail again does not send a second one.
#[async_trait]
pub trait Mailer: Send + Sync {
    /// Delivers one mail. `now` is the signing time of a call to a service.
    ///
    /// # Errors
    /// [`MailError`]. As far as known, the mail was not sent then.
    async fn deliver(&self, mail: &OutboxMail, now: Timestamp) -> Result<(), MailError>;

    /// Returns whether the delivery is local and fast, so that a request can wait for it.
    fn is_local(&self) -> bool {
        false
    }
}
