//! Delivery of the mails that wait in the outbox.

use bespoke_core::entity::mail::{OutboxMail, Template};
use bespoke_core::validate::Language;
use bespoke_database::outbox;

use crate::{Context, Error, Session};

/// Most mails that one request delivers.
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
            created_at: self.now(),
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
    /// Delivers the mails that wait. Called after the commit that queued one; what cannot be delivered now stays, and
    /// goes with a later call. A failure never fails the request: what it did is done.
    pub async fn deliver_mail(&self) {
        if let Err(error) = self.try_deliver().await {
            tracing::error!(code = error.code(), "mails could not be taken from the outbox");
        }
    }

    async fn try_deliver(&self) -> Result<(), Error> {
        let waiting = self.read(|db| Ok(outbox::oldest(db, DELIVERIES)?)).await?;
        let mut delivered = Vec::new();
        for mail in &waiting {
            match self.mailer().deliver(mail).await {
                Ok(()) => delivered.push(mail.uuid),
                Err(error) => tracing::error!(mail = %mail.uuid, %error, "a mail could not be delivered"),
            }
        }
        if delivered.is_empty() {
            return Ok(());
        }
        self.write(move |db| Ok(outbox::delete(db, &delivered)?)).await
    }
}
