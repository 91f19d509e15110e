//! Mails: their texts in every language, and their delivery.
//!
//! **Purpose.** Composes messages from rows of the outbox, and delivers them to a folder (the embedded default), to an
//! SMTP server, or to AWS SES. It is a separate crate, because only `bespoke` and the function `maintenance` deliver
//! mails.
//!
//! **Does not depend on** the outbox, its schedule of retries, and the environment.
//!
//! **To add a text,** add a variant of `Template` in `bespoke-core`, and an entry in every file of `texts/`. **To add
//! a transport,** write a module with a `Mailer`, and add a variant of `MailTransport`.

mod compose;
mod folder;
mod ses;
mod smtp;
#[cfg(test)]
mod tests;
mod text;

use std::sync::Arc;

use bespoke_core::entity::mail::OutboxMail;
use bespoke_services::mail::{MailError, MailSettings, MailTransport, Mailer};

pub use compose::compose;

/// Shows a mail to a person at a terminal. It must not log the mail.
pub type Announce = fn(&OutboxMail);

/// Creates the mailer of the settings. `announce` is called for each mail that was written to a folder.
///
/// # Errors
/// [`MailError`] when the settings are invalid.
pub fn mailer(settings: &MailSettings, announce: Option<Announce>) -> Result<Arc<dyn Mailer>, MailError> {
    let settings = settings.clone();
    Ok(match settings.transport.clone() {
        MailTransport::Folder(folder) => Arc::new(folder::FolderMailer::new(folder, settings, announce)),
        MailTransport::Smtp(url) => Arc::new(smtp::SmtpMailer::new(&url, settings)?),
        MailTransport::Ses(ses) => Arc::new(ses::SesMailer::new(ses, settings)),
    })
}
