//! `PATCH /consent/jwt`

use axum::response::Response;
use bespoke_core::EntityId;
use bespoke_core::entity::user::{Consent, Status};
use bespoke_database::users;
use bespoke_web::level::WRITE_SOME;
use bespoke_web::{Body, Error, Guest, Result, Session};
use utoipa::ToSchema;

use crate::SignedIn;

/// What is consented to.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes a request")]
pub(crate) struct ConsentChange {
    /// 0 nothing (the account cannot be used then), 1 account data, 2 measurements too, 3 and anonymised measurements may
    /// be published.
    #[schema(minimum = 0, maximum = 3, example = 2)]
    consent: u8,
}

/// Give or withdraw consent
///
/// Also for an account that cannot be used because consent is missing. A new account becomes active with it.
#[utoipa::path(patch, path = "/consent/jwt", tag = "Accounts", operation_id = "setConsent", request_body = ConsentChange,
    responses(
        (status = 200, description = "The account, and a fresh token.", body = SignedIn),
        (status = 400, description = "`consentInvalid`: consent has to be 0, 1, 2 or 3."),
        (status = 404, description = "The account was removed while the call was under way."),
    ))]
pub(crate) async fn consent(guest: Guest<WRITE_SOME>, session: Session, body: Body) -> Result<Response> {
    let id = guest.whatever_its_state()?.actor.user_id;
    let consent = crate::consent_of(body.0.get("consent")).ok_or(Error::bad_request("consentInvalid"))?;
    let now = session.now();
    session
        .write(move |db| {
            let mut user = users::by_id(db, EntityId::Integer(id))?.ok_or_else(Error::not_found)?;
            user.standing.consent = consent;
            if user.standing.status == Status::Inactive && consent > Consent::None {
                user.standing.status = Status::Active;
            }
            user.updated_at = now;
            Ok(users::update(db, &user)?)
        })
        .await?;
    Ok(crate::signed_in(&session, crate::load(&session, id).await?))
}
