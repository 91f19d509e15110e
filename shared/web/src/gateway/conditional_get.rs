//! Conditional GET: every body has an ETag, and a client that already has the body gets 304. The ETag of a streamed body comes from its handler,
//! because only pieces of the body are in memory. The other bodies get a weak ETag that is computed from their bytes.

use axum::body::{Body, HttpBody as _};
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, Method, StatusCode, header};

use super::collect::collect;
use crate::response::tag_of;

/// Adds an ETag to a response with status 200, and turns the response into 304 if the client has the same body.
pub(super) async fn apply(method: &Method, if_none_match: Option<&HeaderValue>, response: Response) -> Response {
    if response.status() != StatusCode::OK || !(method == Method::GET || method == Method::HEAD) {
        return response;
    }
    let (mut parts, mut body) = response.into_parts();
    let is_streamed = body.size_hint().exact().is_none();
    if !is_streamed {
        let bytes = match collect(body).await {
            Ok(bytes) => bytes,
            Err(error) => return error.into_response(),
        };
        if !parts.headers.contains_key(header::ETAG) {
            parts.headers.insert(header::ETAG, etag_of(&bytes));
        }
        parts.headers.insert(header::CONTENT_LENGTH, bytes.len().into());
        body = Body::from(bytes);
    }
    let client_has = |tag: &HeaderValue| if_none_match.is_some_and(|condition| matches(condition, tag));
    if parts.headers.get(header::ETAG).is_some_and(client_has) {
        parts.status = StatusCode::NOT_MODIFIED;
        parts.headers.remove(header::CONTENT_TYPE);
        parts.headers.remove(header::CONTENT_LENGTH);
        body = Body::empty();
    }
    Response::from_parts(parts, body)
}

/// Returns the ETag of a body.
pub(super) fn etag_of(bytes: &[u8]) -> HeaderValue {
    let text = format!("W/\"{}\"", tag_of(bytes));
    HeaderValue::try_from(text).expect("hexadecimal digits are visible ASCII")
}

/// Whether `If-None-Match` matches the tag: it is `*`, or a list that contains the tag. The comparison ignores whether a tag is weak.
fn matches(if_none_match: &HeaderValue, tag: &HeaderValue) -> bool {
    let opaque = |text: &str| text.trim().trim_start_matches("W/").to_owned();
    let (Ok(condition), Ok(tag)) = (if_none_match.to_str(), tag.to_str()) else {
        return false;
    };
    condition.trim() == "*" || condition.split(',').any(|item| opaque(item) == opaque(tag))
}
