//! `POST /images` and `POST /images/{auth}`

use axum::response::Response;
use bespoke_core::entity::image::ImageId;
use bespoke_core::permission::Actor;
use bespoke_core::validate::is_slug;
use bespoke_web::level::READ_SOME;
use bespoke_web::{Body, Caller, Error, JsonObject, Outcome, Public, Result, Session, ok, truthy};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

/// The level from which on an image replaces the one that has the id.
const REPLACES: u8 = 5;
/// Kinds of pages that have images.
const KINDS: [&str; 3] = ["blog", "showcase", "support"];

/// An image for a page.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes a request")]
#[schema(rename_all = "camelCase")]
pub(crate) struct PageImage {
    /// A PNG, JPEG, WebP or GIF, as a data URI or in base64.
    img: Option<String>,
    /// Where it is instead: `https` alone, and only with credentials.
    url: Option<String>,
    /// `blog`, `showcase` or `support`.
    r#type: String,
    /// `main`, or a number from 1 to 9.
    #[schema(value_type = Value, example = "main")]
    sub_id: Value,
    /// Name of the page: small letters, digits, and `-` between them.
    #[schema(example = "a-day-out")]
    slug: String,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = PageImageStored)]
pub(crate) struct Stored {
    result: Outcome,
    /// Id of the image.
    #[schema(example = "blog-a-day-out-2")]
    img_id: String,
}

/// Store an image for a page, without an account
///
/// Where the id has an image, that stays.
#[utoipa::path(post, path = "/images", tag = "Images", operation_id = "uploadImageAnonymously", request_body = PageImage,
    responses(
        (status = 200, description = "There is an image of that id.", body = Stored),
        (status = 400, description = "`postBodyMissing`, `imgOrUrlMissing`, `typeMissing`, `typeInvalid`, `subIdMissing`, \
            `subIdInvalid`, `slugMissing`, `slugInvalid`: the field is missing, or not what it has to be. `imgInvalid`, `imgTooLarge`: \
            no picture that is taken."),
        (status = 403, description = "`urlNotAllowed`: to give a URL takes an account."),
    ))]
pub(crate) async fn anonymous(_: Public, session: Session, body: Body) -> Result<Response> {
    upload(session, body.required()?, None).await
}

/// Store an image for a page
///
/// From level 5 on it replaces the one that the id has; below, that stays.
#[utoipa::path(post, path = "/images/{auth}", tag = "Images", operation_id = "uploadImage", request_body = PageImage,
    responses(
        (status = 200, description = "There is an image of that id.", body = Stored),
        (status = 400, description = "`postBodyMissing`, `imgOrUrlMissing`, `typeMissing`, `typeInvalid`, `subIdMissing`, \
            `subIdInvalid`, `slugMissing`, `slugInvalid`: the field is missing, or not what it has to be. `imgInvalid`, `imgTooLarge`, \
            `imgUnreachable`: no picture that is taken."),
    ))]
pub(crate) async fn upload_as(caller: Caller<READ_SOME>, session: Session, body: Body) -> Result<Response> {
    upload(session, body.required()?, Some(caller.actor)).await
}

async fn upload(session: Session, body: JsonObject, actor: Option<Actor>) -> Result<Response> {
    let given = |name: &str| body.get(name).filter(|value| truthy(value));
    let (img, url) = (given("img"), given("url"));
    let source = img.or(url).ok_or(Error::bad_request("imgOrUrlMissing"))?;
    let id = page_id(&body)?;
    let source = source.as_str().ok_or(Error::bad_request("imgInvalid"))?.to_owned();
    let image = match (img, actor) {
        (Some(_), _) => session.prepare_image(source).await?,
        (None, Some(_)) => session.fetch_image(&source).await?,
        (None, None) => return Err(Error::forbidden("urlNotAllowed")),
    };
    if actor.is_some_and(|actor| actor.level.number() >= REPLACES) {
        session.images().put(&id, image).await?;
    } else {
        session.images().ensure(&id, image).await?;
    }
    Ok(ok(&Stored {
        result: Outcome::Success,
        img_id: id.to_string(),
    }))
}

/// The id that the image gets (contract-2023 section 3.10).
fn page_id(body: &JsonObject) -> Result<ImageId> {
    let given = |name: &str, missing| {
        let value = body.get(name).filter(|value| truthy(value));
        value.ok_or(Error::bad_request(missing))
    };
    let kind = given("type", "typeMissing")?
        .as_str()
        .filter(|kind| KINDS.contains(kind));
    let kind = kind.ok_or(Error::bad_request("typeInvalid"))?;
    let sub_id = match given("subId", "subIdMissing")? {
        Value::String(text) if text == "main" => String::new(),
        Value::String(text) if matches!(text.as_bytes(), [b'1'..=b'9']) => format!("-{text}"),
        Value::Number(number) if number.as_u64().is_some_and(|n| (1..=9).contains(&n)) => format!("-{number}"),
        _ => return Err(Error::bad_request("subIdInvalid")),
    };
    let slug = given("slug", "slugMissing")?.as_str().filter(|slug| is_slug(slug));
    let slug = slug.ok_or(Error::bad_request("slugInvalid"))?;
    ImageId::parse(&format!("{kind}-{slug}{sub_id}")).ok_or(Error::bad_request("slugInvalid"))
}
