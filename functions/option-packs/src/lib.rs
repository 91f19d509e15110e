//! The function `option-packs`: option packs, and users' suggestions for them. [`router`] lists its routes.

mod content;
mod create;
mod delete;
mod read;
mod suggest;
mod suggestions;
mod update;
mod view;

use axum::response::Response;
use bespoke_core::EntityId;
use bespoke_core::entity::image::ImageId;
use bespoke_core::entity::option_pack::OptionPack;
use bespoke_database::{Db, option_packs};
use bespoke_web::{CacheKey, Error, Id, Outcome, Result, Routes, Session, UploadedImage, route};
use serde::Serialize;
use utoipa::ToSchema;

/// The routes of the `option-packs` function, one of the deployable groups of routes.
pub fn router() -> Routes {
    Routes::new("option-packs")
        .with(route!(read::list_all).cached(CacheKey::Query))
        .with(route!(read::list_json).cached(CacheKey::Query))
        .with(route!(read::list_yaml).cached(CacheKey::Query))
        .with(route!(read::read))
        .with(route!(read::json))
        .with(route!(read::yaml))
        .with(route!(create::create).apart().repeatable())
        .with(route!(update::update))
        .with(route!(delete::delete))
        .with(route!(suggest::suggest).repeatable())
        .with(route!(suggestions::list))
        .with(route!(suggestions::delete))
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = OptionPackAnswer)]
struct OptionPackResponse {
    result: Outcome,
    #[schema(value_type = view::OptionPack)]
    option_pack: view::OptionPackView,
    /// Names of the fields that the request contained and the server ignored.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    ignored: Option<Vec<String>>,
}

/// Returns the option pack with this id.
///
/// # Errors
/// 404 if there is no such pack.
fn find(db: &Db<'_>, Id(id): Id) -> Result<OptionPack> {
    option_packs::by_id(db, id)?.ok_or_else(Error::not_found)
}

/// Stores the image of an option pack, if the request had one.
async fn save_image(session: &Session, image: UploadedImage, id: i64, ignored: &mut Vec<String>) {
    let now = session.now();
    let refer = move |db: &Db<'_>, img: &str| Ok(option_packs::set_image(db, id, img, now)?);
    session.save_image(image, ImageId::OptionPack(id), ignored, refer).await;
}

/// Responds with the current option pack: 201 if it was created, 200 if it was changed.
async fn respond(session: &Session, outcome: Outcome, id: i64, ignored: Option<Vec<String>>) -> Result<Response> {
    let pack = session.read(|db| find(db, Id(EntityId::Integer(id)))).await?;
    let response = OptionPackResponse {
        result: outcome,
        option_pack: view::OptionPackView::new(pack, session),
        ignored,
    };
    Ok(outcome.into_response(&response))
}
