//! [`NewBookmark`]: parses and checks the fields of a bookmark in a request.

use bespoke_core::entity::bookmark::{BookmarkContent, KINDS, is_link};
use bespoke_core::validate::MAX_NAME_BYTES;
use serde_json::Value;
use utoipa::ToSchema;

use crate::body::{JsonObject, truthy};
use crate::response::{Error, Result};

/// Maximum length of the target of a bookmark, in bytes.
const MAX_URL_BYTES: usize = 4096;

/// A new bookmark.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes a request")]
pub struct NewBookmark {
    /// Title, at most 1024 bytes.
    #[schema(example = "Aaron, for Jane")]
    title: String,
    /// Target: an `http(s)` URL, or a path relative to the site. At most 4096 bytes.
    #[schema(example = "/designs/aaron")]
    url: String,
    /// Type of the target.
    #[schema(pattern = "^(set|cset|pattern|design|doc|custom)$", example = "design")]
    r#type: String,
}

/// Creates the content of a bookmark from the fields of a request.
///
/// # Errors
/// 400 `titleMissing`, `urlMissing`, `typeMissing`, `titleTooLong`, `urlInvalid`, `typeInvalid`
pub fn create(body: &JsonObject) -> Result<BookmarkContent> {
    let text = |field: &str, missing| {
        let text = body.get(field).and_then(Value::as_str).filter(|text| !text.is_empty());
        text.map(str::to_owned).ok_or(Error::bad_request(missing))
    };
    let title = text("title", "titleMissing")?;
    let url = text("url", "urlMissing")?;
    let kind = body.get("type").filter(|kind| truthy(kind));
    let kind = kind.ok_or(Error::bad_request("typeMissing"))?;
    let kind = kind.as_str().filter(|kind| KINDS.contains(kind));
    let kind = kind.ok_or(Error::bad_request("typeInvalid"))?.to_owned();
    if !is_title(&title) {
        return Err(Error::bad_request("titleTooLong"));
    }
    if !is_url(&url) {
        return Err(Error::bad_request("urlInvalid"));
    }
    Ok(BookmarkContent { kind, title, url })
}

/// Whether a text is a valid title.
pub fn is_title(text: &str) -> bool {
    !text.is_empty() && text.len() <= MAX_NAME_BYTES
}

/// Whether a text is a valid target.
pub fn is_url(text: &str) -> bool {
    text.len() <= MAX_URL_BYTES && is_link(text)
}
