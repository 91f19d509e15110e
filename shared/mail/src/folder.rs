//! The embedded default: each mail becomes a file that any mail program opens.

use std::io::Write;
use std::path::PathBuf;

use async_trait::async_trait;
use bespoke_core::Timestamp;
use bespoke_core::entity::mail::OutboxMail;
use bespoke_services::mail::{MailError, MailSettings, Mailer};

use crate::{Announce, compose};

/// Writes each mail to a folder as `<uuid>.eml`, and hands its link to whoever sits at the terminal.
pub(crate) struct FolderMailer {
    folder: PathBuf,
    settings: MailSettings,
    announce: Option<Announce>,
}

impl FolderMailer {
    /// A mailer into that folder, which is made when the first mail comes. `announce` is called for each mail that
    /// was delivered; it may show the link to a person, and must not write it to a log.
    pub(crate) fn new(folder: PathBuf, settings: MailSettings, announce: Option<Announce>) -> Self {
        Self {
            folder,
            settings,
            announce,
        }
    }
}

#[async_trait]
impl Mailer for FolderMailer {
    async fn deliver(&self, mail: &OutboxMail, _: Timestamp) -> Result<(), MailError> {
        let message = compose(mail, &self.settings)?.formatted();
        let path = self.folder.join(format!("{}.eml", mail.uuid));
        tokio::fs::create_dir_all(&self.folder).await.map_err(failed)?;
        // Aside first, under a name of its own: two processes may deliver the same mail at once.
        let folder = self.folder.clone();
        let write = move || {
            let mut partial = tempfile::NamedTempFile::new_in(folder)?;
            partial.write_all(&message)?;
            partial.persist(path).map_err(|error| error.error)
        };
        tokio::task::spawn_blocking(write)
            .await
            .map_err(std::io::Error::other)
            .flatten()
            .map_err(failed)?;
        if let Some(announce) = self.announce {
            announce(mail);
        }
        Ok(())
    }

    fn is_local(&self) -> bool {
        true
    }
}

fn failed(error: std::io::Error) -> MailError {
    MailError::Failed(format!("the folder cannot be written: {error}"))
}
