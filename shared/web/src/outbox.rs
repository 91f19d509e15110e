//! Delivery of the mails that wait in the outbox.

use bespoke_core::entity::mail::{OutboxMail, Template};
use bespoke_core::validate::Language;
use bespoke_database::outbox;
use bespoke_services::mail::MailError;

use uuid::Uuid;

use crate::{Context, Error, Session};

/// Most mails that are taken from the outbox at once.
const DELIVERIES: u32 = 16;

impl Context {
    /// The mail that tells `to` about something; `path` is that of its link on the website.
    pub fn mail(&self, template: Template, to: &str, language: Language, path: Option<&str>) -> OutboxMail {
        OutboxMail {
            uuid: self.random().uuid(),
            template,
            to: to.to_owned(),
            language,
            action_url: path.map(|path| self.link(language, path)),
            unsubscribe_url: None,
            created_at: self.now(),
        }
    }

    /// The same for a mail of the newsletter, which one click can end for the subscriber of that UUID.
    pub fn newsletter_mail(
        &self,
        template: Template,
        to: &str,
        language: Language,
        path: &str,
        id: Uuid,
    ) -> OutboxMail {
        OutboxMail {
            unsubscribe_url: Some(format!("{}/ocunsub/{id}", self.config().url)),
            ..self.mail(template, to, language, Some(path))
        }
    }

    /// A link to the website, in the reader's language; without a website, to our own console.
    fn link(&self, language: Language, path: &str) -> String {
        match &self.config().website {
            Some(website) if language == Language::En => format!("{}://{}{path}", website.scheme, website.domain),
            Some(website) => format!("{}://{}/{}{path}", website.scheme, website.domain, language.code()),
            None => format!("{}/console{path}", self.config().url),
        }
    }
}

impl Session {
    /// Delivers the mails that wait, one deliverer at a time. Called after the commit that queued one; what cannot be
    /// delivered now stays, and goes with a later call. A failure never fails the request: what it did is done.
    pub async fn deliver_mail(&self) {
        let _one_at_a_time = self.delivering().lock().await;
        loop {
            match self.deliver_some().await {
                Ok(0) => return,
                Ok(_) => {}
                Err(error) => {
                    tracing::error!(code = error.code(), "mails could not be taken from the outbox");
                    return;
                }
            }
        }
    }

    /// Gives how many mails have left the outbox.
    async fn deliver_some(&self) -> Result<usize, Error> {
        let waiting = self.read(|db| Ok(outbox::oldest(db, DELIVERIES)?)).await?;
        let mut done = Vec::new();
        for mail in &waiting {
            match self.mailer().deliver(mail).await {
                Ok(()) => done.push(mail.uuid),
                Err(MailError::Address) => {
                    tracing::error!(mail = %mail.uuid, "a mail was given up: nobody can have its address");
                    done.push(mail.uuid);
                }
                Err(error) => tracing::error!(mail = %mail.uuid, %error, "a mail could not be delivered"),
            }
        }
        let count = done.len();
        if count > 0 {
            self.write(move |db| Ok(outbox::delete(db, &done)?)).await?;
        }
        Ok(count)
    }
}
