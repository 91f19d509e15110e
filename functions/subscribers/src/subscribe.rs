//! Subscribing to the newsletter: `POST /subscriber` ([`subscribe`]) sends a mail, and `PUT /subscriber` ([`confirm`]) confirms with the
//! secret in it.

use axum::response::Response;
use bespoke_core::entity::mail::Template;
use bespoke_core::validate::Language;
use bespoke_database::mail_budgets::{self, Purpose};
use bespoke_database::{outbox, subscribers};
use bespoke_web::{Body, Error, Outcome, Public, Result, Session, ok, truthy};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::Done;

#[derive(Serialize, ToSchema)]
#[schema(as = Subscription)]
struct Subscription {
    language: &'static str,
    email: String,
    /// Only in test mode.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    id: Option<Uuid>,
    /// Only in test mode.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    ehash: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Subscribed {
    result: Outcome,
    data: Subscription,
}

/// Body of `POST /subscriber`.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes a request")]
pub(crate) struct SubscribeRequest {
    /// E-mail address.
    #[schema(example = "jane@example.com")]
    email: String,
    /// Language of the newsletter: en, de, es, fr, nl or uk, in any letter case.
    #[schema(example = "en")]
    language: String,
}

/// Request the newsletter
///
/// Sends a mail with a link to the address, at most three an hour. A request that is not confirmed is deleted after seven days. If the address already gets the newsletter, its
/// language does not change, and the response is the same.
#[utoipa::path(post, path = "/subscriber", tag = "Newsletter", operation_id = "subscribe", request_body = SubscribeRequest,
    responses(
        (status = 200, description = "A mail was sent. `id` and `ehash` are present only in test mode.", body = Subscribed),
        (status = 400, description = "`emailMissing`, `emailInvalid`, `languageMissing`: the field is missing or invalid."),
    ))]
pub(crate) async fn subscribe(_: Public, session: Session, body: Body) -> Result<Response> {
    let Body(body) = body;
    let email = crate::email_of(&body)?;
    let language = body.get("language").and_then(Value::as_str);
    let language = language.and_then(Language::from_code_in_any_case);
    let language = language.ok_or(Error::bad_request("languageMissing"))?;
    let test = session.is_test(&body, &email);
    let (writer, address, new) = (session.clone(), email.clone(), session.random().uuid());
    let store = session.write(move |db| {
        let now = writer.now();
        let (template, page) = match subscribers::by_email(db, &address)? {
            None => {
                subscribers::insert(db, new, &address, language, now)?;
                (Template::Nlsub, "subscribe")
            }
            // A stranger must not change the language of a subscription.
            Some(found) if found.active => (Template::Nlsubact, "unsubscribe"),
            Some(found) => {
                subscribers::update(db, found.uuid, language, found.active, now)?;
                (Template::Nlsubinact, "subscribe")
            }
        };
        let found = subscribers::by_email(db, &address)?.ok_or_else(Error::not_found)?;
        if !test && mail_budgets::take(db, Purpose::Newsletter, &address, now)? {
            let path = format!("/newsletter/{page}?{}", crate::link_query(&found));
            let mail = writer.newsletter_mail(template, &address, language, &path, found.uuid);
            outbox::insert(db, &mail)?;
        }
        Ok((found.uuid, found.ehash))
    });
    let (id, ehash) = store.await?;
    if !test {
        session.deliver_mail().await;
    }
    Ok(ok(&Subscribed {
        result: Outcome::Success,
        data: Subscription {
            language: language.code(),
            email,
            id: test.then_some(id),
            ehash: test.then_some(ehash),
        },
    }))
}

/// Body of `PUT /subscriber`: the values from the link in the mail.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes a request")]
pub(crate) struct ConfirmSubscription {
    /// The id in the link.
    id: Uuid,
    /// The check in the link.
    ehash: String,
}

/// Confirm a subscription
#[utoipa::path(put, path = "/subscriber", tag = "Newsletter", operation_id = "confirmSubscription",
    request_body = ConfirmSubscription,
    responses(
        (status = 200, description = "The address gets the newsletter.", body = Done),
        (status = 400, description = "`idMissing`, `ehashMissing`: the field is missing."),
        (status = 404, description = "There is no such subscription, or the check belongs to another one."),
    ))]
pub(crate) async fn confirm(_: Public, session: Session, body: Body) -> Result<Response> {
    let text = |field: &str, missing| {
        let value = body.0.get(field).filter(|value| truthy(value));
        let value = value.ok_or(Error::bad_request(missing))?;
        Ok::<_, Error>(value.as_str().unwrap_or_default().to_owned())
    };
    let (id, check) = (text("id", "idMissing")?, text("ehash", "ehashMissing")?);
    let now = session.now();
    let confirm = session.write(move |db| {
        let found = crate::find(db, &id, &check)?;
        Ok(subscribers::update(db, found.uuid, found.language, true, now)?)
    });
    confirm.await?;
    Ok(ok(&Done {
        result: Outcome::Success,
    }))
}
