//! `PATCH /consent/jwt`

use axum::response::Response;
use bespoke_core::EntityId;
use bespoke_core::entity::user::{Consent, Status};
use bespoke_database::users;
use bespoke_web::level::WRITE_SOME;
use bespoke_web::{Body, Error, Guest, Result, Session};

/// Stores what the owner consents to, also for an account that cannot be used because that is missing; gives a fresh
/// token. A new account becomes active with it.
pub(crate) async fn consent(guest: Guest<WRITE_SOME>, session: Session, body: Body) -> Result<Response> {
    let consent = crate::consent_of(body.0.get("consent")).ok_or(Error::bad_request("consentInvalid"))?;
    let (id, now) = (guest.identity.actor.user_id, session.now());
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
