//! `GET /admin/impersonate/{id}/jwt`: [`impersonate`] issues a token with which a supporter acts as a user.

use axum::response::Response;
use bespoke_core::{EntityId, Grant};
use bespoke_web::level::SUPPORT;
use bespoke_web::{Caller, Error, Id, Outcome, Result, Session, ok, view};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

#[derive(Serialize, ToSchema)]
pub(crate) struct Impersonation {
    result: Outcome,
    /// A token for the account. It names the administrator and expires after an hour.
    token: String,
    account: view::Account,
}

/// Impersonate a user
///
/// Accounts with a higher role, and administrators, cannot be impersonated. The token stops working if the caller loses the
/// permission to impersonate.
#[utoipa::path(get, path = "/admin/impersonate/{id}/jwt", tag = "Administration", operation_id = "impersonate",
    responses(
        (status = 200, description = "The account, and a token for it.", body = Impersonation),
        (status = 404, description = "There is no such account."),
    ))]
pub(crate) async fn impersonate(caller: Caller<SUPPORT>, session: Session, id: Id) -> Result<Response> {
    if caller.impersonator.is_some() {
        // An impersonated account cannot impersonate another one.
        return Err(Error::forbidden("insufficientAccessLevel"));
    }
    let audit_entry = session.audit_entry("users.impersonate");
    let act = caller.write(&session, move |db, actor| {
        let user = crate::find(db, id)?;
        actor.may_impersonate(&user.account_status.role)?;
        let audit_entry = audit_entry.clone().target("users", user.account_status.id);
        let whom = json!({ "impersonator": actor.user_id, "account": user.account_status.id });
        audit_entry.change(Value::Null, whom).record(db, actor)?;
        Ok(user.account_status.id)
    });
    let user_id = act.await?;
    let user = session
        .read(|db| crate::find(db, Id(EntityId::Integer(user_id))))
        .await?;
    let grant = Grant::Impersonation {
        by: caller.actor.user_id,
    };
    let token = session.tokens().issue((&user).into(), grant, session.now());
    Ok(ok(&Impersonation {
        result: Outcome::Success,
        token,
        account: user.into(),
    }))
}
