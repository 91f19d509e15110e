//! Mails: their texts in every language, and what delivers them.
//!
//! **What it is for.** From a row of the outbox to a message, and out: to a folder (the embedded default), to an SMTP server, or
//! to AWS SES. A crate of its own, because only those who deliver need it: `bespoke` and the function `maintenance`.
//!
//! **What it must not know.** Where a row comes from, when it is tried again, and the environment.
//!
//! **How to add one more.** A text: a case of `Template` in `bespoke-core`, and an entry in every file of `texts/`. A deliverer:
//! a module with a `Mailer`, and a case of `MailTransport`.

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

/// Shows a mail to a person at a terminal, and to no log.
pub type Announce = fn(&OutboxMail);

/// The mailer that the settings name. `announce` is called for each mail that went to a folder.
///
/// # Errors
/// [`MailError`] when the settings cannot be used.
pub fn mailer(settings: &MailSettings, announce: Option<Announce>) -> Result<Arc<dyn Mailer>, MailError> {
    let settings = settings.clone();
    Ok(match settings.transport.clone() {
        MailTransport::Folder(folder) => Arc::new(folder::FolderMailer::new(folder, settings, announce)),
        MailTransport::Smtp(url) => Arc::new(smtp::SmtpMailer::new(&url, settings)?),
        MailTransport::Ses(ses) => Arc::new(ses::SesMailer::new(ses, settings)),
    })
}
