//! [`Error`]: one text for the client (the error code), and a separate text for the log.

use std::borrow::Cow;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bespoke_core::permission::{Denied, KeyRestricted, LevelTooHigh};
use bespoke_core::{CipherError, Scope};
use bespoke_storage::{Error as StorageError, StoreError};
use http::{HeaderValue, StatusCode, header};
use serde_json::json;

use super::json;

/// The result of a handler.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Error code for an API key without a required scope.
pub(crate) const INSUFFICIENT_SCOPE: &str = "insufficientScope";
/// `Retry-After` if the bucket does not respond and names no time itself, in seconds.
const RETRY_AFTER_S: u64 = 1;

/// The form of an error body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// `{"result":"error","error":"<code>"}`
    Envelope,
    /// `{"result":"error","error":{"error":"<code>"}}`, only for `GET /whoami/jwt`, whose clients expect this form.
    Nested,
    /// No body, for a missing record.
    Empty,
}

/// Facts that few errors have. They are boxed, because a result of each handler contains an [`Error`].
#[derive(Debug, Clone, Default)]
struct Details {
    /// The name of the account limit that was reached.
    limit: Option<&'static str>,
    /// The path of the invalid field, and the reason.
    field: Option<(String, &'static str)>,
    /// The methods that the path supports.
    allow: Option<String>,
}

/// An error response.
#[derive(Debug, Clone)]
pub struct Error {
    status: StatusCode,
    code: Cow<'static, str>,
    shape: Shape,
    retry_after_s: Option<u64>,
    /// The scope that the API key lacks.
    missing_scope: Option<Scope>,
    details: Option<Box<Details>>,
    /// The text for the log.
    log: Option<String>,
}

impl Error {
    const fn new(status: StatusCode, code: &'static str) -> Self {
        Self {
            status,
            code: Cow::Borrowed(code),
            shape: Shape::Envelope,
            retry_after_s: None,
            missing_scope: None,
            details: None,
            log: None,
        }
    }

    /// 400: the request is malformed or a field is invalid.
    pub const fn bad_request(code: &'static str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code)
    }

    /// 401: the credentials are missing or invalid.
    pub const fn unauthorized(code: &'static str) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, code)
    }

    /// 403: the caller lacks the permission.
    pub const fn forbidden(code: &'static str) -> Self {
        Self::new(StatusCode::FORBIDDEN, code)
    }

    /// 404 without a body: the record does not exist.
    pub fn not_found() -> Self {
        Self {
            shape: Shape::Empty,
            ..Self::new(StatusCode::NOT_FOUND, "notFound")
        }
    }

    /// 404 in the envelope: the route does not exist.
    pub const fn unknown_route() -> Self {
        Self::new(StatusCode::NOT_FOUND, "notFound")
    }

    /// 405: the path supports other methods only: `allow`, separated by commas.
    pub fn method_not_allowed(allow: String) -> Self {
        let mut error = Self::new(StatusCode::METHOD_NOT_ALLOWED, "methodNotAllowed");
        error.details.get_or_insert_default().allow = Some(allow);
        error
    }

    /// 408: the body did not arrive in time.
    pub const fn request_timeout() -> Self {
        Self::new(StatusCode::REQUEST_TIMEOUT, "requestTimeout")
    }

    /// 409: the request conflicts with stored data.
    pub const fn conflict(code: &'static str) -> Self {
        Self::new(StatusCode::CONFLICT, code)
    }

    /// 412: the record has changed since the client read it.
    pub const fn precondition_failed() -> Self {
        Self::new(StatusCode::PRECONDITION_FAILED, "preconditionFailed")
    }

    /// 413: the body is too large.
    pub const fn body_too_large() -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "bodyTooLarge")
    }

    /// 431: the head of the request is too large.
    pub const fn head_too_large() -> Self {
        Self::new(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "headTooLarge")
    }

    /// 413: the list is too large for one response.
    pub const fn list_too_large() -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "listTooLarge")
    }

    /// 415: the content type or encoding of the body is not supported.
    pub const fn unsupported_media_type() -> Self {
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupportedMediaType")
    }

    /// 403: the API key lacks a scope.
    pub fn lacks_scope(scope: Option<Scope>) -> Self {
        Self {
            missing_scope: scope,
            ..Self::forbidden(INSUFFICIENT_SCOPE)
        }
    }

    /// 403: the account has reached the limit with the name `limit`.
    pub fn account_limit_reached(limit: &'static str) -> Self {
        Self::forbidden("accountLimitReached").with_limit(limit)
    }

    /// Adds the name of the account limit that was reached.
    #[must_use]
    pub(crate) fn with_limit(mut self, limit: &'static str) -> Self {
        self.details.get_or_insert_default().limit = Some(limit);
        self
    }

    /// Adds the path of the invalid field, for example `sets.3.name` (counted from 0), and the reason: a predicate such as "is not a number".
    #[must_use]
    pub fn with_field(mut self, path: impl Into<String>, reason: &'static str) -> Self {
        self.details.get_or_insert_default().field = Some((path.into(), reason));
        self
    }

    /// Adds the path of the record that contains the invalid field.
    #[must_use]
    pub fn within(mut self, record: &str) -> Self {
        if let Some((path, _)) = self.details.as_mut().and_then(|details| details.field.as_mut()) {
            *path = format!("{record}.{path}");
        }
        self
    }

    /// 422: the request is well-formed but contradicts an earlier request.
    pub const fn unprocessable(code: &'static str) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, code)
    }

    /// 429: too many calls. The next call can succeed after `retry_after_s` seconds.
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

    /// 500: a defect of the service. `log` is written to the log and never sent to the client.
    pub fn internal(log: impl ToString) -> Self {
        Self {
            log: Some(log.to_string()),
            ..Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internalError")
        }
    }

    /// 503: the bucket or an external service does not respond. `log` is written to the log.
    pub fn unavailable(retry_after_s: u64, log: impl ToString) -> Self {
        Self {
            retry_after_s: Some(retry_after_s),
            log: Some(log.to_string()),
            ..Self::new(StatusCode::SERVICE_UNAVAILABLE, "serviceUnavailable")
        }
    }

    /// 503: too much work at the same time. It is not logged, because the client that causes it could fill the log.
    pub fn busy(retry_after_s: u64) -> Self {
        Self {
            retry_after_s: Some(retry_after_s),
            ..Self::new(StatusCode::SERVICE_UNAVAILABLE, "serviceUnavailable")
        }
    }

    /// Nests the error code in an object, as `GET /whoami/jwt` returns it.
    #[must_use]
    pub fn nested(self) -> Self {
        Self {
            shape: Shape::Nested,
            ..self
        }
    }

    /// Adds a text for the log.
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

    /// The text for the log. It is never sent to a client of the API.
    pub fn detail(&self) -> Option<&str> {
        self.log.as_deref()
    }

    /// The path of the invalid field.
    pub fn field(&self) -> Option<&str> {
        Some(&self.details.as_ref()?.field.as_ref()?.0)
    }

    /// The reason why the field is invalid.
    pub fn reason(&self) -> Option<&'static str> {
        Some(self.details.as_ref()?.field.as_ref()?.1)
    }

    /// The error code.
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
            // An alarm counts lines of level `error`, so a rejection by an external service is a warning.
            if self.status.is_server_error() {
                tracing::error!(status, code = %self.code, detail, "request failed");
            } else {
                tracing::warn!(status, code = %self.code, detail, "request failed");
            }
        }
        let details = self.details.map(|details| *details).unwrap_or_default();
        let body = match self.shape {
            Shape::Empty => None,
            Shape::Envelope => {
                let mut body = json!({ "result": "error", "error": self.code });
                if let Some(limit) = details.limit {
                    body["limit"] = limit.into();
                }
                if let Some((path, reason)) = details.field {
                    body["field"] = path.into();
                    body["reason"] = reason.into();
                }
                Some(body)
            }
            Shape::Nested => Some(json!({ "result": "error", "error": { "error": self.code } })),
        };
        let mut response = match body {
            None => Response::new(Body::empty()),
            Some(body) => json::json(StatusCode::OK, &body),
        };
        *response.status_mut() = self.status;
        if let Some(seconds) = self.retry_after_s {
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if let Some(allow) = details.allow.and_then(|allow| HeaderValue::try_from(allow).ok()) {
            response.headers_mut().insert(header::ALLOW, allow);
        }
        // The gateway adds the reason to a `WWW-Authenticate` challenge.
        response.extensions_mut().insert(Reason {
            code: self.code,
            missing_scope: self.missing_scope,
        });
        response
    }
}

/// The reason of an error response.
#[derive(Debug, Clone)]
pub(crate) struct Reason {
    pub(crate) code: Cow<'static, str>,
    /// The scope that the API key lacks.
    pub(crate) missing_scope: Option<Scope>,
}
