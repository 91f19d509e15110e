//! `If-Match`: of two who change a record that both have read, the second is told, and overwrites nothing.

use std::fmt::Write;

use axum::extract::FromRequestParts;
use axum::response::Response;
use http::request::Parts;
use http::{HeaderValue, header};
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::{Error, Result, answer};

/// Bytes of each hash in a tag.
const TAG_BYTES: usize = 16;
/// Between what a record says, which `If-Match` is about, and what is only in the answer.
const SEPARATOR: char = '.';

/// The ETag of a record: it follows from what the record says, and behind that from what else the answer shows, such as links that
/// end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tag {
    content: String,
    rest: String,
}

impl Tag {
    /// Of what a record says, and of what else the answer shows.
    pub fn of(content: &impl Serialize, rest: &impl Serialize) -> Self {
        Self {
            content: hash(content),
            rest: hash(rest),
        }
    }

    /// Puts it into an answer.
    #[must_use]
    pub fn on(&self, mut response: Response) -> Response {
        let text = format!("W/\"{}{SEPARATOR}{}\"", self.content, self.rest);
        let value = HeaderValue::try_from(text).expect("hexadecimal digits are visible ASCII");
        response.headers_mut().insert(header::ETAG, value);
        response
    }
}

fn hash(value: &impl Serialize) -> String {
    let digest = Sha256::digest(answer::text(value));
    digest[..TAG_BYTES].iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing to a String cannot fail");
        text
    })
}

/// What a client says that it has read.
#[derive(Debug, Clone, Default)]
pub struct IfMatch(Option<String>);

impl IfMatch {
    /// Makes sure that the record, which has that content now, is one that the client has read.
    ///
    /// # Errors
    /// 412 when it is another.
    pub fn check(&self, content: &impl Serialize) -> Result<()> {
        let Some(sent) = &self.0 else { return Ok(()) };
        let now = hash(content);
        let is_now = |item: &str| {
            let tag = item.trim().trim_start_matches("W/").trim_matches('"');
            tag.split(SEPARATOR).next() == Some(&now)
        };
        if sent.trim() == "*" || sent.split(',').any(is_now) {
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
    fn the_content_decides_and_what_else_is_shown_does_not() {
        let sent = |text: &str| IfMatch(Some(text.to_owned()));
        let response = Tag::of(&"content", &"a link").on(Response::default());
        let tag = response.headers()[header::ETAG].to_str().unwrap();
        assert_ne!(Tag::of(&"content", &"a link"), Tag::of(&"content", &"another"));
        for good in [tag, tag.trim_start_matches("W/"), "*", &format!("\"x\", {tag}")] {
            assert!(sent(good).check(&"content").is_ok(), "{good}");
        }
        assert!(IfMatch(None).check(&"changed").is_ok());
        for bad in [tag, "", "x", "\"", "W/\"\"", ",,,", "**"] {
            let error = sent(bad).check(&"changed").unwrap_err();
            assert_eq!(
                (error.status().as_u16(), error.code()),
                (412, "preconditionFailed"),
                "{bad}"
            );
        }
    }
}
