//! `POST /img`: [`create`] draws a picture that social media show for a link to a page.

mod card;

use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bespoke_web::level::READ_SOME;
use bespoke_web::{Body, Caller, Error, JsonObject, Outcome, Result, Session, ok};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use card::Card;

/// Maximum length of a title, in characters.
const MAX_TITLE_CHARS: usize = 200;
/// Maximum length of an introduction, in characters.
const MAX_INTRO_CHARS: usize = 500;

/// Body of `POST /img`.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes a request")]
pub(crate) struct SocialImageRequest {
    /// Title of the page, at most 200 characters.
    #[schema(example = "A day out")]
    title: String,
    /// Introduction, at most 500 characters. A text that is too long for the picture ends in an ellipsis.
    intro: Option<String>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = SocialImage)]
struct SocialImageResponse {
    result: Outcome,
    /// A PNG of 1200 by 630 pixels, as a data URI. `POST /images/{auth}` accepts it as it is.
    img: String,
}

/// Draw a picture for links to a page
///
/// The picture contains the title, the introduction and the name of the service. Nothing is stored.
#[utoipa::path(post, path = "/img", tag = "Images", operation_id = "createSocialImage", request_body = SocialImageRequest,
    responses(
        (status = 200, description = "The picture.", body = SocialImageResponse),
        (status = 400, description = "`postBodyMissing`, `titleMissing`: the field is missing. `titleInvalid`, `introInvalid`: \
            the field is not a text, or too long."),
    ))]
pub(crate) async fn create(_: Caller<READ_SOME>, session: Session, body: Body) -> Result<Response> {
    let body = body.required()?;
    let title = text(&body, "title", MAX_TITLE_CHARS, "titleInvalid")?;
    let card = Card {
        title: title.ok_or(Error::bad_request("titleMissing"))?,
        intro: text(&body, "intro", MAX_INTRO_CHARS, "introInvalid")?.unwrap_or_default(),
        service: session.config().mail.service.clone(),
    };
    let png = session.compute(move |_| card.png()).await?.map_err(Error::internal)?;
    Ok(ok(&SocialImageResponse {
        result: Outcome::Success,
        img: format!("data:image/png;base64,{}", STANDARD.encode(png)),
    }))
}

/// Returns a text field; `None` if it is missing or empty.
fn text(body: &JsonObject, field: &str, max_chars: usize, code: &'static str) -> Result<Option<String>> {
    match body.get(field) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if text.chars().count() <= max_chars => {
            Ok(Some(text.trim().to_owned()).filter(|text| !text.is_empty()))
        }
        Some(_) => Err(Error::bad_request(code)),
    }
}
