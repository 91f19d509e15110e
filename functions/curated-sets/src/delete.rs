//! `DELETE /curated-sets/{id}/{auth}`: [`delete`] removes a curated set.

use axum::response::Response;
use bespoke_database::curated_sets;
use bespoke_web::level::CURATOR;
use bespoke_web::{Caller, Id, Result, Session, no_content};

/// Remove a curated set
#[utoipa::path(delete, path = "/curated-sets/{id}/{auth}", tag = "Curated sets", operation_id = "deleteCuratedSet",
    responses(
        (status = 204, description = "The curated set was removed."),
        (status = 404, description = "There is no such curated set."),
    ))]
pub(crate) async fn delete(caller: Caller<CURATOR>, session: Session, id: Id) -> Result<Response> {
    let remove = caller.write(&session, move |db, _| {
        let set = crate::find(db, id)?;
        curated_sets::delete(db, set.id)?;
        Ok(())
    });
    remove.await?;
    session.remove_leftovers().await;
    Ok(no_content())
}
