//! [`compose`]: composes a message from a mail of the outbox.

use std::time::{Duration, UNIX_EPOCH};

use bespoke_core::entity::mail::OutboxMail;
use bespoke_core::validate::clean_email;
use bespoke_services::mail::{MailError, MailSettings};
use lettre::message::header::{ContentTransferEncoding, ContentType, HeaderName, HeaderValue};
use lettre::message::{Body, Mailbox, Message, MultiPart, SinglePart};

use crate::text;

/// Composes the message of a mail, as text and as HTML with the same content.
///
/// # Errors
/// [`MailError::Refused`] when the recipient's address is invalid.
pub fn compose(mail: &OutboxMail, settings: &MailSettings) -> Result<Message, MailError> {
    // Mails that earlier versions queued may have the domain in Unicode, which many servers reject.
    let to = clean_email(&mail.to)
        .parse()
        .map_err(|_| MailError::Refused("this address is invalid".to_owned()))?;
    let rendered = text::render(mail, settings);
    let sent_at = UNIX_EPOCH + Duration::from_millis(mail.created_at.as_millis().try_into().unwrap_or_default());
    let mut message = Message::builder();
    if let Some(url) = &mail.unsubscribe_url {
        message = message
            .raw_header(header("List-Unsubscribe", format!("<{url}>")))
            .raw_header(header("List-Unsubscribe-Post", "List-Unsubscribe=One-Click".to_owned()));
    }
    for address in settings.reply_to.iter() {
        message = message.reply_to(address.clone());
    }
    let parts = MultiPart::alternative()
        .singlepart(part(ContentType::TEXT_PLAIN, rendered.text))
        .singlepart(part(ContentType::TEXT_HTML, rendered.html));
    message
        .message_id(Some(format!("<{}@{}>", mail.uuid, settings.from.email.domain())))
        .date(sent_at)
        .from(settings.from.clone())
        .to(Mailbox::new(None, to))
        .subject(rendered.subject)
        .raw_header(header("Content-Language", mail.language.code().to_owned()))
        .raw_header(header("Auto-Submitted", "auto-generated".to_owned()))
        .multipart(parts)
        .map_err(|error| MailError::Refused(error.to_string()))
}

fn header(name: &'static str, value: String) -> HeaderValue {
    HeaderValue::new(HeaderName::new_from_ascii_str(name), value)
}

fn part(content_type: ContentType, text: String) -> SinglePart {
    SinglePart::builder().header(content_type).body(readable(text))
}

/// Maximum length of a line of a message without encoding, in bytes (RFC 5322 section 2.1.1).
const MAX_LINE_BYTES: usize = 998;

/// Returns the text unencoded if all lines are short enough, so that a link can be copied out of the file. (By
/// default, the library encodes texts with lines longer than 78 bytes, and links are longer.)
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
