//! The function `curated-sets`: curated sets, and users' suggestions for them. [`router`] lists its routes.

mod clone;
mod content;
mod create;
mod delete;
mod promote;
mod read;
mod suggest;
mod suggestions;
mod update;
mod view;

use axum::response::Response;
use bespoke_core::EntityId;
use bespoke_core::entity::curated_set::CuratedSet;
use bespoke_core::entity::image::ImageId;
use bespoke_core::measurement::Measurements;
use bespoke_database::{Db, curated_sets};
use bespoke_web::{CacheKey, Error, Id, Outcome, Result, Routes, Session, UploadedImage, route};
use serde::Serialize;
use utoipa::ToSchema;

/// The routes of the `curated-sets` function, one of the deployable groups of routes.
pub fn router() -> Routes {
    Routes::new("curated-sets")
        .with(route!(read::list_all).cached(CacheKey::Query))
        .with(route!(read::list_json).cached(CacheKey::Query))
        .with(route!(read::list_yaml).cached(CacheKey::Query))
        .with(route!(read::read))
        .with(route!(read::measurements))
        .with(route!(read::json))
        .with(route!(read::yaml))
        .with(route!(create::create).apart().repeatable())
        .with(route!(update::update))
        .with(route!(delete::delete))
        .with(route!(clone::clone).repeatable())
        .with(route!(suggest::suggest).repeatable())
        .with(route!(promote::promote).repeatable())
        .with(route!(suggestions::list))
        .with(route!(suggestions::delete))
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = CuratedSetAnswer)]
struct CuratedSetResponse {
    result: Outcome,
    #[schema(value_type = view::CuratedSet)]
    curated_set: view::CuratedSetView<Measurements>,
    /// Names of the fields and measurements that the request contained and the server ignored.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    ignored: Option<Vec<String>>,
}

/// Returns the curated set with this id.
///
/// # Errors
/// 404 if there is no such set.
fn find(db: &Db<'_>, Id(id): Id) -> Result<CuratedSet> {
    curated_sets::by_id(db, id)?.ok_or_else(Error::not_found)
}

/// Stores the image of a curated set, if the request had one.
async fn save_image(session: &Session, image: UploadedImage, id: i64, ignored: &mut Vec<String>) {
    let now = session.now();
    let refer = move |db: &Db<'_>, _: &str| Ok(curated_sets::touch(db, id, now)?);
    session.save_image(image, ImageId::CuratedSet(id), ignored, refer).await;
}

/// Responds with the current curated set: 201 if it was created, 200 if it was changed.
async fn respond(session: &Session, outcome: Outcome, id: i64, ignored: Option<Vec<String>>) -> Result<Response> {
    let set = session.read(|db| find(db, Id(EntityId::Integer(id)))).await?;
    let response = CuratedSetResponse {
        result: outcome,
        curated_set: set.into(),
        ignored,
    };
    Ok(outcome.into_response(&response))
}
