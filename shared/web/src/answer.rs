//! Answers that are no errors.

use std::io::{self, Write};

use axum::body::Body;
use axum::response::Response;
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;
use utoipa::ToSchema;

use crate::paging::MAX_LIST_BYTES;
use crate::{Context, Error, Session};

const JSON: HeaderValue = HeaderValue::from_static("application/json; charset=utf-8");
/// What an answer has in headers, as a rule: room for them is made at once.
const HEADERS: usize = 24;
const YAML: HeaderValue = HeaderValue::from_static("text/yaml; charset=utf-8");

/// The first field of every answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// Goes with status 200.
    Success,
    /// Goes with status 201.
    Created,
}

impl Outcome {
    /// The JSON body under the status that goes with it.
    pub fn answer(self, body: &impl Serialize) -> Response {
        json(self.status(), body)
    }

    pub(crate) const fn status(self) -> StatusCode {
        match self {
            Self::Success => StatusCode::OK,
            Self::Created => StatusCode::CREATED,
        }
    }
}

/// 200 with a JSON body.
pub fn ok(body: &impl Serialize) -> Response {
    json(StatusCode::OK, body)
}

/// 201 with a JSON body.
pub fn created(body: &impl Serialize) -> Response {
    json(StatusCode::CREATED, body)
}

/// 204.
pub fn no_content() -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}

/// A YAML document; `None` is what a `.yaml` route answers for a missing record: 404 with the text `null`.
///
/// # Errors
/// [`Error`] when the value cannot be written as YAML.
pub fn yaml(body: Option<&impl Serialize>) -> Result<Response, Error> {
    let (status, text) = match body {
        Some(body) => (StatusCode::OK, yaml_text(body)?),
        None => (StatusCode::NOT_FOUND, b"null\n".to_vec()),
    };
    Ok(yaml_document(status, text))
}

/// A record with free-form JSON as a YAML document. Writes it outside the async threads, because indentation makes nested values many times longer.
///
/// # Errors
/// 413 `listTooLarge`
pub async fn record_as_yaml(session: &Session, record: impl Serialize + Send + 'static) -> Result<Response, Error> {
    // Through a value, because the library does not know JSON that is stored as text.
    let write = move |_: &Context| yaml(Some(&serde_json::to_value(record).map_err(Error::internal)?));
    session.compute(write).await?
}

/// Writes YAML of at most [`MAX_LIST_BYTES`].
///
/// # Errors
/// 413 `listTooLarge`
pub(crate) fn yaml_text(body: &impl Serialize) -> Result<Vec<u8>, Error> {
    let mut text = BoundedText::default();
    match yaml_serde::to_writer(&mut text, body) {
        Ok(()) => Ok(text.bytes),
        Err(_) if text.is_full => Err(Error::list_too_large()),
        Err(error) => Err(Error::internal(error)),
    }
}

/// A text that is written until it has [`MAX_LIST_BYTES`].
#[derive(Default)]
struct BoundedText {
    bytes: Vec<u8>,
    is_full: bool,
}

impl Write for BoundedText {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.is_full = self.bytes.len() + bytes.len() > MAX_LIST_BYTES;
        if self.is_full {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

pub(crate) fn yaml_document(status: StatusCode, text: Vec<u8>) -> Response {
    document(status, YAML, text)
}

/// Any status with a JSON body.
pub fn json(status: StatusCode, body: &impl Serialize) -> Response {
    json_text(status, text(body))
}

pub(crate) fn text(body: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(body).expect("answers are plain structures with text keys")
}

pub(crate) fn json_text(status: StatusCode, text: impl Into<Body>) -> Response {
    document(status, JSON, text)
}

fn document(status: StatusCode, kind: HeaderValue, text: impl Into<Body>) -> Response {
    let mut response = Response::new(text.into());
    *response.status_mut() = status;
    response.headers_mut().reserve(HEADERS);
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}
