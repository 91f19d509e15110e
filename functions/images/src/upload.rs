//! `POST /images` ([`anonymous`]) and `POST /images/{auth}` ([`upload_as`]): store the image of a page of the website.

use axum::response::Response;
use bespoke_core::ClientNetwork;
use bespoke_core::entity::image::ImageId;
use bespoke_core::permission::Actor;
use bespoke_core::validate::is_slug;
use bespoke_database::page_images::{self, CountOutcome, PageName, ReserveOutcome, Uploader};
use bespoke_services::images::Image;
use bespoke_web::level::READ_SOME;
use bespoke_web::{Body, Caller, ClientIp, Error, JsonObject, Outcome, Public, Result, Session, ok, truthy};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

/// Level from which an upload replaces an existing image.
const MIN_LEVEL_TO_REPLACE: u8 = 5;
/// Kinds of pages that have images.
const KINDS: [&str; 3] = ["blog", "showcase", "support"];

/// Body of `POST /images` and `POST /images/{auth}`.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes a request")]
#[schema(rename_all = "camelCase")]
pub(crate) struct PageImage {
    /// A PNG, JPEG, WebP or GIF, as a data URI or in base64.
    img: Option<String>,
    /// URL of the image, instead of `img`. Only `https`, and only for authenticated callers.
    url: Option<String>,
    /// `blog`, `showcase` or `support`.
    r#type: String,
    /// `main`, or a number from 1 to 9.
    #[schema(value_type = Value, example = "main")]
    sub_id: Value,
    /// Name of the page: lower-case letters and digits, with single `-` between them.
    #[schema(example = "a-day-out")]
    slug: String,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = PageImageStored)]
pub(crate) struct UploadResponse {
    result: Outcome,
    /// Id of the image.
    #[schema(example = "blog-a-day-out-2")]
    img_id: String,
}

/// Store the image of a page, without an account
///
/// An existing image is not replaced. Limits: 10 images an hour and 5 MB a day for each address (for IPv6 each /48), 50 MB a day for all
/// addresses. Images for existing or proposed pages are rejected. The response is 429 while another request stores an image with the
/// same id. An image is deleted after 30 days if no page refers to it.
#[utoipa::path(post, path = "/images", tag = "Images", operation_id = "uploadImageAnonymously", request_body = PageImage,
    responses(
        (status = 200, description = "There is an image with this id.", body = UploadResponse),
        (status = 400, description = "`postBodyMissing`, `imgOrUrlMissing`, `typeMissing`, `typeInvalid`, `subIdMissing`, \
            `subIdInvalid`, `slugMissing`, `slugInvalid`: the field is missing or invalid. `imgInvalid`, `imgTooLarge`: \
            the image is not accepted."),
        (status = 403, description = "`urlNotAllowed`: a URL needs an account."),
        (status = 409, description = "`slugTaken`: a page or a proposal with this name exists."),
    ))]
pub(crate) async fn anonymous(_: Public, session: Session, client: ClientIp, body: Body) -> Result<Response> {
    upload(session, body.required()?, Sender::Stranger(client.network())).await
}

/// Store the image of a page
///
/// From level 5, an upload replaces an existing image. Below level 5, an existing image stays, and an account can store 10 images an
/// hour and 50 MB a day.
#[utoipa::path(post, path = "/images/{auth}", tag = "Images", operation_id = "uploadImage", request_body = PageImage,
    responses(
        (status = 200, description = "There is an image with this id.", body = UploadResponse),
        (status = 400, description = "`postBodyMissing`, `imgOrUrlMissing`, `typeMissing`, `typeInvalid`, `subIdMissing`, \
            `subIdInvalid`, `slugMissing`, `slugInvalid`: the field is missing or invalid. `imgInvalid`, `imgTooLarge`, \
            `imgUnreachable`: the image is not accepted."),
    ))]
pub(crate) async fn upload_as(caller: Caller<READ_SOME>, session: Session, body: Body) -> Result<Response> {
    upload(session, body.required()?, Sender::Account(caller.actor)).await
}

/// The sender of an image.
#[derive(Debug, Clone, Copy)]
enum Sender {
    Stranger(ClientNetwork),
    Account(Actor),
}

impl Sender {
    /// `None` for a curator, whose images are not limited.
    fn uploader(self) -> Option<Uploader> {
        match self {
            Self::Stranger(client) => Some(Uploader::Stranger(client)),
            Self::Account(actor) if actor.level.number() < MIN_LEVEL_TO_REPLACE => {
                Some(Uploader::Account(actor.user_id))
            }
            Self::Account(_) => None,
        }
    }
}

async fn upload(session: Session, body: JsonObject, sender: Sender) -> Result<Response> {
    let given = |name: &str| body.get(name).filter(|value| truthy(value));
    let (img, url) = (given("img"), given("url"));
    let value = img.or(url).ok_or(Error::bad_request("imgOrUrlMissing"))?;
    let (id, page) = page_id(&body)?;
    let text = value.as_str().ok_or(Error::bad_request("imgInvalid"))?.to_owned();
    if img.is_none() && matches!(sender, Sender::Stranger(_)) {
        return Err(Error::forbidden("urlNotAllowed"));
    }
    let source = if img.is_some() {
        Source::Inline(text)
    } else {
        Source::Url(text)
    };
    match sender.uploader() {
        None => {
            session.images().put(&id, source.prepare(&session).await?).await?;
            let name = id.to_string();
            session.write(move |db| Ok(page_images::delete(db, &name)?)).await?;
        }
        Some(uploader) => store_limited(&session, &id, page, source, uploader).await?,
    }
    Ok(ok(&UploadResponse {
        result: Outcome::Success,
        img_id: id.to_string(),
    }))
}

/// Source of an image.
enum Source {
    /// A data URI or base64 text.
    Inline(String),
    Url(String),
}

impl Source {
    async fn prepare(self, session: &Session) -> Result<Image> {
        Ok(match self {
            Self::Inline(text) => session.prepare_image(text).await?,
            Self::Url(url) => session.fetch_image(&url).await?,
        })
    }
}

/// Stores an image within the limits of its uploader, unless the id already has an image.
async fn store_limited(
    session: &Session,
    id: &ImageId,
    page: PageName,
    source: Source,
    uploader: Uploader,
) -> Result<()> {
    // The bucket is asked, not the table: a process may have reserved the id and stopped before it stored an image.
    if session.images().get(id).await?.is_some() {
        return Ok(());
    }
    let now = session.now();
    let image = page_images::PageImage {
        name: id.to_string(),
        page,
    };
    let reserving = image.clone();
    let reserve = session.write(move |db| Ok(page_images::reserve(db, &reserving, uploader, now)?));
    let reservation = match reserve.await? {
        ReserveOutcome::Yes(reservation) => reservation,
        ReserveOutcome::Busy => return Err(busy()),
        ReserveOutcome::TooMany => return Err(too_many(page_images::WINDOW_MS)),
    };
    let release = || session.write(move |db| Ok(page_images::release(db, reservation)?));
    let prepared = match prepare(session, &image, source, uploader, reservation).await {
        Ok(prepared) => prepared,
        Err(error) => {
            release().await?;
            return Err(error);
        }
    };
    // If this call fails, the image may have been stored all the same, so the reservation stays.
    let is_new = session.images().ensure(id, prepared).await?;
    // An image that another request has stored does not count against this uploader.
    if !is_new {
        release().await?;
    }
    Ok(())
}

/// Prepares the image to store, and counts its bytes.
async fn prepare(
    session: &Session,
    image: &page_images::PageImage,
    source: Source,
    uploader: Uploader,
    reservation: i64,
) -> Result<Image> {
    if matches!(uploader, Uploader::Stranger(_)) && session.has_page_of(image).await? {
        return Err(Error::conflict("slugTaken"));
    }
    let prepared = source.prepare(session).await?;
    let (bytes, now) = (prepared.bytes().len(), session.now());
    let take = session.write(move |db| Ok(page_images::take_bytes(db, reservation, bytes, uploader, now)?));
    match take.await? {
        CountOutcome::Yes => Ok(prepared),
        CountOutcome::Lost => Err(busy()),
        CountOutcome::TooMany => Err(too_many(page_images::DAY_MS)),
    }
}

/// The error while another request stores an image with the same id.
fn busy() -> Error {
    Error::too_many("tooManyRequests", page_images::RESERVED_MS / 1000)
}

fn too_many(window_ms: i64) -> Error {
    Error::too_many("tooManyRequests", window_ms.unsigned_abs() / 1000)
}

/// Returns the id of the image, and the page that it belongs to.
fn page_id(body: &JsonObject) -> Result<(ImageId, PageName)> {
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
    let id = ImageId::parse(&format!("{kind}-{slug}{sub_id}")).ok_or(Error::bad_request("slugInvalid"))?;
    let page = PageName {
        kind: kind.to_owned(),
        slug: slug.to_owned(),
    };
    Ok((id, page))
}
