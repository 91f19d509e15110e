//! The fields of a request.

use bespoke_web::{Error, JsonObject, Result, truthy};
use serde_json::Value;

/// The longest title of an issue or a discussion, in bytes: as long as GitHub takes.
pub(crate) const MAX_TITLE_BYTES: usize = 256;
/// The longest text of an issue or a discussion, in bytes: as long as GitHub takes.
pub(crate) const MAX_BODY_BYTES: usize = 65_536;

/// The value of a field that has one.
pub(crate) fn given<'a>(body: &'a JsonObject, name: &str, missing: &'static str) -> Result<&'a Value> {
    let value = body.get(name).filter(|value| truthy(value));
    value.ok_or(Error::bad_request(missing))
}

/// The text of a field, when it has one of at most so many bytes that says something.
pub(crate) fn text(
    body: &JsonObject,
    name: &str,
    max_bytes: usize,
    (missing, invalid): (&'static str, &'static str),
) -> Result<String> {
    let text = given(body, name, missing)?.as_str();
    let text = text.filter(|text| text.len() <= max_bytes && !text.trim().is_empty());
    text.map(str::to_owned).ok_or(Error::bad_request(invalid))
}

/// Title and text of what is opened at GitHub.
pub(crate) fn title_and_body(body: &JsonObject) -> Result<(String, String)> {
    given(body, "title", "titleMissing")?;
    given(body, "body", "bodyMissing")?;
    Ok((
        text(body, "title", MAX_TITLE_BYTES, ("titleMissing", "titleInvalid"))?,
        text(body, "body", MAX_BODY_BYTES, ("bodyMissing", "bodyInvalid"))?,
    ))
}
