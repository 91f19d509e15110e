//! Conditional GET: every body has an ETag, and a client that has it already gets 304. The ETag of a streamed body comes from its handler,
//! because only its pieces are in memory; the others have a weak one that is computed of their bytes.

use axum::body::{Body, HttpBody as _};
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, Method, StatusCode, header};

use crate::tag;

/// Adds the ETag to an answer with status 200; turns it into 304 when the client has that body.
pub(super) async fn apply(method: &Method, if_none_match: Option<&HeaderValue>, response: Response) -> Response {
    if response.status() != StatusCode::OK || !(method == Method::GET || method == Method::HEAD) {
        return response;
    }
    let (mut parts, mut body) = response.into_parts();
    let is_streamed = body.size_hint().exact().is_none();
    if !is_streamed {
        let bytes = match super::whole(body).await {
            Ok(bytes) => bytes,
            Err(error) => return error.into_response(),
        };
        if !parts.headers.contains_key(header::ETAG) {
            parts.headers.insert(header::ETAG, of(&bytes));
        }
        parts.headers.insert(header::CONTENT_LENGTH, bytes.len().into());
        body = Body::from(bytes);
    }
    let is_known = |tag: &HeaderValue| if_none_match.is_some_and(|sent| matches(sent, tag));
    if parts.headers.get(header::ETAG).is_some_and(is_known) {
        parts.status = StatusCode::NOT_MODIFIED;
        parts.headers.remove(header::CONTENT_TYPE);
        parts.headers.remove(header::CONTENT_LENGTH);
        body = Body::empty();
    }
    Response::from_parts(parts, body)
}

/// The tag of a body.
pub(super) fn of(bytes: &[u8]) -> HeaderValue {
    let text = format!("W/\"{}\"", tag::of(bytes));
    HeaderValue::try_from(text).expect("hexadecimal digits are visible ASCII")
}

/// Whether `If-None-Match` names the tag: `*`, or a list that has it, weak or not.
fn matches(sent: &HeaderValue, tag: &HeaderValue) -> bool {
    let opaque = |text: &str| text.trim().trim_start_matches("W/").to_owned();
    let (Ok(sent), Ok(tag)) = (sent.to_str(), tag.to_str()) else {
        return false;
    };
    sent.trim() == "*" || sent.split(',').any(|item| opaque(item) == opaque(tag))
}
