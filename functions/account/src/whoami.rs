//! `GET /whoami/jwt`

use axum::response::Response;
use bespoke_core::entity::user::Unusable;
use bespoke_web::level::READ_SOME;
use bespoke_web::{Error, Guest, Result, Session};

/// The account of the caller, or why it cannot be used: one object deeper than other errors, as clients read it.
pub(crate) async fn whoami(guest: Guest<READ_SOME>, session: Session) -> Result<Response> {
    guest.usable.map_err(|reason| {
        let error = match reason {
            Unusable::ConsentLacking => Error::consent_lacking(),
            Unusable::Disabled => Error::forbidden("accountDisabled"),
            Unusable::Blocked => Error::forbidden("accountBlocked"),
            Unusable::Inactive => Error::forbidden("accountInactive"),
        };
        error.nested()
    })?;
    crate::account::answer(&session, guest.identity.actor.user_id).await
}
