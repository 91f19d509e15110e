//! [`IfMatch`]: a client changes a record only if the record is still as the client has read it, so that concurrent changes do not overwrite
//! each other. [`ContentTag`] is the tag that is compared.

use axum::body::Bytes;
use axum::extract::FromRequestParts;
use axum::response::Response;
use bespoke_database::{CachedRecord, CachedResponse};
use http::request::Parts;
use http::{HeaderValue, header};
use serde::Serialize;

use crate::response::{Error, Outcome, Result, json_text, tag_of, to_json};

/// Separates the two parts of an ETag: the tag of the content, which `If-Match` compares, and the tag of the response.
const SEPARATOR: char = '.';

/// The tag of the content of a record. It changes with the content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContentTag(String);

impl ContentTag {
    /// Returns the tag of the content of a record.
    pub fn of(content: &impl Serialize) -> Self {
        Self(tag_of(&to_json(content)))
    }

    /// Serializes `body` with an ETag that consists of this tag and of a tag of the complete response, because the response also contains
    /// values that are not content, such as links that expire.
    pub fn on(&self, body: &impl Serialize) -> TaggedBody {
        let mut text = to_json(body);
        let tag = format!("W/\"{}{SEPARATOR}{}\"", self.0, tag_of(&text));
        // One allocation holds both, because they are always used together.
        let end = text.len();
        text.extend_from_slice(tag.as_bytes());
        // A cached response must not occupy more memory than it needs.
        let mut text = Bytes::from(text.into_boxed_slice());
        let tag = text.split_off(end);
        TaggedBody(CachedResponse { text, tag })
    }
}

/// A JSON body with its ETag.
#[derive(Debug, Clone)]
pub struct TaggedBody(CachedResponse);

impl TaggedBody {
    /// Returns the body that is cached with `record`, or creates and caches it. The body must depend on the record alone.
    pub fn cached<T>(record: &CachedRecord<T>, make: impl FnOnce() -> Self) -> Self {
        Self(record.response(|| make().0))
    }

    /// Returns the response.
    pub fn into_response(self, outcome: Outcome) -> Response {
        let CachedResponse { text, tag } = self.0;
        let mut response = json_text(outcome.status(), text);
        let tag = HeaderValue::from_maybe_shared(tag).expect("hexadecimal digits are visible ASCII");
        response.headers_mut().insert(header::ETAG, tag);
        response
    }
}

/// The `If-Match` header of a request.
#[derive(Debug, Clone, Default)]
pub struct IfMatch(Option<String>);

impl IfMatch {
    /// Checks that the record, whose present tag is `current`, is still as the client has read it. Succeeds without the header.
    ///
    /// # Errors
    /// 412 if the record has changed.
    pub fn check(&self, current: impl FnOnce() -> ContentTag) -> Result<()> {
        let Some(condition) = &self.0 else { return Ok(()) };
        let ContentTag(current) = current();
        let is_current = |item: &str| {
            let tag = item.trim().trim_start_matches("W/").trim_matches('"');
            tag.split(SEPARATOR).next() == Some(&current)
        };
        if condition.trim() == "*" || condition.split(',').any(is_current) {
            Ok(())
        } else {
            Err(Error::precondition_failed())
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for IfMatch {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self> {
        let values: Vec<_> = parts.headers.get_all(header::IF_MATCH).iter().collect();
        let texts = values.iter().map(|value| value.to_str().unwrap_or_default());
        Ok(Self((!values.is_empty()).then(|| texts.collect::<Vec<_>>().join(","))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_content_is_compared() {
        let content = ContentTag::of(&"content");
        let sent = |text: &str| IfMatch(Some(text.to_owned()));
        let on = |body: &str| content.on(&body).into_response(Outcome::Success).headers()[header::ETAG].clone();
        let tag = on("a link");
        let tag = tag.to_str().unwrap();
        assert_ne!(tag, on("another"));
        for good in [tag, tag.trim_start_matches("W/"), "*", &format!("\"x\", {tag}")] {
            assert!(sent(good).check(|| content.clone()).is_ok(), "{good}");
        }
        let changed = || ContentTag::of(&"changed");
        assert!(IfMatch(None).check(changed).is_ok());
        for bad in [tag, "", "x", "\"", "W/\"\"", ",,,", "**"] {
            let error = sent(bad).check(changed).unwrap_err();
            assert_eq!(
                (error.status().as_u16(), error.code()),
                (412, "preconditionFailed"),
                "{bad}"
            );
        }
    }
}
