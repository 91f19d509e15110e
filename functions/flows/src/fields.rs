//! Reads required texts from the bodies of this function's requests, and checks their lengths ([`text`], [`title_and_body`]).

use bespoke_web::{Error, JsonObject, Result, truthy};
use serde_json::Value;

/// Limit for the title of an issue or a discussion, in bytes. GitHub has the same limit.
pub(crate) const MAX_TITLE_BYTES: usize = 256;
/// Limit for the text of an issue or a discussion, in bytes. GitHub has the same limit.
pub(crate) const MAX_BODY_BYTES: usize = 65_536;

/// Returns the value of a field unless it is missing or empty.
pub(crate) fn required<'a>(body: &'a JsonObject, name: &str, missing: &'static str) -> Result<&'a Value> {
    let value = body.get(name).filter(|value| truthy(value));
    value.ok_or(Error::bad_request(missing))
}

/// Returns the string in a field. It must not be blank or exceed the limit in bytes.
pub(crate) fn text(
    body: &JsonObject,
    name: &str,
    max_bytes: usize,
    (missing, invalid): (&'static str, &'static str),
) -> Result<String> {
    let text = required(body, name, missing)?.as_str();
    let text = text.filter(|text| text.len() <= max_bytes && !text.trim().is_empty());
    text.map(str::to_owned).ok_or(Error::bad_request(invalid))
}

/// Returns the title and the text of an issue or a discussion.
pub(crate) fn title_and_body(body: &JsonObject) -> Result<(String, String)> {
    required(body, "title", "titleMissing")?;
    required(body, "body", "bodyMissing")?;
    Ok((
        text(body, "title", MAX_TITLE_BYTES, ("titleMissing", "titleInvalid"))?,
        text(body, "body", MAX_BODY_BYTES, ("bodyMissing", "bodyInvalid"))?,
    ))
}
