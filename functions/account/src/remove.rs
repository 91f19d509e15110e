//! `DELETE /account/{auth}`: [`remove`] deletes the caller's account.

use axum::response::Response;
use bespoke_core::EntityId;
use bespoke_core::entity::mail::Template;
use bespoke_database::{outbox, users};
use bespoke_web::level::USER;
use bespoke_web::{Caller, Result, Session};

use crate::Emptied;

/// Remove the caller's account
///
/// Removes all data of the account: sets, patterns, bookmarks, API keys, images, exports and the newsletter subscription. A mail to
/// the address confirms the removal. Tokens and keys stop working at once. The removal cannot be undone. The last administrator can
/// remove their account too (`bespoke user` creates another one).
#[utoipa::path(delete, path = "/account/{auth}", tag = "Accounts", operation_id = "removeAccount",
    responses((status = 200, description = "The account was removed.", body = Emptied)))]
pub(crate) async fn remove(caller: Caller<USER>, session: Session) -> Result<Response> {
    let writer = session.clone();
    let remove = caller.write(&session, move |db, actor| {
        let user = users::by_id(db, EntityId::Integer(actor.user_id))?;
        users::delete(db, actor.user_id)?;
        // The mail is queued after the removal, because the removal deletes the account's queued mails.
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
