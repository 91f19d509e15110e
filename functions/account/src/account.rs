//! `GET /account/{auth}`

use axum::response::Response;
use bespoke_web::level::READ_SOME;
use bespoke_web::{Caller, Outcome, Result, Session, ok};

use crate::AccountAnswer;

/// Read one's account
#[utoipa::path(get, path = "/account/{auth}", tag = "Accounts", operation_id = "readAccount",
    responses(
        (status = 200, description = "The account.", body = AccountAnswer),
        (status = 404, description = "The account was removed while the call was under way."),
    ))]
pub(crate) async fn read(caller: Caller<READ_SOME>, session: Session) -> Result<Response> {
    answer(&session, caller.actor.user_id).await
}

/// Answers with the account of that id.
pub(crate) async fn answer(session: &Session, id: i64) -> Result<Response> {
    let account = crate::load(session, id).await?.into();
    Ok(ok(&AccountAnswer {
        result: Outcome::Success,
        account,
    }))
}
