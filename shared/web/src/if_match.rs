//! `If-Match`: of two who change a record that both have read, the second is told, and overwrites nothing.

use axum::body::Bytes;
use axum::extract::FromRequestParts;
use axum::response::Response;
use bespoke_database::{Shown, Stored};
use http::request::Parts;
use http::{HeaderValue, header};
use serde::Serialize;

use crate::{Error, Outcome, Result, answer, tag};

/// Between what a record says, which `If-Match` is about, and what is only in the answer.
const SEPARATOR: char = '.';

/// What follows from what a record says, and so changes with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContentTag(String);

impl ContentTag {
    /// Of what a record says.
    pub fn of(content: &impl Serialize) -> Self {
        Self(tag::of(&answer::text(content)))
    }

    /// `body` under an ETag of this, and behind that of what else the answer shows, such as links that end.
    pub fn on(&self, body: &impl Serialize) -> Tagged {
        let mut text = answer::text(body);
        let tag = format!("W/\"{}{SEPARATOR}{}\"", self.0, tag::of(&text));
        // In one piece of memory: they are asked for together.
        let end = text.len();
        text.extend_from_slice(tag.as_bytes());
        let mut text = Bytes::from(text);
        let tag = text.split_off(end);
        Tagged(Shown { text, tag })
    }
}

/// A JSON body under its ETag.
#[derive(Debug, Clone)]
pub struct Tagged(Shown);

impl Tagged {
    /// The one that is kept with `record`, or is from now on. It must not depend on anything else.
    pub fn kept<T>(record: &Stored<T>, make: impl FnOnce() -> Self) -> Self {
        Self(record.shown(|| make().0))
    }

    /// Answers with it.
    pub fn answer(self, outcome: Outcome) -> Response {
        let Shown { text, tag } = self.0;
        let mut response = answer::json_text(outcome.status(), text);
        let tag = HeaderValue::from_maybe_shared(tag).expect("hexadecimal digits are visible ASCII");
        response.headers_mut().insert(header::ETAG, tag);
        response
    }
}

/// What a client says that it has read.
#[derive(Debug, Clone, Default)]
pub struct IfMatch(Option<String>);

impl IfMatch {
    /// Makes sure that the record, which has that tag now, is one that the client has read.
    ///
    /// # Errors
    /// 412 when it is another.
    pub fn check(&self, now: impl FnOnce() -> ContentTag) -> Result<()> {
        let Some(sent) = &self.0 else { return Ok(()) };
        let ContentTag(now) = now();
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
        let content = ContentTag::of(&"content");
        let sent = |text: &str| IfMatch(Some(text.to_owned()));
        let on = |body: &str| content.on(&body).answer(Outcome::Success).headers()[header::ETAG].clone();
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
