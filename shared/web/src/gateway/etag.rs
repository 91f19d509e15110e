//! Conditional GET: every body has a weak ETag, and a client that has it already gets 304.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, Method, StatusCode, header};

use crate::tag;

/// Adds the ETag to an answer with status 200; turns it into 304 when the client has that body.
pub(super) async fn apply(method: &Method, if_none_match: Option<&HeaderValue>, response: Response) -> Response {
    if response.status() != StatusCode::OK || !(method == Method::GET || method == Method::HEAD) {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let bytes = match super::whole(body).await {
        Ok(bytes) => bytes,
        Err(error) => return error.into_response(),
    };
    if !parts.headers.contains_key(header::ETAG) {
        parts.headers.insert(header::ETAG, of(&bytes));
    }
    if if_none_match.is_some_and(|sent| matches(sent, &parts.headers[header::ETAG])) {
        parts.status = StatusCode::NOT_MODIFIED;
        parts.headers.remove(header::CONTENT_TYPE);
        return Response::from_parts(parts, Body::empty());
    }
    parts.headers.insert(header::CONTENT_LENGTH, bytes.len().into());
    Response::from_parts(parts, Body::from(bytes))
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
