//! `DELETE /sets/{id}/{auth}`: [`delete`] removes a measurement set.

use axum::response::Response;
use bespoke_database::sets;
use bespoke_web::level::WRITE_SOME;
use bespoke_web::{Caller, Id, Result, Session, no_content};
use serde_json::Value;

use crate::update::audited;

/// Remove a measurements set
///
/// Level 9 can remove the sets of all accounts.
#[utoipa::path(delete, path = "/sets/{id}/{auth}", tag = "Sets", operation_id = "deleteSet",
    responses(
        (status = 204, description = "The set was removed."),
        (status = 404, description = "There is no such set."),
    ))]
pub(crate) async fn delete(caller: Caller<WRITE_SOME>, session: Session, id: Id) -> Result<Response> {
    let audit_entry = session.audit_entry("sets.delete");
    let remove = caller.write(&session, move |db, actor| {
        let set = crate::find(db, id)?;
        actor.may_write(set.user_id)?;
        sets::delete(db, set.id)?;
        let audit_entry = audit_entry.clone().target("sets", set.id);
        audit_entry
            .change(audited(&set.content), Value::Null)
            .record_unless_own(db, actor, set.user_id)?;
        Ok(())
    });
    remove.await?;
    session.remove_leftovers().await;
    Ok(no_content())
}
