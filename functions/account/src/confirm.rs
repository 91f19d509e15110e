//! `POST /confirm/signup/{id}`

use axum::response::Response;
use bespoke_core::entity::confirmation::{CHECK_BYTES, Confirmation, Kind};
use bespoke_core::entity::user::{Consent, Status};
use bespoke_core::{EntityId, Timestamp};
use bespoke_database::mail_budgets::{self, Purpose};
use bespoke_database::{Db, confirmations, known_networks, users};
use bespoke_web::attempts::{AttemptOrigin, AttemptTarget};
use bespoke_web::{Body, ClientIp, Error, Id, JsonObject, Public, Result, Session};
use serde_json::Value;
use utoipa::ToSchema;

use crate::SignedIn;

/// What confirms an account.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes a request")]
pub(crate) struct ConfirmSignUp {
    /// What may be kept: 1 account data, 2 measurements too, 3 and anonymised measurements may be published.
    #[schema(minimum = 1, maximum = 3, example = 2)]
    consent: u8,
    /// The check of the link in the mail. It is verified when it is sent.
    check: Option<String>,
}

/// Confirm a new account
///
/// Activates it with the consent that its owner gives, and signs in. Works once, within seven days.
// Only a new account: otherwise a link could activate one that an administrator blocked or made inactive (defect D42).
#[utoipa::path(post, path = "/confirm/signup/{id}", tag = "Accounts", operation_id = "confirmSignUp",
    params(("id" = Uuid, Path, description = "The id in the link of the mail.")), request_body = ConfirmSignUp,
    responses(
        (status = 200, description = "The account, and a token.", body = SignedIn),
        (status = 400, description = "`postBodyMissing`, `consentRequired`: consent has to be 1, 2 or 3."),
        (status = 404, description = "The link is no longer open, or its check is wrong."),
    ))]
pub(crate) async fn signup(_: Public, session: Session, client: ClientIp, id: Id, body: Body) -> Result<Response> {
    let body = body.required()?;
    let consent = crate::consent_of(body.get("consent")).filter(|consent| *consent >= Consent::Account);
    let consent = consent.ok_or(Error::bad_request("consentRequired"))?;
    // The check of the link is verified when it is sent (defect D119): the first API generation sends the id alone.
    let check = match body.get("check") {
        None if !session.config().require_check => None,
        check => Some(check.and_then(Value::as_str).unwrap_or_default().to_owned()),
    };
    let origin = session.origin(client);
    verify(&session, id, check.as_deref(), &[Kind::Signup], origin).await?;
    let user_id = session.write(move |db| activate(db, id, consent, origin)).await?;
    Ok(crate::signed_in(&session, crate::load(&session, user_id).await?))
}

/// Activates the account that the link belongs to; gives its integer id.
fn activate(db: &Db<'_>, id: Id, consent: Consent, origin: AttemptOrigin) -> Result<i64> {
    let confirmation = find(db, id, origin.now, &[Kind::Signup])?;
    if !users::awaits_activation(db, confirmation.user_id)? {
        return Err(Error::not_found());
    }
    let user = users::by_id(db, EntityId::Integer(confirmation.user_id))?;
    let mut user = user.ok_or_else(Error::not_found)?;
    let AttemptOrigin { client, now } = origin;
    user.account_status.status = Status::Active;
    user.account_status.consent = consent;
    user.updated_at = now;
    users::update(db, &user)?;
    let user_id = user.account_status.id;
    confirmations::delete_kind(db, user_id, Kind::Signup)?;
    known_networks::note(db, user_id, client, now)?;
    mail_budgets::refill(db, Purpose::SignUp, &user.email, user_id, client)?;
    Ok(user_id)
}

/// A new confirmation for an account.
pub(crate) fn new(session: &Session, kind: Kind, user_id: i64, data: JsonObject) -> Confirmation {
    Confirmation {
        uuid: session.random().uuid(),
        kind,
        user_id,
        check: session.random().hex::<CHECK_BYTES>(),
        data,
        created_at: session.now(),
    }
}

/// The path of the link to a confirmation, to that page of the website.
pub(crate) fn path(page: &str, confirmation: &Confirmation) -> String {
    format!("/confirm/{page}?id={}&check={}", confirmation.uuid, confirmation.check)
}

/// The confirmation of that id, when it is of one of these kinds and its time is not over; else 404.
pub(crate) fn find(db: &Db<'_>, Id(id): Id, now: Timestamp, kinds: &[Kind]) -> Result<Confirmation> {
    let EntityId::Uuid(uuid) = id else {
        return Err(Error::not_found());
    };
    let confirmation = confirmations::by_uuid(db, uuid)?;
    let usable = confirmation.filter(|found| kinds.contains(&found.kind) && !found.expired(now));
    usable.ok_or_else(Error::not_found)
}

/// Verifies the check of the confirmation, if there is one; returns the confirmation. A wrong check is counted, and after too many even the
/// right one is refused.
///
/// # Errors
/// 404 if there is no such confirmation, if the check is wrong, or after too many wrong checks.
pub(crate) async fn verify(
    session: &Session,
    id: Id,
    check: Option<&str>,
    kinds: &[Kind],
    origin: AttemptOrigin,
) -> Result<Confirmation> {
    let confirmation = session.read(|db| find(db, id, origin.now, kinds)).await?;
    let Some(check) = check else { return Ok(confirmation) };
    let subject = AttemptTarget::Confirmation(confirmation.uuid);
    let reserved = session.reserve_attempt(&subject, Some(confirmation.user_id), origin);
    let reserved = reserved.await?.ok_or_else(Error::not_found)?;
    if !confirmation.check_matches(check) {
        return Err(Error::not_found());
    }
    session.release_attempt(reserved).await;
    Ok(confirmation)
}
