//! [`FolderMailer`]: the embedded default, which writes each mail to a file that any mail program opens.

use std::io::Write;
use std::path::PathBuf;

use async_trait::async_trait;
use bespoke_core::Timestamp;
use bespoke_core::entity::mail::OutboxMail;
use bespoke_services::mail::{MailError, MailSettings, Mailer};

use crate::{Announce, compose};

/// Writes each mail to a folder as `<uuid>.eml`, and announces its link at the terminal.
pub(crate) struct FolderMailer {
    folder: PathBuf,
    settings: MailSettings,
    announce: Option<Announce>,
}

impl FolderMailer {
    /// Creates a mailer for that folder, which is created with the first mail. `announce` is called for each delivered
    /// mail. It may show the link to a person, and must not log it.
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
        tokio::fs::create_dir_all(&self.folder).await.map_err(folder_error)?;
        // The file is written under a temporary name first, because two processes may deliver the same mail at once.
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
            .map_err(folder_error)?;
        if let Some(announce) = self.announce {
            announce(mail);
        }
        Ok(())
    }

    fn is_local(&self) -> bool {
        true
    }
}

fn folder_error(error: std::io::Error) -> MailError {
    MailError::Failed(format!("cannot write to the folder: {error}"))
}
