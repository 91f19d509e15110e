//! Errors as clients see them, and as the log sees them: two separate texts.

use std::borrow::Cow;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bespoke_core::permission::{Denied, KeyRestricted, LevelTooHigh};
use bespoke_core::{CipherError, Scope};
use bespoke_storage::{Error as StorageError, StoreError};
use http::{HeaderValue, StatusCode, header};
use serde_json::json;

/// Result of a handler.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What a key is refused with that lacks a scope.
pub(crate) const INSUFFICIENT_SCOPE: &str = "insufficientScope";
/// Seconds after which a client may try again when the bucket did not answer and says nothing better.
const RETRY_AFTER_S: u64 = 1;

/// How the body of an error is shaped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// `{"result":"error","error":"<code>"}`
    Envelope,
    /// `{"result":"error","error":{"error":"<code>"}}`: only `GET /whoami/jwt`, whose clients read it so.
    Nested,
    /// Nothing: a missing record.
    Empty,
}

/// What a handler answers instead of a result.
#[derive(Debug, Clone)]
pub struct Error {
    status: StatusCode,
    code: Cow<'static, str>,
    shape: Shape,
    retry_after_s: Option<u64>,
    lacking: Option<Scope>,
    /// The name of the limit of the account that was reached.
    limit: Option<&'static str>,
    log: Option<String>,
}

impl Error {
    const fn new(status: StatusCode, code: &'static str) -> Self {
        Self {
            status,
            code: Cow::Borrowed(code),
            shape: Shape::Envelope,
            retry_after_s: None,
            lacking: None,
            limit: None,
            log: None,
        }
    }

    /// 400: the request is not what the route takes.
    pub const fn bad_request(code: &'static str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code)
    }

    /// 401: who calls is not known.
    pub const fn unauthorized(code: &'static str) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, code)
    }

    /// 403: who calls may not.
    pub const fn forbidden(code: &'static str) -> Self {
        Self::new(StatusCode::FORBIDDEN, code)
    }

    /// 404 without a body: there is no such record.
    pub fn not_found() -> Self {
        Self {
            shape: Shape::Empty,
            ..Self::new(StatusCode::NOT_FOUND, "notFound")
        }
    }

    /// 404 in the envelope: there is no such route.
    pub const fn unknown_route() -> Self {
        Self::new(StatusCode::NOT_FOUND, "notFound")
    }

    /// 408: the client takes too long to send its body.
    pub const fn request_timeout() -> Self {
        Self::new(StatusCode::REQUEST_TIMEOUT, "requestTimeout")
    }

    /// 409: what was sent does not go with what is there.
    pub const fn conflict(code: &'static str) -> Self {
        Self::new(StatusCode::CONFLICT, code)
    }

    /// 412: the record is another by now than the client has seen.
    pub const fn precondition_failed() -> Self {
        Self::new(StatusCode::PRECONDITION_FAILED, "preconditionFailed")
    }

    /// 413: the body is larger than any route takes.
    pub const fn body_too_large() -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "bodyTooLarge")
    }

    /// 431: the head of the request is longer than the server reads.
    pub const fn head_too_large() -> Self {
        Self::new(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "headTooLarge")
    }

    /// 413: the list is too large to be answered in one piece.
    pub const fn list_too_large() -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "listTooLarge")
    }

    /// 415: the body is in a form that cannot be read.
    pub const fn unsupported_media_type() -> Self {
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupportedMediaType")
    }

    /// 403: the API key lacks a scope.
    pub fn lacks_scope(scope: Option<Scope>) -> Self {
        Self {
            lacking: scope,
            ..Self::forbidden(INSUFFICIENT_SCOPE)
        }
    }

    /// 403: the account may not store more; `limit` names the limit.
    pub fn account_limit_reached(limit: &'static str) -> Self {
        Self::forbidden("accountLimitReached").with_limit(limit)
    }

    /// The same error with the name of the limit of the account that was reached.
    #[must_use]
    pub(crate) fn with_limit(self, limit: &'static str) -> Self {
        Self {
            limit: Some(limit),
            ..self
        }
    }

    /// 422: the request is well-formed, and contradicts an earlier one.
    pub const fn unprocessable(code: &'static str) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, code)
    }

    /// 429: too many calls; `retry_after_s` seconds from now there will be room for one.
    pub fn too_many(code: &'static str, retry_after_s: u64) -> Self {
        Self {
            retry_after_s: Some(retry_after_s),
            ..Self::new(StatusCode::TOO_MANY_REQUESTS, code)
        }
    }

    /// 451: the owner of the account has not consented.
    pub const fn consent_lacking() -> Self {
        Self::new(StatusCode::UNAVAILABLE_FOR_LEGAL_REASONS, "consentLacking")
    }

    /// 500: we are at fault. `log` goes to the log and never to the client.
    pub fn internal(log: impl ToString) -> Self {
        Self {
            log: Some(log.to_string()),
            ..Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internalError")
        }
    }

    /// 503: the bucket does not answer; repeating is safe.
    pub fn unavailable(retry_after_s: u64, log: impl ToString) -> Self {
        Self {
            retry_after_s: Some(retry_after_s),
            log: Some(log.to_string()),
            ..Self::new(StatusCode::SERVICE_UNAVAILABLE, "serviceUnavailable")
        }
    }

    /// 503: too much is being done at once. Not logged: whoever causes it could fill the log too.
    pub fn busy(retry_after_s: u64) -> Self {
        Self {
            retry_after_s: Some(retry_after_s),
            ..Self::new(StatusCode::SERVICE_UNAVAILABLE, "serviceUnavailable")
        }
    }

    /// The same error with its code one object deeper, as `GET /whoami/jwt` gives it.
    #[must_use]
    pub fn nested(self) -> Self {
        Self {
            shape: Shape::Nested,
            ..self
        }
    }

    /// The same error, with what only the log is told.
    #[must_use]
    pub fn because(self, log: impl ToString) -> Self {
        Self {
            log: Some(log.to_string()),
            ..self
        }
    }

    /// The status.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The text for the log, if there is one. It never goes to a client of the API.
    pub fn detail(&self) -> Option<&str> {
        self.log.as_deref()
    }

    /// The code of the contract.
    pub fn code(&self) -> &str {
        &self.code
    }
}

impl From<bespoke_database::Error> for Error {
    fn from(error: bespoke_database::Error) -> Self {
        match error {
            bespoke_database::Error::Storage(StorageError::Unavailable { retry_after_ms, detail }) => {
                Self::unavailable(retry_after_ms.div_ceil(1000).max(RETRY_AFTER_S), detail)
            }
            bespoke_database::Error::Storage(
                error @ (StorageError::TooLarge { .. } | StorageError::LeftTransaction(_)),
            ) => Self::internal(error),
            bespoke_database::Error::Storage(error) => Self::unavailable(RETRY_AFTER_S, error),
            bespoke_database::Error::NoSuchPlace => Self::bad_request("afterUnknown"),
            error @ (bespoke_database::Error::OtherKeys | bespoke_database::Error::Incomplete { .. }) => {
                Self::unavailable(RETRY_AFTER_S, error)
            }
            error @ bespoke_database::Error::Field {
                source: CipherError::UnknownKey(_),
                ..
            } => Self::unavailable(
                RETRY_AFTER_S,
                format_args!("{error}; {}", bespoke_database::Error::OtherKeys),
            ),
            error => Self::internal(error),
        }
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        Self::from(bespoke_database::Error::Storage(error.into()))
    }
}

impl From<Denied> for Error {
    fn from(_: Denied) -> Self {
        Self::forbidden("insufficientAccessLevel")
    }
}

impl From<KeyRestricted> for Error {
    fn from(_: KeyRestricted) -> Self {
        Self::forbidden("restrictedKey")
    }
}

impl From<LevelTooHigh> for Error {
    fn from(_: LevelTooHigh) -> Self {
        Self::bad_request("keyLevelExceedsRoleLevel")
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        if let Some(detail) = &self.log {
            let status = self.status.as_u16();
            // An alarm counts errors: what somebody else refused is none of ours.
            if self.status.is_server_error() {
                tracing::error!(status, code = %self.code, detail, "request failed");
            } else {
                tracing::warn!(status, code = %self.code, detail, "request failed");
            }
        }
        let body = match self.shape {
            Shape::Empty => None,
            Shape::Envelope => {
                let mut body = json!({ "result": "error", "error": self.code });
                if let Some(limit) = self.limit {
                    body["limit"] = limit.into();
                }
                Some(body)
            }
            Shape::Nested => Some(json!({ "result": "error", "error": { "error": self.code } })),
        };
        let mut response = match body {
            None => Response::new(Body::empty()),
            Some(body) => crate::answer::json(StatusCode::OK, &body),
        };
        *response.status_mut() = self.status;
        if let Some(seconds) = self.retry_after_s {
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        // The gateway reads this to name the reason in a challenge.
        response.extensions_mut().insert(Reason {
            code: self.code,
            lacking: self.lacking,
        });
        response
    }
}

/// Why a response is an error.
#[derive(Debug, Clone)]
pub(crate) struct Reason {
    pub(crate) code: Cow<'static, str>,
    /// The scope that would have been needed.
    pub(crate) lacking: Option<Scope>,
}
