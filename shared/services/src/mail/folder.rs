//! The embedded default: each mail becomes a file that any mail program opens.

use std::io::Write;
use std::path::PathBuf;

use async_trait::async_trait;
use bespoke_core::entity::mail::OutboxMail;

use super::{MailError, MailSettings, Mailer, compose};

/// Writes each mail to a folder as `<uuid>.eml`, and hands its link to whoever sits at the terminal.
pub struct FolderMailer {
    folder: PathBuf,
    settings: MailSettings,
    announce: Option<fn(&OutboxMail)>,
}

impl FolderMailer {
    /// A mailer into that folder, which is made when the first mail comes. `announce` is called for each mail that
    /// was delivered; it may show the link to a person, and must not write it to a log.
    pub fn new(folder: PathBuf, settings: MailSettings, announce: Option<fn(&OutboxMail)>) -> Self {
        Self {
            folder,
            settings,
            announce,
        }
    }
}

#[async_trait]
impl Mailer for FolderMailer {
    async fn deliver(&self, mail: &OutboxMail) -> Result<(), MailError> {
        let message = compose(mail, &self.settings)?.formatted();
        let path = self.folder.join(format!("{}.eml", mail.uuid));
        tokio::fs::create_dir_all(&self.folder).await?;
        // Aside first, under a name of its own: two processes may deliver the same mail at once.
        let folder = self.folder.clone();
        let write = move || {
            let mut partial = tempfile::NamedTempFile::new_in(folder)?;
            partial.write_all(&message)?;
            partial.persist(path).map_err(|error| error.error)
        };
        tokio::task::spawn_blocking(write)
            .await
            .map_err(std::io::Error::other)??;
        if let Some(announce) = self.announce {
            announce(mail);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use bespoke_core::Timestamp;
    use bespoke_core::entity::mail::Template;
    use bespoke_core::validate::Language;
    use uuid::Uuid;

    use super::*;

    fn settings() -> MailSettings {
        MailSettings {
            from: "Bespoke <info@bespoke.example>".parse().unwrap(),
            service: "Bespoke".into(),
        }
    }

    fn mail(to: &str) -> OutboxMail {
        OutboxMail {
            uuid: Uuid::from_u128(7),
            template: Template::Signup,
            to: to.into(),
            language: Language::En,
            action_url: Some("http://localhost:3000/console/confirm/signup?id=1&check=2".into()),
            unsubscribe_url: Some("http://localhost:3000/ocunsub/7".into()),
            created_at: Timestamp::from_millis(1_700_000_000_000),
        }
    }

    #[tokio::test]
    async fn a_mail_is_one_file_however_often_it_is_delivered() {
        let dir = tempfile::tempdir().unwrap();
        let mailer = FolderMailer::new(dir.path().join("outbox"), settings(), None);
        mailer.deliver(&mail("jane@example.com")).await.unwrap();
        mailer.deliver(&mail("jane@example.com")).await.unwrap();
        let files: Vec<_> = std::fs::read_dir(dir.path().join("outbox"))
            .unwrap()
            .map(|f| f.unwrap().path())
            .collect();
        let [file] = files.as_slice() else { panic!("{files:?}") };
        let text = std::fs::read_to_string(file).unwrap();
        for expected in [
            "To: jane@example.com",
            "From: Bespoke <info@bespoke.example>",
            "check=2",
            "List-Unsubscribe: <http://localhost:3000/ocunsub/7>",
            "List-Unsubscribe-Post: List-Unsubscribe=One-Click",
            "Date: Tue, 14 Nov 2023",
        ] {
            assert!(text.contains(expected), "{expected} in {text}");
        }
    }

    #[tokio::test]
    async fn a_bad_address_is_an_error_and_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let mailer = FolderMailer::new(dir.path().into(), settings(), None);
        assert!(matches!(mailer.deliver(&mail("jane")).await, Err(MailError::Address)));
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}
