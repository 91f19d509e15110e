//! `DELETE /account/{auth}`

use axum::response::Response;
use bespoke_core::EntityId;
use bespoke_core::entity::mail::Template;
use bespoke_database::{outbox, users};
use bespoke_web::level::USER;
use bespoke_web::{Caller, Result, Session};

use crate::Emptied;

/// Remove one's account
///
/// A mail to the address says so. Everything of the account goes: sets, patterns, bookmarks, API keys, images, exports, the newsletter. Tokens and keys are
/// refused from then on. It cannot be undone, and nothing keeps the last administrator from it (`bespoke user` makes another).
// Images, the newsletter and exports stayed, and errors counted as success: defect D66.
#[utoipa::path(delete, path = "/account/{auth}", tag = "Accounts", operation_id = "removeAccount",
    responses((status = 200, description = "The account is gone.", body = Emptied)))]
pub(crate) async fn remove(caller: Caller<USER>, session: Session) -> Result<Response> {
    let writer = session.clone();
    let remove = caller.write(&session, move |db, actor| {
        let user = users::by_id(db, EntityId::Integer(actor.user_id))?;
        users::delete(db, actor.user_id)?;
        // After it: a mail that waits goes with the account that it is for.
        if let Some(user) = user.filter(|user| !writer.in_test_domain(&user.email)) {
            let mail = writer.mail(Template::Goodbye, &user.email, user.language, None);
            outbox::insert(db, &mail)?;
        }
        Ok(())
    });
    remove.await?;
    session.deliver_mail().await;
    session.remove_leftovers().await;
    Ok(crate::emptied())
}
