//! Conditional GET: every body has a weak ETag, and a client that already has the body gets 304.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, Method, StatusCode, header};

use super::collect::collect;
use crate::response::tag_of;

/// Adds an ETag to a response with status 200, and turns the response into 304 if the client has the same body.
pub(super) async fn apply(method: &Method, if_none_match: Option<&HeaderValue>, response: Response) -> Response {
    if response.status() != StatusCode::OK || !(method == Method::GET || method == Method::HEAD) {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let bytes = match collect(body).await {
        Ok(bytes) => bytes,
        Err(error) => return error.into_response(),
    };
    if !parts.headers.contains_key(header::ETAG) {
        parts.headers.insert(header::ETAG, etag_of(&bytes));
    }
    if if_none_match.is_some_and(|sent| matches(sent, &parts.headers[header::ETAG])) {
        parts.status = StatusCode::NOT_MODIFIED;
        parts.headers.remove(header::CONTENT_TYPE);
        return Response::from_parts(parts, Body::empty());
    }
    parts.headers.insert(header::CONTENT_LENGTH, bytes.len().into());
    Response::from_parts(parts, Body::from(bytes))
}

/// Returns the ETag of a body.
pub(super) fn etag_of(bytes: &[u8]) -> HeaderValue {
    let text = format!("W/\"{}\"", tag_of(bytes));
    HeaderValue::try_from(text).expect("hexadecimal digits are visible ASCII")
}

/// Whether `If-None-Match` matches the tag: it is `*`, or a list that contains the tag. The comparison ignores whether a tag is weak.
fn matches(sent: &HeaderValue, tag: &HeaderValue) -> bool {
    let opaque = |text: &str| text.trim().trim_start_matches("W/").to_owned();
    let (Ok(sent), Ok(tag)) = (sent.to_str(), tag.to_str()) else {
        return false;
    };
    sent.trim() == "*" || sent.split(',').any(|item| opaque(item) == opaque(tag))
}
