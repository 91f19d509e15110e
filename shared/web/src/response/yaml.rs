//! YAML responses.

use axum::response::Response;
use http::{HeaderValue, StatusCode};
use serde::Serialize;

use super::error::Error;
use super::json::document;

const YAML: HeaderValue = HeaderValue::from_static("text/yaml; charset=utf-8");

/// Returns 200 with a YAML document. For a missing record (`None`), a `.yaml` route returns 404 with the text `null`.
///
/// # Errors
/// [`Error`] if the value cannot be serialized.
pub fn yaml(body: Option<&impl Serialize>) -> Result<Response, Error> {
    let (status, text) = match body {
        Some(body) => (StatusCode::OK, yaml_text(body)?),
        None => (StatusCode::NOT_FOUND, "null\n".to_owned()),
    };
    Ok(yaml_document(status, text.into()))
}

/// Serializes a value as YAML.
///
/// # Errors
/// [`Error`] if the value cannot be serialized.
pub(crate) fn yaml_text(body: &impl Serialize) -> Result<String, Error> {
    yaml_serde::to_string(body).map_err(Error::internal)
}

/// Returns a response with that YAML text.
pub(crate) fn yaml_document(status: StatusCode, text: Vec<u8>) -> Response {
    document(status, YAML, text)
}
