//! `DELETE /patterns/{id}/{auth}`: [`delete`] removes a pattern.

use axum::response::Response;
use bespoke_database::patterns;
use bespoke_web::level::WRITE_SOME;
use bespoke_web::{Caller, Id, Result, Session, no_content};
use serde_json::Value;

use crate::update::audited;

/// Remove a pattern
///
/// Level 9 can remove the patterns of all accounts.
#[utoipa::path(delete, path = "/patterns/{id}/{auth}", tag = "Patterns", operation_id = "deletePattern",
    responses(
        (status = 204, description = "The pattern was removed."),
        (status = 404, description = "There is no such pattern."),
    ))]
pub(crate) async fn delete(caller: Caller<WRITE_SOME>, session: Session, id: Id) -> Result<Response> {
    let audit_entry = session.audit_entry("patterns.delete");
    let remove = caller.write(&session, move |db, actor| {
        let pattern = crate::find(db, id)?;
        actor.may_write(pattern.user_id)?;
        patterns::delete(db, pattern.id)?;
        let audit_entry = audit_entry.clone().target("patterns", pattern.id);
        audit_entry
            .change(audited(&pattern.content), Value::Null)
            .record_unless_own(db, actor, pattern.user_id)?;
        Ok(())
    });
    remove.await?;
    session.remove_leftovers().await;
    Ok(no_content())
}
