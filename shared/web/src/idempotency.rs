//! `Idempotency-Key`: a request that makes something may be sent again, and makes it once.
//!
//! The id of the commit is derived from the caller's credential, the method, the path and the key. For a day, any process that gets
//! the repeat finds by that id that the commit has landed, and the id of the record. The response is not stored: it shows the record
//! as it is now, with the image that came with it, which is stored after the commit.

use std::sync::OnceLock;

use bespoke_database::{CommitId, Committed};
use http::{HeaderMap, HeaderName, Method, Uri};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::{Context, Error, Identity, Result, Via};

const HEADER: HeaderName = HeaderName::from_static("idempotency-key");
/// The longest key, in bytes.
pub(crate) const MAX_KEY_BYTES: usize = 255;
/// Bytes of a body's digest that are kept.
const DIGEST_BYTES: usize = 16;

/// What a request says about being repeated.
#[derive(Default)]
pub(crate) struct Repeatable {
    /// `None` where it is not to be repeated.
    named: Option<Result<Named>>,
    body: OnceLock<String>,
}

/// A POST to a path, under a key.
struct Named {
    path: String,
    key: String,
}

impl Repeatable {
    pub(crate) fn of(method: &Method, uri: &Uri, headers: &HeaderMap) -> Self {
        let mut keys = headers.get_all(HEADER).iter();
        let named = keys.next().filter(|_| method == Method::POST).map(|value| {
            let text = value.to_str().unwrap_or_default();
            if (1..=MAX_KEY_BYTES).contains(&text.len()) && keys.next().is_none() {
                Ok(Named {
                    path: uri.path().to_owned(),
                    key: text.to_owned(),
                })
            } else {
                Err(Error::bad_request("badRequest"))
            }
        });
        Self {
            named,
            body: OnceLock::new(),
        }
    }

    /// Takes note of the body, which is part of the request.
    pub(crate) fn note_body(&self, bytes: &[u8]) {
        if self.named.is_some() {
            self.body.get_or_init(|| digest(bytes));
        }
    }

    /// The repeat that this request of `caller` may be; `None` without an `Idempotency-Key`. A repeat under another credential of
    /// the same account is a request of its own, because it could show that credential a record that it may not read.
    pub(crate) fn by(&self, caller: &Identity, context: &Context) -> Result<Option<Repeat>> {
        let Some(named) = &self.named else { return Ok(None) };
        let Named { path, key } = named.as_ref().map_err(Clone::clone)?;
        let mut parts = vec![
            caller.standing.uuid.as_bytes().as_slice(),
            Method::POST.as_str().as_bytes(),
            path.as_bytes(),
            key.as_bytes(),
        ];
        if let Via::Key(uuid) = &caller.via {
            parts.push(uuid.as_bytes());
        }
        let impersonator = caller.impersonator.map(i64::to_be_bytes);
        parts.extend(impersonator.as_ref().map(<[u8; 8]>::as_slice));
        let request = context.database().index().request(&parts);
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
    made: T,
}

/// What a request made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Made<T> {
    /// What leads to it: an id, as a rule.
    pub value: T,
    /// Whether an earlier request had made it, and this one is a repeat.
    pub again: bool,
}

impl Repeat {
    pub(crate) fn commit_id(&self) -> CommitId {
        CommitId::new(format!("request:{}", self.id)).expect("a UUID is short enough for an id")
    }

    pub(crate) fn keep<T>(&self, made: T) -> Kept<T> {
        Kept {
            body: self.body.clone(),
            made,
        }
    }

    /// # Errors
    /// 422 where it was made by another request under the same key.
    pub(crate) fn open<T>(&self, committed: Committed<Kept<T>>) -> Result<Made<T>> {
        if committed.value.body != self.body {
            return Err(Error::unprocessable("idempotencyKeyReused"));
        }
        Ok(Made {
            value: committed.value.made,
            again: committed.replayed,
        })
    }
}
