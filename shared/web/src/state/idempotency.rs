//! [`IdempotencyKey`]: a client may repeat a request that creates a record, and the record is created once.
//!
//! The commit id is derived from the caller's credential, the method, the path and the key. For 24 hours, every process that receives the
//! repeat finds the commit by that id, and with it the id of the record. The response is not stored: it shows the record as it is now,
//! including an image that was stored after the commit.

use std::sync::OnceLock;

use bespoke_core::BlindIndex;
use bespoke_database::{CommitId, Committed};
use http::{HeaderMap, HeaderName, Method, Uri};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::response::{Error, Result};

const HEADER: HeaderName = HeaderName::from_static("idempotency-key");
/// Maximum length of a key, in bytes.
pub(crate) const MAX_KEY_BYTES: usize = 255;
/// Length of the digest of the body that the commit stores, in bytes.
const DIGEST_BYTES: usize = 16;

/// The `Idempotency-Key` of a request, and the digest of its body.
#[derive(Default)]
pub(crate) struct IdempotencyKey {
    /// `None` without the header. A malformed header is an error only for routes that support it.
    request: Option<Result<KeyedRequest>>,
    body_digest: OnceLock<String>,
}

/// A POST request with a key.
struct KeyedRequest {
    path: String,
    key: String,
}

impl IdempotencyKey {
    pub(crate) fn of(method: &Method, uri: &Uri, headers: &HeaderMap) -> Self {
        let mut keys = headers.get_all(HEADER).iter();
        let request = keys.next().filter(|_| method == Method::POST).map(|value| {
            let text = value.to_str().unwrap_or_default();
            if (1..=MAX_KEY_BYTES).contains(&text.len()) && keys.next().is_none() {
                Ok(KeyedRequest {
                    path: uri.path().to_owned(),
                    key: text.to_owned(),
                })
            } else {
                Err(Error::bad_request("badRequest"))
            }
        });
        Self {
            request,
            body_digest: OnceLock::new(),
        }
    }

    /// Sets the body of the request. A repeat must have the same body.
    pub(crate) fn set_body(&self, bytes: &[u8]) {
        if self.request.is_some() {
            self.body_digest.get_or_init(|| digest(bytes));
        }
    }

    /// Returns the idempotent request of a caller; `None` without an `Idempotency-Key`. `api_key` and `impersonator` identify the credential:
    /// a repeat with another credential of the same account is a new request, because the response could otherwise show a record that the
    /// other credential may not read.
    ///
    /// # Errors
    /// 400 for a malformed key.
    pub(crate) fn by(
        &self,
        account: Uuid,
        api_key: Option<Uuid>,
        impersonator: Option<i64>,
        index: &BlindIndex,
    ) -> Result<Option<IdempotentRequest>> {
        let Some(request) = &self.request else { return Ok(None) };
        let KeyedRequest { path, key } = request.as_ref().map_err(Clone::clone)?;
        let mut parts = vec![
            account.as_bytes().as_slice(),
            Method::POST.as_str().as_bytes(),
            path.as_bytes(),
            key.as_bytes(),
        ];
        if let Some(uuid) = &api_key {
            parts.push(uuid.as_bytes());
        }
        let impersonator = impersonator.map(i64::to_be_bytes);
        parts.extend(impersonator.as_ref().map(<[u8; 8]>::as_slice));
        Ok(Some(IdempotentRequest {
            id: Uuid::from_bytes(index.request(&parts)),
            body_digest: self.body_digest.get().cloned().unwrap_or_else(|| digest(&[])),
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

/// A request that creates a record at most once.
#[derive(Clone)]
pub(crate) struct IdempotentRequest {
    id: Uuid,
    body_digest: String,
}

/// The result that the commit of such a request stores. The field names are part of the stored format.
#[derive(Serialize, Deserialize)]
pub(crate) struct CommittedResult<T> {
    /// The digest of the body.
    body: String,
    /// The value that identifies the record.
    made: T,
}

/// The result of a request that creates a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Creation<T> {
    /// The value that identifies the record, usually its id.
    pub value: T,
    /// Whether the request is a repeat and an earlier request created the record.
    pub is_repeat: bool,
}

impl IdempotentRequest {
    /// The id of the commit that creates the record.
    pub(crate) fn commit_id(&self) -> CommitId {
        CommitId::new(format!("request:{}", self.id)).expect("a UUID is short enough for an id")
    }

    /// Adds the digest of the body to the result of the transaction.
    pub(crate) fn seal<T>(&self, made: T) -> CommittedResult<T> {
        CommittedResult {
            body: self.body_digest.clone(),
            made,
        }
    }

    /// Returns the result of the commit.
    ///
    /// # Errors
    /// 422 if a request with another body used the same key.
    pub(crate) fn open<T>(&self, committed: Committed<CommittedResult<T>>) -> Result<Creation<T>> {
        if committed.value.body != self.body_digest {
            return Err(Error::unprocessable("idempotencyKeyReused"));
        }
        Ok(Creation {
            value: committed.value.made,
            is_repeat: committed.replayed,
        })
    }
}
