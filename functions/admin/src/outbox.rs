//! `GET /admin/outbox/{auth}`: [`list`] returns the unsent mails. `POST /admin/outbox/{id}/retry/{auth}`: [`retry`] sends one again.

use axum::response::Response;
use bespoke_core::entity::mail::PendingMail;
use bespoke_core::{EntityId, Timestamp};
use bespoke_database::outbox;
use bespoke_web::level::ADMIN;
use bespoke_web::{Caller, Error, Id, Outcome, Paging, Query, Result, Session, no_content};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum State {
    /// The mail is sent when it is due.
    Waiting,
    /// The mail will not be sent again, because it failed too often or was rejected permanently.
    Dead,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = WaitingMail)]
struct MailView {
    id: i64,
    /// Name of the mail's text.
    #[schema(value_type = String, example = "signup")]
    template: bespoke_core::entity::mail::Template,
    to: String,
    #[schema(example = "en")]
    language: &'static str,
    state: State,
    /// Number of attempts.
    tries: u32,
    /// Time of the next attempt, at the earliest. `null` if the mail is dead.
    #[schema(value_type = Option<String>, format = DateTime, required)]
    due_at: Option<Timestamp>,
    /// Why the last attempt failed.
    #[schema(required)]
    problem: Option<String>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    uuid: Uuid,
}

impl From<PendingMail> for MailView {
    fn from(mail: PendingMail) -> Self {
        Self {
            id: mail.id,
            template: mail.template,
            to: mail.to,
            language: mail.language.code(),
            state: mail.due_at.map_or(State::Dead, |_| State::Waiting),
            tries: mail.tries,
            due_at: mail.due_at,
            problem: mail.problem,
            created_at: mail.created_at,
            uuid: mail.uuid,
        }
    }
}

#[derive(Serialize, ToSchema)]
pub(crate) struct OutboxList {
    result: Outcome,
    outbox: Vec<MailView>,
}

/// List unsent mails
///
/// Waiting and dead mails. Links are left out.
#[utoipa::path(get, path = "/admin/outbox/{auth}", tag = "Administration", operation_id = "listOutbox", params(Paging),
    responses(
        (status = 200, description = "The mails, oldest first.", body = OutboxList),
        (status = 400, description = "`afterUnknown`: unknown cursor."),
        (status = 413, description = "`listTooLarge`: read the list in pages, with `limit` and `after`."),
    ))]
pub(crate) async fn list(caller: Caller<ADMIN>, session: Session, paging: Query<Paging>) -> Result<Response> {
    let page = paging.0.page()?;
    let audit_entry = session.audit_entry("outbox.list");
    caller
        .write(&session, move |db, actor| audit_entry.record(db, actor))
        .await?;
    let mails = session.read_blocking(move |db| Ok(outbox::waiting(db, page)?)).await?;
    bespoke_web::list(&OutboxList {
        result: Outcome::Success,
        outbox: mails.into_iter().map(Into::into).collect(),
    })
}

/// Send a mail again
///
/// For a dead mail, or one that waits for its next attempt.
#[utoipa::path(post, path = "/admin/outbox/{id}/retry/{auth}", tag = "Administration", operation_id = "retryMail",
    params(("id" = i64, Path, description = "Id of the mail.")),
    responses(
        (status = 204, description = "The mail is due now."),
        (status = 404, description = "There is no such mail, or it is being sent."),
    ))]
pub(crate) async fn retry(caller: Caller<ADMIN>, session: Session, id: Id) -> Result<Response> {
    let (audit_entry, now) = (session.audit_entry("outbox.retry"), session.now());
    let retry = caller.write(&session, move |db, actor| {
        let Id(EntityId::Integer(id)) = id else {
            return Err(Error::not_found());
        };
        if !outbox::retry(db, id, now)? {
            return Err(Error::not_found());
        }
        audit_entry.clone().target("outbox", id).record(db, actor)
    });
    retry.await?;
    session.deliver_mail().await;
    Ok(no_content())
}
