//! `PATCH /curated-sets/{id}/{auth}`: [`update`] changes a curated set.

use axum::response::Response;
use bespoke_database::curated_sets;
use bespoke_web::level::CURATOR;
use bespoke_web::{Body, Caller, Id, Outcome, Result, Session};

use crate::CuratedSetResponse;
use crate::content::{Changes, CuratedSetRequest};

/// Change a curated set
///
/// Measurements are merged into the stored ones. Invalid fields do not fail the request; `ignored` lists them.
#[utoipa::path(patch, path = "/curated-sets/{id}/{auth}", tag = "Curated sets", operation_id = "updateCuratedSet",
    request_body = CuratedSetRequest,
    responses(
        (status = 200, description = "The updated curated set.", body = CuratedSetResponse),
        (status = 400, description = "`unitsInvalid`: unknown unit."),
        (status = 404, description = "There is no such curated set."),
    ))]
pub(crate) async fn update(caller: Caller<CURATOR>, session: Session, id: Id, body: Body) -> Result<Response> {
    let now = session.now();
    let Body(mut body) = body;
    let image = session.take_image(&mut body).await;
    let (changes, mut ignored) = Changes::read(body)?;
    let change = caller.write(&session, move |db, _| {
        let mut set = crate::find(db, id)?;
        let before = set.content.clone();
        changes.apply(&mut set.content);
        if set.content != before {
            curated_sets::update(db, set.id, &set.content, now)?;
        }
        Ok(set.id)
    });
    let set_id = change.await?;
    crate::save_image(&session, image, set_id, &mut ignored).await;
    crate::respond(&session, Outcome::Success, set_id, Some(ignored)).await
}
