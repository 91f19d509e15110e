//! [`yaml`]: responses as YAML, which parsers of YAML 1.1 and 1.2 read alike.

use std::io::{self, Write};

use axum::response::Response;
use http::{HeaderValue, StatusCode};
use serde::Serialize;

use super::error::Error;
use super::json::{MAX_LIST_BYTES, document};

const YAML: HeaderValue = HeaderValue::from_static("text/yaml; charset=utf-8");

/// Returns 200 with a YAML document. For a missing record (`None`), a `.yaml` route returns 404 with the text `null`.
///
/// # Errors
/// 413 `listTooLarge`
pub fn yaml(body: Option<&impl Serialize>) -> Result<Response, Error> {
    let (status, text) = match body {
        Some(body) => (StatusCode::OK, yaml_text(body)?),
        None => (StatusCode::NOT_FOUND, b"null\n".to_vec()),
    };
    Ok(yaml_document(status, text))
}

/// Serializes a value as YAML. A text that a reader of YAML 1.1 or 1.2 would take for a value of another type, such as `no`, `12:30` or a date, is
/// quoted. Indentation can make a nested value many times longer than its JSON, so the text is limited while it is written.
///
/// # Errors
/// 413 `listTooLarge` if the text exceeds [`MAX_LIST_BYTES`].
pub(crate) fn yaml_text(body: &impl Serialize) -> Result<Vec<u8>, Error> {
    let mut text = BoundedText::default();
    match serde_saphyr::to_io_writer(&mut text, body) {
        Ok(()) => Ok(text.bytes),
        Err(_) if text.is_full => Err(Error::list_too_large()),
        Err(error) => Err(Error::internal(error)),
    }
}

/// A text of at most [`MAX_LIST_BYTES`].
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

/// Returns a response with that YAML text.
pub(crate) fn yaml_document(status: StatusCode, text: Vec<u8>) -> Response {
    document(status, YAML, text)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn yaml_is_limited_while_it_is_written() {
        // Each of these values is indented by up to 240 blanks.
        let deep = |values: usize| {
            let values = Value::Array(vec![json!([]); values]);
            (0..120).fold(values, |value, _| json!([value]))
        };
        assert!(yaml(Some(&deep(10))).is_ok());
        let error = yaml(Some(&deep(100_000))).unwrap_err();
        assert_eq!((error.status().as_u16(), error.code()), (413, "listTooLarge"));
    }
}
