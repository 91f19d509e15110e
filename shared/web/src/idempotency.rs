//! `Idempotency-Key`: a request that makes something may be sent again, and makes it once.
//!
//! The commit that makes it is named by who calls, method, path and key, so whichever process gets the repeat finds that it has
//! landed; and it carries the answer, sealed, so that the repeat is answered alike. Both last for a day.

use std::sync::OnceLock;

use bespoke_database::CommitId;
use http::{HeaderMap, HeaderName, Method, Uri};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};
use utoipa::IntoParams;
use uuid::Uuid;

use crate::{Context, Error, Result};

const HEADER: HeaderName = HeaderName::from_static("idempotency-key");
/// The longest key, in bytes.
const MAX_KEY_BYTES: usize = 255;
/// The longest answer that is kept, in bytes; for a longer one the record is read anew.
const MAX_ANSWER_BYTES: usize = 4 * 1024;
/// Bytes of a body's digest that are kept.
const DIGEST_BYTES: usize = 16;

/// The header, for the description of a route.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "describes a request")]
pub struct IdempotencyKey {
    /// Makes the request one that may be sent again: for 24 hours a repeat by the same caller takes no effect, and gets the
    /// answer of the first.
    #[param(rename = "Idempotency-Key", min_length = 1, max_length = 255)]
    idempotency_key: Option<String>,
}

/// What a request says about being repeated.
#[derive(Default)]
pub(crate) struct Repeatable {
    method: Method,
    path: String,
    /// `None` where it is not to be repeated.
    key: Option<Result<String>>,
    body: OnceLock<String>,
}

impl Repeatable {
    pub(crate) fn of(method: &Method, uri: &Uri, headers: &HeaderMap) -> Self {
        let mut keys = headers.get_all(HEADER).iter();
        let key = keys.next().filter(|_| method == Method::POST).map(|value| {
            let text = value.to_str().unwrap_or_default();
            if (1..=MAX_KEY_BYTES).contains(&text.len()) && keys.next().is_none() {
                Ok(text.to_owned())
            } else {
                Err(Error::bad_request("badRequest"))
            }
        });
        Self {
            method: method.clone(),
            path: uri.path().to_owned(),
            key,
            body: OnceLock::new(),
        }
    }

    /// Takes note of the body, which is part of the request.
    pub(crate) fn note_body(&self, bytes: &[u8]) {
        if self.key.is_some() {
            self.body.get_or_init(|| digest(bytes));
        }
    }

    /// The repeat that this request of `caller` may be; `None` where it is none.
    pub(crate) fn by(&self, caller: Uuid, context: &Context) -> Result<Option<Repeat>> {
        let Some(key) = &self.key else { return Ok(None) };
        let key = key.as_ref().map_err(Clone::clone)?;
        let index = context.database().index();
        let request = index.request(&[
            caller.as_bytes(),
            self.method.as_str().as_bytes(),
            self.path.as_bytes(),
            key.as_bytes(),
        ]);
        Ok(Some(Repeat {
            id: Uuid::from_bytes(request),
            body: self.body.get().cloned().unwrap_or_else(|| digest(&[])),
        }))
    }
}

fn digest(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    digest[..DIGEST_BYTES]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// A request that may be sent again.
#[derive(Clone)]
pub(crate) struct Repeat {
    id: Uuid,
    body: String,
}

/// What the commit of such a request carries.
#[derive(Serialize, Deserialize)]
pub(crate) struct Kept<T> {
    body: String,
    /// The answer, sealed.
    answer: Option<String>,
    /// Where the answer is too long: what leads to the record.
    made: Option<T>,
}

/// An answer to a request that made something.
#[derive(Debug)]
pub struct Made<V> {
    answer: Told<V>,
    /// Whether an earlier request had made it.
    pub again: bool,
}

#[derive(Debug)]
enum Told<V> {
    /// As it is now.
    Anew(V),
    /// As it was when it was made.
    Kept(Box<RawValue>),
}

impl<V> Made<V> {
    pub(crate) fn anew(answer: V, again: bool) -> Self {
        Self {
            answer: Told::Anew(answer),
            again,
        }
    }

    pub(crate) fn kept(answer: Box<RawValue>, again: bool) -> Self {
        Self {
            answer: Told::Kept(answer),
            again,
        }
    }
}

impl<V: Serialize> Serialize for Made<V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.answer {
            Told::Anew(answer) => answer.serialize(serializer),
            Told::Kept(answer) => answer.serialize(serializer),
        }
    }
}

/// What an earlier request left for its repeat.
pub(crate) enum Opened<T> {
    Answer(Box<RawValue>),
    Record(T),
}

impl Repeat {
    pub(crate) fn commit_id(&self) -> CommitId {
        CommitId::with_answer(format!("request:{}", self.id)).expect("a UUID is short enough for an id")
    }

    pub(crate) fn keep<T>(&self, made: T, answer: &impl Serialize, context: &Context) -> Kept<T> {
        let text = serde_json::to_string(answer).expect("answers are plain structures with text keys");
        let short = text.len() <= MAX_ANSWER_BYTES;
        Kept {
            body: self.body.clone(),
            answer: short.then(|| context.database().seal_answer(self.id, &text)),
            made: (!short).then_some(made),
        }
    }

    /// # Errors
    /// 422 where it was left by another request under the same key.
    pub(crate) fn open<T>(&self, kept: Kept<T>, context: &Context) -> Result<Opened<T>> {
        if kept.body != self.body {
            return Err(Error::unprocessable("idempotencyKeyReused"));
        }
        match (kept.answer, kept.made) {
            (Some(sealed), _) => {
                let text = context.database().open_answer(self.id, &sealed)?;
                RawValue::from_string(text).map(Opened::Answer).map_err(Error::internal)
            }
            (None, Some(made)) => Ok(Opened::Record(made)),
            (None, None) => Err(Error::internal("a kept answer without an answer")),
        }
    }
}
