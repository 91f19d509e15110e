//! `GET /images/{id}`: [`read`] returns the file of an image.

use axum::body::Body;
use axum::response::Response;
use bespoke_core::entity::image::ImageId;
use bespoke_database::{Db, patterns, sets};
use bespoke_web::{Context, Error, Params, Public, Query, Result, Session, Signature};
use http::{HeaderValue, StatusCode, header};

/// Path of the default image.
const DEFAULT_PICTURE: &str = "/avatar.svg";
/// Lifetime of a signed URL to the bucket, in milliseconds.
const REDIRECT_LIFETIME_MS: u64 = 10 * 60 * 1000;
/// Clients revalidate after five minutes, because an image can be replaced under the same id.
const CACHE_PUBLIC: HeaderValue = HeaderValue::from_static("public, max-age=300");
const CACHE_PRIVATE: HeaderValue = HeaderValue::from_static("private, max-age=300");

/// Read an image
///
/// The image of a private set or pattern needs the signed link in its `imageUrl`.
#[utoipa::path(get, path = "/images/{id}", tag = "Images", operation_id = "readImage",
    params(("id" = String, Path, description = "Id of the image, from the field `img`."), Signature),
    responses(
        (status = 200, description = "The image; a PNG where something of it can be seen through.",
            content((Vec<u8> = "image/jpeg"), (Vec<u8> = "image/png"))),
        (status = 302, description = "The image is at the URL in `Location`."),
        (status = 404, description = "There is no such image, or it is private and the link is not signed."),
    ))]
pub(crate) async fn read(
    _: Public,
    session: Session,
    params: Params,
    Query(signature): Query<Signature>,
) -> Result<Response> {
    let name = params.get("id");
    let Some(id) = ImageId::parse(name) else {
        return if is_default(name, &session) {
            redirect(DEFAULT_PICTURE, CACHE_PUBLIC)
        } else {
            Err(Error::not_found())
        };
    };
    let cache = if session.read(|db| is_public(db, &id)).await? {
        CACHE_PUBLIC
    } else if signature.opens(&format!("/images/{id}"), &session) {
        CACHE_PRIVATE
    } else {
        return Err(Error::not_found());
    };
    let images = session.images();
    if let Some(url) = images.url(&id, REDIRECT_LIFETIME_MS).await? {
        return redirect(&url, cache);
    }
    let image = images.get(&id).await?.ok_or_else(Error::not_found)?;
    let mut response = Response::new(Body::from(image.bytes().clone()));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(image.media_type()));
    headers.insert(header::CACHE_CONTROL, cache);
    Ok(response)
}

/// Whether the image is public. The image of a removed set or pattern counts as private.
fn is_public(db: &Db<'_>, id: &ImageId) -> Result<bool> {
    let name = id.to_string();
    Ok(match id {
        ImageId::Set(id) => sets::shows_image(db, *id, &name)?,
        ImageId::Pattern(id) => patterns::shows_image(db, *id, &name)?,
        _ => true,
    })
}

fn is_default(name: &str, context: &Context) -> bool {
    let config = context.config();
    let defaults = [
        &config.default_set_image,
        &config.default_pattern_image,
        &config.default_option_pack_image,
    ];
    defaults.iter().any(|default| *default == name)
}

fn redirect(to: &str, cache: HeaderValue) -> Result<Response> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::FOUND;
    let to = HeaderValue::try_from(to).map_err(Error::internal)?;
    response.headers_mut().insert(header::LOCATION, to);
    response.headers_mut().insert(header::CACHE_CONTROL, cache);
    Ok(response)
}
