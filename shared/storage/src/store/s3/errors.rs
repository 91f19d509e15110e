//! [`store_error`]: converts errors of the SDK to the errors that a commit distinguishes, with advice for the operator.

use std::error::Error;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};

use crate::store::StoreError;

/// The error text for a range after the end of an object.
pub(super) const RANGE_AFTER_END: &str = "InvalidRange";
/// The error text for an ETag of another store.
pub(super) const FOREIGN_ETAG: &str = "the ETag does not belong to this store";

/// Returns the status of the response, if there is one.
pub(super) fn status_of<E>(error: &SdkError<E, HttpResponse>) -> Option<u16> {
    error.raw_response().map(|response| response.status().as_u16())
}

/// Converts an error of the SDK. A 404 without an error code means that a condition did not hold.
pub(super) fn store_error<E>(bucket: &str, error: &SdkError<E, HttpResponse>) -> StoreError
where
    E: ProvideErrorMetadata + Error + 'static,
{
    match error {
        SdkError::ServiceError(failure) => {
            let raw = failure.raw();
            let region = raw.headers().get("x-amz-bucket-region");
            let response = ErrorResponse {
                bucket,
                status: raw.status().as_u16(),
                code: failure.err().code().unwrap_or_default(),
                message: failure.err().message().unwrap_or_default(),
                region: region.unwrap_or("another one than the one that is set"),
            };
            response.store_error()
        }
        SdkError::ConstructionFailure(_) => StoreError::Refused(with_causes(error)),
        _ => without_response(bucket, error),
    }
}

/// Converts an error without a response. The request may have taken effect, unless it was not sent because there were
/// no credentials.
fn without_response(bucket: &str, error: &(dyn Error + 'static)) -> StoreError {
    let mut causes = std::iter::successors(Some(error), |cause| (*cause).source());
    match causes.find_map(|cause| cause.downcast_ref()) {
        Some(CredentialsError::CredentialsNotLoaded(_) | CredentialsError::InvalidConfiguration(_)) => {
            StoreError::Refused(format!(
                "no credentials for bucket {bucket}: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or give \
                 the machine a role ({})",
                with_causes(error)
            ))
        }
        Some(_) => StoreError::Busy(with_causes(error)),
        None => StoreError::Unknown(with_causes(error)),
    }
}

/// An error response of the bucket.
struct ErrorResponse<'a> {
    bucket: &'a str,
    status: u16,
    code: &'a str,
    message: &'a str,
    /// Region of the bucket.
    region: &'a str,
}

impl ErrorResponse<'_> {
    fn store_error(&self) -> StoreError {
        let Self { bucket, region, .. } = self;
        let refused = |advice: String| StoreError::Refused(format!("{advice} ({self})"));
        match (self.status, self.code) {
            (_, "NoSuchBucket") => refused(format!("there is no bucket {bucket}: create it, or correct its name")),
            (_, "ExpiredToken" | "ExpiredTokenException" | "TokenRefreshRequired") => refused(
                "the credentials have expired: renew them, and restart if they are in the environment".to_owned(),
            ),
            (_, "InvalidAccessKeyId" | "SignatureDoesNotMatch" | "InvalidToken" | "AuthFailure") => refused(format!(
                "bucket {bucket} does not know these credentials: correct AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
            )),
            (_, "RequestTimeTooSkewed" | "RequestExpired") => {
                refused("the clock of this machine is wrong: set it".to_owned())
            }
            (301 | 307 | 308, _)
            | (_, "PermanentRedirect" | "AuthorizationHeaderMalformed" | "IllegalLocationConstraint") => {
                refused(format!("bucket {bucket} is in region {region}: set AWS_REGION"))
            }
            (400, "RequestTimeout") => StoreError::Unknown(self.to_string()),
            (404 | 412, _) => StoreError::PreconditionFailed,
            (409 | 429 | 503, _) => StoreError::Busy(self.to_string()),
            (416, _) => StoreError::Refused(RANGE_AFTER_END.to_owned()),
            (401 | 403, _) => refused(format!(
                "no access to bucket {bucket}: allow s3:GetObject, s3:PutObject, s3:DeleteObject and s3:ListBucket"
            )),
            (501, _) => refused(format!(
                "bucket {bucket} does not support a request that the database needs: use another"
            )),
            (500.., _) => StoreError::Unknown(self.to_string()),
            _ => refused(format!("bucket {bucket} refuses a request")),
        }
    }
}

impl std::fmt::Display for ErrorResponse<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            status, code, message, ..
        } = self;
        match (code.is_empty(), message.is_empty()) {
            (true, _) => write!(f, "{status}"),
            (false, true) => write!(f, "{status} {code}"),
            (false, false) => write!(f, "{status} {code}: {message}"),
        }
    }
}

/// Returns the text of an error and of its causes on one line.
fn with_causes(error: &dyn Error) -> String {
    let (mut text, mut next) = (error.to_string(), error.source());
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
