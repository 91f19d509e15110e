//! `PATCH /consent/jwt`: [`consent`] stores or withdraws the consent of an account.

use axum::response::Response;
use bespoke_core::EntityId;
use bespoke_core::entity::user::{Consent, Status};
use bespoke_database::users;
use bespoke_web::level::WRITE_SOME;
use bespoke_web::{Body, Error, Guest, Result, Session};
use utoipa::ToSchema;

use crate::SignedIn;

/// Body of `PATCH /consent/jwt`.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes a request")]
pub(crate) struct ConsentChange {
    /// Level of consent: 0 none (the account cannot be used); 1 account data; 2 also measurements; 3 also the publication of
    /// anonymised measurements.
    #[schema(minimum = 0, maximum = 3, example = 2)]
    consent: u8,
}

/// Give or withdraw consent
///
/// This also works for an account that cannot be used because consent is missing. A new account becomes active with its first
/// consent. A status that an administrator has set does not change.
#[utoipa::path(patch, path = "/consent/jwt", tag = "Accounts", operation_id = "setConsent", request_body = ConsentChange,
    responses(
        (status = 200, description = "The account, and a token with its new state. The token expires at the same time as that of \
            the request.", body = SignedIn),
        (status = 400, description = "`consentInvalid`: consent must be 0, 1, 2 or 3."),
        (status = 404, description = "The account was removed during the call."),
    ))]
pub(crate) async fn consent(guest: Guest<WRITE_SOME>, session: Session, body: Body) -> Result<Response> {
    guest.check_level()?;
    if guest.impersonator.is_some() {
        return Err(Error::forbidden("insufficientAccessLevel"));
    }
    let consent = crate::consent_of(body.0.get("consent")).ok_or(Error::bad_request("consentInvalid"))?;
    let now = session.now();
    let store = guest.write(&session, move |db, actor| {
        let mut user = users::by_id(db, EntityId::Integer(actor.user_id))?.ok_or_else(Error::not_found)?;
        if consent > Consent::None && users::awaits_activation(db, user.account_status.id)? {
            user.account_status.status = Status::Active;
        }
        user.account_status.consent = consent;
        user.updated_at = now;
        Ok(users::update(db, &user)?)
    });
    store.await?;
    let user = crate::load(&session, guest.actor.user_id).await?;
    let token = guest.renew_token(&user, &session)?;
    Ok(crate::with_token(token, user))
}
