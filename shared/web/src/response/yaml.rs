//! YAML responses.

use std::fmt::Display;
use std::io::{self, Write};

use axum::response::Response;
use http::{HeaderValue, StatusCode};
use serde::Serialize;

use super::error::Error;
use super::json::{MAX_LIST_BYTES, document};

/// Characters that are line breaks in YAML 1.1, but not in YAML 1.2.
const LINE_SEPARATORS: [char; 2] = ['\u{2028}', '\u{2029}'];
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

/// Serializes a value as YAML. Indentation can make a nested value many times longer than its JSON, so the text is limited while it is written.
///
/// # Errors
/// 413 `listTooLarge` if the text exceeds [`MAX_LIST_BYTES`].
pub(crate) fn yaml_text(body: &impl Serialize) -> Result<Vec<u8>, Error> {
    let text = bounded_text(|text| yaml_serde::to_writer(text, body))?;
    let has_separators = str::from_utf8(&text)
        .map_err(Error::internal)?
        .contains(LINE_SEPARATORS);
    if has_separators { flow_text(body) } else { Ok(text) }
}

/// Serializes a value in the flow style of YAML, which looks like JSON. All its texts are in double quotes, with escapes for all characters that
/// are line breaks or not printable in any version of YAML. The serializer of YAML writes U+2028 and U+2029 as line breaks of version 1.1, and
/// readers of version 1.2 then find other texts or no document.
fn flow_text(body: &impl Serialize) -> Result<Vec<u8>, Error> {
    let json = bounded_text(|text| serde_json::to_writer_pretty(text, body))?;
    let json = str::from_utf8(&json).map_err(Error::internal)?;
    bounded_text(|text| {
        for character in json.chars() {
            match character {
                // Outside of texts, JSON contains only these.
                '\n' | ' '..='~' => write!(text, "{character}")?,
                '\u{2028}' | '\u{2029}' | '\u{feff}' => write!(text, "\\u{:04x}", u32::from(character))?,
                '\u{a0}'..='\u{fffd}' | '\u{10000}'.. => write!(text, "{character}")?,
                _ => write!(text, "\\u{:04x}", u32::from(character))?,
            }
        }
        writeln!(text)
    })
}

/// Returns the text that `write` writes.
///
/// # Errors
/// 413 `listTooLarge` if it exceeds [`MAX_LIST_BYTES`].
fn bounded_text<E: Display>(write: impl FnOnce(&mut BoundedText) -> Result<(), E>) -> Result<Vec<u8>, Error> {
    let mut text = BoundedText::default();
    match write(&mut text) {
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

    #[test]
    fn line_separators_are_escaped() {
        let texts = [
            "\u{2028}",
            "a\u{2029}b",
            "\u{2028}\n",
            "\u{2028}\r\t\u{7f}\u{85}\u{9f}\u{feff}\u{1}\u{ffff}é\u{1f600}\\\"",
        ];
        for text in texts {
            let body = json!({ "value": text, text: [1, 2.5, null, true, "no"] });
            let written = String::from_utf8(yaml_text(&body).unwrap()).unwrap();
            assert!(
                !written.contains(['\u{2028}', '\u{2029}', '\u{85}', '\u{7f}', '\u{feff}']),
                "{written}"
            );
            assert_eq!(yaml_serde::from_str::<Value>(&written).unwrap(), body, "{written}");
        }
        let plain = json!({ "value": "é" });
        assert_eq!(yaml_text(&plain).unwrap(), "value: é\n".as_bytes());
    }

    #[test]
    fn escaped_text_is_limited() {
        let body = "\u{2028}".repeat(MAX_LIST_BYTES / 4);
        let error = yaml_text(&body).unwrap_err();
        assert_eq!((error.status().as_u16(), error.code()), (413, "listTooLarge"));
    }
}
