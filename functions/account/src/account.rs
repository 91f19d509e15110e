//! `GET /account/{auth}`: [`read`] returns the caller's own account. [`respond`] is also the response of other routes.

use axum::response::Response;
use bespoke_web::level::READ_SOME;
use bespoke_web::{Caller, Outcome, Result, Session, ok};

use crate::AccountResponse;

/// Read the caller's account
#[utoipa::path(get, path = "/account/{auth}", tag = "Accounts", operation_id = "readAccount",
    responses(
        (status = 200, description = "The account.", body = AccountResponse),
        (status = 404, description = "The account was removed during the call."),
    ))]
pub(crate) async fn read(caller: Caller<READ_SOME>, session: Session) -> Result<Response> {
    respond(&session, caller.actor.user_id).await
}

/// Responds with the account that has this id.
pub(crate) async fn respond(session: &Session, id: i64) -> Result<Response> {
    let account = crate::load(session, id).await?.into();
    Ok(ok(&AccountResponse {
        result: Outcome::Success,
        account,
    }))
}
