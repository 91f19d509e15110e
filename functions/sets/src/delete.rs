//! `DELETE /sets/{id}/{auth}`

use axum::response::Response;
use bespoke_database::sets;
use bespoke_web::level::WRITE_SOME;
use bespoke_web::{Caller, Id, Result, Session, no_content};

/// Removes a set of the caller, or of anybody at level 9.
pub(crate) async fn delete(caller: Caller<WRITE_SOME>, session: Session, id: Id) -> Result<Response> {
    let actor = caller.actor;
    session
        .write(move |db| {
            let set = crate::find(db, id)?;
            actor.may_write(set.user_id)?;
            Ok(sets::delete(db, set.id)?)
        })
        .await?;
    Ok(no_content())
}
