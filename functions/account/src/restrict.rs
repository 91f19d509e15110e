//! `POST /account/restrict/{auth}`: [`restrict`] freezes the caller's account. Clients of the first API generation use GET.

use axum::response::Response;
use bespoke_core::EntityId;
use bespoke_core::entity::user::Status;
use bespoke_database::users;
use bespoke_web::level::USER;
use bespoke_web::{Caller, Error, Result, Session};

use crate::Emptied;

/// Freeze the caller's account
///
/// The data of the account stays, and its tokens and API keys stop working. Only an administrator can unfreeze it.
#[utoipa::path(post, path = "/account/restrict/{auth}", tag = "Accounts", operation_id = "restrictAccount",
    responses(
        (status = 200, description = "The account is frozen.", body = Emptied),
        (status = 404, description = "The account was removed during the call."),
    ))]
pub(crate) async fn restrict(caller: Caller<USER>, session: Session) -> Result<Response> {
    let now = session.now();
    let freeze = caller.protect(&session, move |db, actor| {
        let mut user = users::by_id(db, EntityId::Integer(actor.user_id))?.ok_or_else(Error::not_found)?;
        user.account_status.status = Status::Disabled;
        user.updated_at = now;
        Ok(users::update(db, &user)?)
    });
    freeze.await?;
    Ok(crate::emptied())
}

/// Freeze the caller's account, by GET
///
/// Does the same as POST, for clients of the first API generation.
#[utoipa::path(get, path = "/account/restrict/{auth}", tag = "Accounts", operation_id = "restrictAccountByGet",
    responses(
        (status = 200, description = "The account is frozen.", body = Emptied),
        (status = 404, description = "The account was removed during the call."),
    ))]
pub(crate) async fn restrict_by_get(caller: Caller<USER>, session: Session) -> Result<Response> {
    restrict(caller, session).await
}
