//! `DELETE /option-packs/{id}/{auth}`: [`delete`] removes an option pack.

use axum::response::Response;
use bespoke_database::option_packs;
use bespoke_web::level::CURATOR;
use bespoke_web::{Caller, Id, Result, Session, no_content};

/// Remove an option pack
#[utoipa::path(delete, path = "/option-packs/{id}/{auth}", tag = "Option packs", operation_id = "deleteOptionPack",
    responses(
        (status = 204, description = "The option pack was removed."),
        (status = 404, description = "There is no such option pack."),
    ))]
pub(crate) async fn delete(caller: Caller<CURATOR>, session: Session, id: Id) -> Result<Response> {
    let remove = caller.write(&session, move |db, _| {
        let pack = crate::find(db, id)?;
        option_packs::delete(db, pack.id)?;
        Ok(())
    });
    remove.await?;
    session.remove_leftovers().await;
    Ok(no_content())
}
