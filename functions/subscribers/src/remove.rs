//! Unsubscribing from the newsletter. `DELETE /subscriber/{id}/{ehash}` and `DELETE /subscriber/{id}` ([`by_id_and_check`],
//! [`by_secret`]) need the secrets of a mail; `POST /subscriber/remove` ([`by_mail`]) requests such a mail.

use axum::response::Response;
use bespoke_core::entity::mail::Template;
use bespoke_database::mail_budgets::{self, Purpose};
use bespoke_database::{outbox, subscribers};
use bespoke_web::{Body, Error, Outcome, Params, Public, Result, Session, no_content, ok};
use utoipa::ToSchema;

use crate::Done;

/// Unsubscribe
///
/// Also accepts the links in mails of the first API generation.
#[utoipa::path(delete, path = "/subscriber/{id}/{ehash}", tag = "Newsletter", operation_id = "unsubscribeWithCheck",
    params(
        ("id" = Uuid, Path, description = "The id from the link in the mail."),
        ("ehash" = String, Path, description = "The check from the link in the mail."),
    ),
    responses(
        (status = 204, description = "The address no longer gets the newsletter."),
        (status = 404, description = "There is no such subscription, or the check belongs to another one."),
    ))]
pub(crate) async fn by_id_and_check(_: Public, session: Session, params: Params) -> Result<Response> {
    let (id, check) = (params.get("id").to_owned(), params.get("ehash").to_owned());
    let remove = session.write(move |db| {
        let found = crate::find(db, &id, &check)?;
        Ok(subscribers::delete(db, found.uuid)?)
    });
    remove.await?;
    Ok(no_content())
}

/// Unsubscribe with one secret
#[utoipa::path(delete, path = "/subscriber/{id}", tag = "Newsletter", operation_id = "unsubscribe",
    params(("id" = String, Path, description = "The id or the check from the link in the mail.")),
    responses(
        (status = 204, description = "The address no longer gets the newsletter."),
        (status = 404, description = "There is no such subscription."),
    ))]
pub(crate) async fn by_secret(_: Public, session: Session, params: Params) -> Result<Response> {
    let secret = params.get("id").to_owned();
    let remove = session.write(move |db| {
        let found = crate::by_secret(db, &secret)?.ok_or_else(Error::not_found)?;
        Ok(subscribers::delete(db, found.uuid)?)
    });
    remove.await?;
    Ok(no_content())
}

/// Body of `POST /subscriber/remove`.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes a request")]
pub(crate) struct RemoveRequest {
    /// E-mail address.
    #[schema(example = "jane@example.com")]
    email: String,
}

/// Request to be unsubscribed
///
/// Sends a mail with a link if the address gets the newsletter, at most three an hour. The response is the same otherwise.
#[utoipa::path(post, path = "/subscriber/remove", tag = "Newsletter", operation_id = "requestUnsubscription",
    request_body = RemoveRequest,
    responses(
        (status = 200, description = "If the address gets the newsletter, a mail was sent.", body = Done),
        (status = 400, description = "`emailMissing`, `emailInvalid`: the address is missing or invalid."),
    ))]
pub(crate) async fn by_mail(_: Public, session: Session, body: Body) -> Result<Response> {
    let email = crate::email_of(&body.0)?;
    let writer = session.clone();
    let queue = session.write(move |db| {
        let found = subscribers::by_email(db, &email)?;
        if mail_budgets::take(db, Purpose::Unsubscription, &email, writer.now())?
            && let Some(found) = found
        {
            let path = format!("/newsletter/unsubscribe?{}", crate::link_query(&found));
            let mail = writer.newsletter_mail(Template::Nlunsub, &email, found.language, &path, found.uuid);
            outbox::insert(db, &mail)?;
        }
        Ok(())
    });
    queue.await?;
    session.deliver_mail_in_background();
    Ok(ok(&Done {
        result: Outcome::Success,
    }))
}
