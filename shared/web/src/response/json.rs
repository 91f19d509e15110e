//! Successful responses as JSON: [`ok`], [`created`] and [`no_content`].

use axum::body::Body;
use axum::response::Response;
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;
use utoipa::ToSchema;

/// Maximum size of a list in one response, and of a YAML document, in bytes. A Lambda function can return 6 MB; this leaves a margin.
pub(crate) const MAX_LIST_BYTES: usize = 5_000_000;

const JSON: HeaderValue = HeaderValue::from_static("application/json; charset=utf-8");
/// The usual number of headers of a response. The map is allocated with this capacity, so that it does not grow step by step.
const HEADERS: usize = 24;

/// The field `result` of every successful response.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// Status 200.
    Success,
    /// Status 201.
    Created,
}

impl Outcome {
    /// Returns `body` as JSON, with the status of this outcome.
    pub fn into_response(self, body: &impl Serialize) -> Response {
        json(self.status(), body)
    }

    pub(crate) const fn status(self) -> StatusCode {
        match self {
            Self::Success => StatusCode::OK,
            Self::Created => StatusCode::CREATED,
        }
    }
}

/// Returns 200 with a JSON body.
pub fn ok(body: &impl Serialize) -> Response {
    json(StatusCode::OK, body)
}

/// Returns 201 with a JSON body.
pub fn created(body: &impl Serialize) -> Response {
    json(StatusCode::CREATED, body)
}

/// Returns 204.
pub fn no_content() -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}

/// Returns a JSON body with any status.
pub fn json(status: StatusCode, body: &impl Serialize) -> Response {
    json_text(status, to_json(body))
}

/// Serializes a value as JSON.
pub(crate) fn to_json(body: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(body).expect("response bodies are plain structures with text keys")
}

/// Returns a response with that JSON text.
pub(crate) fn json_text(status: StatusCode, text: impl Into<Body>) -> Response {
    document(status, JSON, text)
}

pub(super) fn document(status: StatusCode, content_type: HeaderValue, text: impl Into<Body>) -> Response {
    let mut response = Response::new(text.into());
    *response.status_mut() = status;
    response.headers_mut().reserve(HEADERS);
    response.headers_mut().insert(header::CONTENT_TYPE, content_type);
    response
}
