//! `POST /confirm/signup/{id}`: [`signup`] activates a new account after a click on the link in its mail, and signs in. Also creates,
//! finds and verifies confirmations of all kinds ([`new`], [`path`], [`find`], [`verify`]).

use axum::response::Response;
use bespoke_core::entity::confirmation::{CHECK_BYTES, Confirmation, ConfirmationKind, is_code};
use bespoke_core::entity::mail::{OutboxMail, Template};
use bespoke_core::entity::user::{Consent, Status};
use bespoke_core::validate::Language;
use bespoke_core::{EntityId, Timestamp};
use bespoke_database::mail_budgets::{self, Purpose};
use bespoke_database::{Db, confirmations, known_networks, users};
use bespoke_web::attempts::{AttemptOrigin, AttemptTarget};
use bespoke_web::{Body, ClientIp, Error, Id, JsonObject, Public, Result, Session};
use serde_json::Value;
use utoipa::ToSchema;

use crate::SignedIn;

/// Body of `POST /confirm/signup/{id}`.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes a request")]
pub(crate) struct ConfirmSignUp {
    /// Level of consent: 1 account data; 2 also measurements; 3 also the publication of anonymised measurements.
    #[schema(minimum = 1, maximum = 3, example = 2)]
    consent: u8,
    /// The check from the link in the mail, or the code in the mail. If it is present, it is verified.
    check: Option<String>,
}

/// Confirm a new account
///
/// Activates the account with the consent of its owner, and signs in. The link works once, within seven days.
// Only new accounts can be confirmed. Otherwise, an old link could activate an account that an administrator has blocked or deactivated.
#[utoipa::path(post, path = "/confirm/signup/{id}", tag = "Accounts", operation_id = "confirmSignUp",
    params(("id" = Uuid, Path, description = "The id from the link in the mail.")), request_body = ConfirmSignUp,
    responses(
        (status = 200, description = "The account, and a token.", body = SignedIn),
        (status = 400, description = "`postBodyMissing`; `consentRequired`: consent must be 1, 2 or 3."),
        (status = 404, description = "The link was used or has expired, or its check is wrong."),
    ))]
pub(crate) async fn signup(_: Public, session: Session, client: ClientIp, id: Id, body: Body) -> Result<Response> {
    let body = body.required()?;
    let consent = crate::consent_of(body.get("consent")).filter(|consent| *consent >= Consent::Account);
    let consent = consent.ok_or(Error::bad_request("consentRequired"))?;
    // A missing check is accepted unless the settings require it, because clients of the first API generation send only the id.
    let check = match body.get("check") {
        None if !session.config().require_check => None,
        // A required check that is missing, or a check that is not text, counts as an empty one, which is wrong.
        given => Some(given.and_then(Value::as_str).unwrap_or_default().to_owned()),
    };
    let origin = session.origin(client);
    verify(&session, id, check.as_deref(), &[ConfirmationKind::Signup], origin).await?;
    let user_id = session.write(move |db| activate(db, id, consent, origin)).await?;
    Ok(crate::signed_in(&session, crate::load(&session, user_id).await?))
}

/// Activates the account of this link. Returns its integer id.
fn activate(db: &Db<'_>, id: Id, consent: Consent, origin: AttemptOrigin) -> Result<i64> {
    let confirmation = find(db, id, origin.now, &[ConfirmationKind::Signup])?;
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
    confirmations::delete_kind(db, user_id, ConfirmationKind::Signup)?;
    known_networks::note(db, user_id, client, now)?;
    mail_budgets::refill(db, Purpose::SignUp, &user.email, user_id, client)?;
    Ok(user_id)
}

/// Creates a confirmation for an account.
pub(crate) fn new(session: &Session, kind: ConfirmationKind, user_id: i64, data: JsonObject) -> Confirmation {
    Confirmation {
        uuid: session.random().uuid(),
        kind,
        user_id,
        check: session.random().hex::<CHECK_BYTES>(),
        data,
        created_at: session.now(),
    }
}

/// The path of the link that leads to this confirmation on the page `page` of the website.
pub(crate) fn path(page: &str, confirmation: &Confirmation) -> String {
    format!("/confirm/{page}?id={}&check={}", confirmation.uuid, confirmation.check)
}

/// Creates the mail with the link of a confirmation. If the link leads to a website, the mail also contains the code, because the pages of
/// FreeSewing's React components ask for it. The console does not.
pub(crate) fn mail(
    session: &Session,
    template: Template,
    (to, language): (&str, Language),
    page: &str,
    confirmation: &Confirmation,
) -> OutboxMail {
    let is_website = session.config().website.is_some();
    OutboxMail {
        details: confirmation.code().filter(|_| is_website),
        ..session.mail(template, to, language, Some(&path(page, confirmation)))
    }
}

/// Returns the confirmation if it is of one of these kinds and has not expired.
///
/// # Errors
/// 404 otherwise.
pub(crate) fn find(db: &Db<'_>, Id(id): Id, now: Timestamp, kinds: &[ConfirmationKind]) -> Result<Confirmation> {
    let EntityId::Uuid(uuid) = id else {
        return Err(Error::not_found());
    };
    let confirmation = confirmations::by_uuid(db, uuid)?;
    let usable = confirmation.filter(|found| kinds.contains(&found.kind) && !found.expired(now));
    usable.ok_or_else(Error::not_found)
}

/// Verifies the check of a confirmation or its code, and returns the confirmation. Wrong ones are counted. Too many wrong checks lock the link,
/// and too many wrong codes void the code only.
///
/// # Errors
/// 404 if there is no such confirmation, if the check is wrong, or after too many wrong checks.
pub(crate) async fn verify(
    session: &Session,
    id: Id,
    check: Option<&str>,
    kinds: &[ConfirmationKind],
    origin: AttemptOrigin,
) -> Result<Confirmation> {
    let confirmation = session.read(|db| find(db, id, origin.now, kinds)).await?;
    let Some(check) = check else { return Ok(confirmation) };
    // Wrong codes are counted in the confirmation, so that they void the code and do not lock the link.
    if is_code(check) {
        let is_right = session.is_check(&confirmation, check).await?;
        return is_right.then_some(confirmation).ok_or_else(Error::not_found);
    }
    let subject = AttemptTarget::Confirmation(confirmation.uuid);
    let reserved = session.reserve_attempt(&subject, Some(confirmation.user_id), origin);
    let reserved = reserved.await?.ok_or_else(Error::not_found)?;
    if !session.is_check(&confirmation, check).await? {
        return Err(Error::not_found());
    }
    session.release_attempt(reserved).await;
    Ok(confirmation)
}
