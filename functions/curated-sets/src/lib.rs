//! Curated sets, and what users suggest to become one (contract-2023 sections 3.6 and 3.7).

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

/// The routes of this function.
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
struct CuratedSetAnswer {
    result: Outcome,
    #[schema(value_type = view::CuratedSet)]
    curated_set: view::Shown<Measurements>,
    /// Names of the fields and measurements that were sent and not taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    ignored: Option<Vec<String>>,
}

/// The curated set of that id, or 404.
fn find(db: &Db<'_>, Id(id): Id) -> Result<CuratedSet> {
    curated_sets::by_id(db, id)?.ok_or_else(Error::not_found)
}

/// Keeps the image that came with a curated set.
async fn save_image(session: &Session, image: UploadedImage, id: i64, ignored: &mut Vec<String>) {
    let now = session.now();
    let refer = move |db: &Db<'_>, _: &str| Ok(curated_sets::touch(db, id, now)?);
    session.save_image(image, ImageId::CuratedSet(id), ignored, refer).await;
}

/// Answers with the curated set as it is now: 201 when it was made, 200 when it was changed.
async fn answer(session: &Session, outcome: Outcome, id: i64, ignored: Option<Vec<String>>) -> Result<Response> {
    let set = session.read(|db| find(db, Id(EntityId::Integer(id)))).await?;
    let answer = CuratedSetAnswer {
        result: outcome,
        curated_set: set.into(),
        ignored,
    };
    Ok(outcome.answer(&answer))
}
