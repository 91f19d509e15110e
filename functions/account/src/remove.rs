//! `DELETE /account/{auth}`

use axum::response::Response;
use bespoke_database::users;
use bespoke_web::level::USER;
use bespoke_web::{Caller, Result, Session};

use crate::Emptied;

/// Remove one's account
///
/// Everything of the account goes: sets, patterns, bookmarks, API keys, images, exports, the newsletter. Tokens and keys are
/// refused from then on. It cannot be undone, and nothing keeps the last administrator from it (`bespoke user` makes another).
// Images, the newsletter and exports stayed, and errors counted as success: defect D66.
#[utoipa::path(delete, path = "/account/{auth}", tag = "Accounts", operation_id = "removeAccount",
    responses((status = 200, description = "The account is gone.", body = Emptied)))]
pub(crate) async fn remove(caller: Caller<USER>, session: Session) -> Result<Response> {
    let remove = caller.write(&session, |db, actor| Ok(users::delete(db, actor.user_id)?));
    remove.await?;
    session.remove_leftovers().await;
    Ok(crate::emptied())
}
