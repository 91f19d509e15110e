//! `DELETE /images/{id}/{auth}`: [`delete`] removes the image of a page.

use axum::response::Response;
use bespoke_core::entity::image::ImageId;
use bespoke_database::page_images;
use bespoke_web::level::CURATOR;
use bespoke_web::{Caller, Error, Params, Result, Session, no_content};

/// Remove the image of a page
#[utoipa::path(delete, path = "/images/{id}/{auth}", tag = "Images", operation_id = "deleteImage",
    params(("id" = String, Path, description = "Id of the image.")),
    responses(
        (status = 204, description = "There is no image with this id now."),
        (status = 404, description = "The id is not that of a page's image."),
    ))]
pub(crate) async fn delete(_: Caller<CURATOR>, session: Session, params: Params) -> Result<Response> {
    let id = ImageId::parse(params.get("id")).filter(|id| matches!(id, ImageId::Page(_)));
    let id = id.ok_or_else(Error::not_found)?;
    session.images().remove(&id).await?;
    let name = id.to_string();
    session.write(move |db| Ok(page_images::delete(db, &name)?)).await?;
    Ok(no_content())
}
