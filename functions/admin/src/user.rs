//! `GET /admin/user/{id}/{auth}`: [`read`] returns any account. `DELETE /admin/user/{id}/apikeys/{auth}`: [`end_keys`] revokes all API
//! keys of an account.

use axum::response::Response;
use bespoke_database::api_keys;
use bespoke_web::level::ADMIN;
use bespoke_web::{Caller, Id, Result, Session, no_content};
use serde_json::{Value, json};

use crate::UserResponse;

/// Read an account
#[utoipa::path(get, path = "/admin/user/{id}/{auth}", tag = "Administration", operation_id = "loadUser",
    responses(
        (status = 200, description = "The account.", body = UserResponse),
        (status = 404, description = "There is no such account."),
    ))]
pub(crate) async fn read(caller: Caller<ADMIN>, session: Session, id: Id) -> Result<Response> {
    let audit_entry = session.audit_entry("users.read");
    let look = caller.write(&session, move |db, actor| {
        let user_id = crate::find(db, id)?.account_status.id;
        audit_entry.clone().target("users", user_id).record(db, actor)?;
        Ok(user_id)
    });
    let user_id = look.await?;
    crate::respond(&session, user_id, None).await
}

/// Revoke all API keys of an account
///
/// The keys stop working at once.
#[utoipa::path(delete, path = "/admin/user/{id}/apikeys/{auth}", tag = "Administration", operation_id = "endUsersApiKeys",
    responses(
        (status = 204, description = "The account has no API keys now."),
        (status = 403, description = "`restrictedKey`: the caller's key is bound to addresses, so it cannot revoke keys."),
        (status = 404, description = "There is no such account."),
    ))]
pub(crate) async fn end_keys(caller: Caller<ADMIN>, session: Session, id: Id) -> Result<Response> {
    let (audit_entry, now) = (session.audit_entry("apikeys.delete"), session.now());
    let end = caller.write(&session, move |db, actor| {
        actor.may_change_credentials()?;
        let user_id = crate::find(db, id)?.account_status.id;
        let keys = api_keys::by_user(db, user_id, bespoke_database::Page::ALL)?;
        let uuids: Vec<_> = keys.iter().map(|key| key.uuid.to_string()).collect();
        api_keys::revoke_all(db, user_id, now)?;
        let audit_entry = audit_entry.clone().target("users", user_id);
        audit_entry
            .change(json!({ "apikeys": uuids }), Value::Null)
            .record(db, actor)
    });
    end.await?;
    Ok(no_content())
}
