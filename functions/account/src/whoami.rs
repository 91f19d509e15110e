//! `GET /whoami/jwt`: [`whoami`] returns the caller's account, or the reason why it cannot be used.

use axum::response::Response;
use bespoke_core::entity::user::Unusable;
use bespoke_web::level::READ_SOME;
use bespoke_web::{Error, Guest, Result, Session};

use crate::{AccountResponse, EitherError, NestedError};

/// Read the caller's account, or the reason why it cannot be used
#[utoipa::path(get, path = "/whoami/jwt", tag = "Accounts", operation_id = "whoami",
    responses(
        (status = 200, description = "The account.", body = AccountResponse),
        (status = 403, description = "`accountDisabled`, `accountBlocked`, `accountInactive`, nested one object deeper than usual; \
            `insufficientAccessLevel`, in the usual place.", body = EitherError),
        (status = 451, description = "`consentLacking`, nested one object deeper than usual.", body = NestedError),
    ))]
pub(crate) async fn whoami(guest: Guest<READ_SOME>, session: Session) -> Result<Response> {
    guest.check_usable(|reason| {
        let error = match reason {
            Unusable::ConsentLacking => Error::consent_lacking(),
            Unusable::Disabled => Error::forbidden("accountDisabled"),
            Unusable::Blocked => Error::forbidden("accountBlocked"),
            Unusable::Inactive => Error::forbidden("accountInactive"),
        };
        error.nested()
    })?;
    crate::account::respond(&session, guest.actor.user_id).await
}
