//! Delivery of the mails that wait in the outbox.

use std::sync::PoisonError;

use bespoke_core::entity::mail::{OutboxMail, Template, wait_after_ms};
use bespoke_core::validate::Language;
use bespoke_database::outbox;
use bespoke_services::mail::{MailError, Mailer};
use uuid::Uuid;

use crate::{Context, Error, Session};

/// Most mails that are taken from the outbox at once: few enough to be sent while nobody else may, also by a slow server.
const DELIVERIES: u32 = 8;

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
            details: None,
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
            Some(website) if language == Language::En => format!("{}{path}", website.url()),
            Some(website) => format!("{}/{}{path}", website.url(), language.code()),
            None => format!("{}/console{path}", self.config().url),
        }
    }
}

/// Mails that have gone, and whose rows could not be removed yet.
pub(crate) type Delivered = Vec<Uuid>;

impl Session {
    /// Has the mails that wait delivered, where this process delivers any. Called after the commit that queued one; what cannot be
    /// delivered now stays, and goes later. A failure never fails the request: what it did is done. Nor does a server far away
    /// hold the request up.
    pub async fn deliver_mail(&self) {
        match self.mailer() {
            Some(mailer) if mailer.is_local() => self.deliver_due().await,
            _ => self.deliver_mail_aside(),
        }
    }

    /// The same while the answer is on its way: where that must not tell by its time whether there was somebody to write to.
    pub fn deliver_mail_aside(&self) {
        if self.mailer().is_none() {
            return;
        }
        let session = Self::new(Context::clone(self));
        let mut aside = self.aside().lock().unwrap_or_else(PoisonError::into_inner);
        while aside.try_join_next().is_some() {}
        aside.spawn(async move { session.deliver_due().await });
    }

    /// Delivers the mails that are due, one deliverer at a time.
    pub(crate) async fn deliver_due(&self) {
        let Some(mailer) = self.mailer() else { return };
        let mut delivered = self.delivery().lock().await;
        loop {
            match self.deliver_some(mailer, &mut delivered).await {
                Ok(0) => return,
                Ok(_) => {}
                Err(error) => {
                    tracing::error!(code = error.code(), "the outbox could not be used");
                    return;
                }
            }
        }
    }

    /// Takes mails out of the outbox for nobody else, then sends them: a process that dies between has not sent them twice. Gives
    /// how many were tried.
    async fn deliver_some(&self, mailer: &dyn Mailer, delivered: &mut Delivered) -> Result<usize, Error> {
        self.remove(delivered).await?;
        let now = self.now();
        if !self.read(|db| Ok(outbox::is_any_due(db, now)?)).await? {
            return Ok(0);
        }
        let claimed = self.write(move |db| Ok(outbox::claim(db, now, DELIVERIES)?)).await?;
        for id in &claimed {
            let Some((mail, tries)) = self.read(|db| Ok(outbox::by_id(db, *id)?)).await? else {
                continue;
            };
            let outcome = mailer.deliver(&mail, self.now()).await;
            self.metrics().count_mail(outcome.is_ok());
            match outcome {
                Ok(()) => delivered.push(mail.uuid),
                Err(error) => self.note_failure(mail.uuid, tries, &error).await?,
            }
        }
        self.remove(delivered).await?;
        Ok(claimed.len())
    }

    /// Removes the rows of mails that have gone. Those that cannot be removed now are remembered, so that this process does not send
    /// them again.
    async fn remove(&self, delivered: &mut Delivered) -> Result<(), Error> {
        if !delivered.is_empty() {
            let gone = delivered.clone();
            self.write(move |db| Ok(outbox::delete(db, &gone)?)).await?;
            delivered.clear();
        }
        Ok(())
    }

    async fn note_failure(&self, uuid: Uuid, tries: u32, error: &MailError) -> Result<(), Error> {
        let hopeless = matches!(error, MailError::Refused(_)) || wait_after_ms(tries).is_none();
        tracing::error!(mail = %uuid, tries, %error, hopeless, "a mail could not be delivered");
        let (now, problem) = (self.now(), error.to_string());
        self.write(move |db| Ok(outbox::failed(db, uuid, tries, &problem, hopeless, now)?))
            .await
    }
}

impl Context {
    /// Waits until no mail is being delivered: the process ends.
    pub async fn finish_mail(&self) {
        let aside = std::mem::take(&mut *self.aside().lock().unwrap_or_else(PoisonError::into_inner));
        aside.join_all().await;
        drop(self.delivery().lock().await);
    }
}
