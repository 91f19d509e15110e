//! Methods of [`Context`] and [`Session`] that create mails for the outbox, and that deliver the mails in it.

use std::sync::PoisonError;

use bespoke_core::entity::mail::{OutboxMail, Template, wait_after_ms};
use bespoke_core::validate::Language;
use bespoke_database::outbox;
use bespoke_services::mail::{MailError, Mailer};
use uuid::Uuid;

use crate::response::Error;
use crate::state::{Context, Session};

/// The maximum number of mails that are claimed at once, so that a slow mail server accepts them before the claim expires.
const DELIVERIES: u32 = 8;

impl Context {
    /// Creates a mail. `path` is the path of its link on the website.
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

    /// Creates a mail of the newsletter, with a one-click unsubscribe link for the subscriber `id`.
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

    /// Returns a link to the website in that language, or to the console if no website is set.
    fn link(&self, language: Language, path: &str) -> String {
        match &self.config().website {
            Some(website) if language == Language::En => format!("{}{path}", website.url()),
            Some(website) => format!("{}/{}{path}", website.url(), language.code()),
            None => format!("{}/console{path}", self.config().url),
        }
    }
}

impl Session {
    /// Sends the mails of the outbox, if this process has a mailer. Called after the commit that queues a mail. A local mailer sends before the
    /// function returns; a remote one sends in the background, so that the request does not wait. A failure does not fail the request,
    /// because the mail stays in the outbox and is sent later.
    pub async fn deliver_mail(&self) {
        match self.mailer() {
            Some(mailer) if mailer.is_local() => self.deliver_due().await,
            _ => self.deliver_mail_in_background(),
        }
    }

    /// Sends the mails of the outbox in the background. Used if the time of the response must not reveal whether a mail was queued.
    pub fn deliver_mail_in_background(&self) {
        if self.mailer().is_none() {
            return;
        }
        let session = Self::new(Context::clone(self));
        let mut deliveries = self.deliveries().lock().unwrap_or_else(PoisonError::into_inner);
        while deliveries.try_join_next().is_some() {}
        deliveries.spawn(async move { session.deliver_due().await });
    }

    /// Sends the mails that are due. A process runs one delivery at a time.
    pub(crate) async fn deliver_due(&self) {
        let Some(mailer) = self.mailer() else { return };
        let mut sent_mails = self.sent_mails().lock().await;
        loop {
            match self.deliver_some(mailer, &mut sent_mails).await {
                Ok(0) => return,
                Ok(_) => {}
                Err(error) => {
                    tracing::error!(code = error.code(), "the outbox cannot be read or written");
                    return;
                }
            }
        }
    }

    /// Claims due mails and sends them. A claim is committed before the mail is sent, so that two processes do not send the same mail. Returns
    /// the number of claimed mails.
    async fn deliver_some(&self, mailer: &dyn Mailer, sent_mails: &mut Vec<Uuid>) -> Result<usize, Error> {
        self.delete_sent(sent_mails).await?;
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
                Ok(()) => sent_mails.push(mail.uuid),
                Err(error) => self.record_failure(mail.uuid, tries, &error).await?,
            }
        }
        self.delete_sent(sent_mails).await?;
        Ok(claimed.len())
    }

    /// Deletes the rows of sent mails. If that fails, `sent_mails` keeps them, so that this process does not send them again.
    async fn delete_sent(&self, sent_mails: &mut Vec<Uuid>) -> Result<(), Error> {
        if !sent_mails.is_empty() {
            let rows = sent_mails.clone();
            self.write(move |db| Ok(outbox::delete(db, &rows)?)).await?;
            sent_mails.clear();
        }
        Ok(())
    }

    async fn record_failure(&self, uuid: Uuid, tries: u32, error: &MailError) -> Result<(), Error> {
        // Such a mail is not tried again unless an administrator asks for it.
        let hopeless = matches!(error, MailError::Refused(_)) || wait_after_ms(tries).is_none();
        tracing::error!(mail = %uuid, tries, %error, hopeless, "a mail could not be delivered");
        let (now, problem) = (self.now(), error.to_string());
        self.write(move |db| Ok(outbox::failed(db, uuid, tries, &problem, hopeless, now)?))
            .await
    }
}

impl Context {
    /// Waits for the deliveries in the background. Called before the process ends.
    pub async fn finish_mail(&self) {
        let deliveries = std::mem::take(&mut *self.deliveries().lock().unwrap_or_else(PoisonError::into_inner));
        deliveries.join_all().await;
        drop(self.sent_mails().lock().await);
    }
}
