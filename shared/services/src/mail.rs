//! Mail: from a row of the outbox to a message, and out.

mod folder;
mod text;

use async_trait::async_trait;
use bespoke_core::entity::mail::OutboxMail;
use lettre::message::header::{ContentTransferEncoding, ContentType, HeaderName, HeaderValue};
use lettre::message::{Body, Mailbox, Message};

pub use folder::FolderMailer;

/// What all mails of an installation have in common.
#[derive(Debug, Clone)]
pub struct MailSettings {
    /// Who they are from.
    pub from: Mailbox,
    /// Name of the service, as readers know it.
    pub service: String,
}

/// A mail that could not be delivered.
#[derive(Debug, thiserror::Error)]
pub enum MailError {
    /// The address is none that mail can be sent to: trying again does not help.
    #[error("the recipient's address is not valid")]
    Address,
    /// The deliverer failed.
    #[error("the mail could not be delivered: {0}")]
    Delivery(#[from] std::io::Error),
}

/// Delivers mails. Delivering the same mail again must not make a second one where that can be avoided.
#[async_trait]
pub trait Mailer: Send + Sync {
    /// Delivers one mail.
    ///
    /// # Errors
    /// [`MailError`]; the mail has then not been sent, as far as can be known.
    async fn deliver(&self, mail: &OutboxMail) -> Result<(), MailError>;
}

/// Makes the message of a mail, ready to be sent.
///
/// # Errors
/// [`MailError::Address`] when the recipient's address is not valid.
pub fn compose(mail: &OutboxMail, settings: &MailSettings) -> Result<Message, MailError> {
    let to = mail.to.parse().map_err(|_| MailError::Address)?;
    let text = text::render(mail, &settings.service);
    let sent_at = std::time::UNIX_EPOCH
        + std::time::Duration::from_millis(u64::try_from(mail.created_at.as_millis()).unwrap_or_default());
    let mut message = Message::builder();
    if let Some(url) = &mail.unsubscribe_url {
        message = message
            .raw_header(header("List-Unsubscribe", format!("<{url}>")))
            .raw_header(header("List-Unsubscribe-Post", "List-Unsubscribe=One-Click".to_owned()));
    }
    message
        .message_id(Some(format!("<{}@{}>", mail.uuid, settings.from.email.domain())))
        .date(sent_at)
        .from(settings.from.clone())
        .to(Mailbox::new(None, to))
        .subject(text.subject)
        .header(ContentType::TEXT_PLAIN)
        .body(readable(text.body))
        .map_err(|_| MailError::Address)
}

fn header(name: &'static str, value: String) -> HeaderValue {
    HeaderValue::new(HeaderName::new_from_ascii_str(name), value)
}

/// The longest line that mail may carry unencoded, in bytes (RFC 5322 section 2.1.1).
const MAX_LINE_BYTES: usize = 998;

/// The body as it is where that is allowed, so that a link can be copied out of the file; otherwise encoded. (The
/// library alone would encode as soon as a line is longer than 78 bytes, and links are.)
fn readable(text: String) -> Body {
    if text.is_ascii() && text.lines().all(|line| line.len() <= MAX_LINE_BYTES) {
        Body::dangerous_pre_encoded(
            text.replace('\n', "\r\n").into_bytes(),
            ContentTransferEncoding::SevenBit,
        )
    } else {
        Body::new(text)
    }
}
