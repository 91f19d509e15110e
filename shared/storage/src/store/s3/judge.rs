//! What a failed request means, and what a person has to do about it.

use std::error::Error;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};

use super::StoreError;

/// The text of a range behind the end of an object.
pub(super) const RANGE_BEHIND_END: &str = "InvalidRange";
/// The text of an ETag that came from another store.
pub(super) const BAD_REQUEST: &str = "an ETag that is none of this store";

/// The status of the answer, if there was one.
pub(super) fn status_of<E>(error: &SdkError<E, HttpResponse>) -> Option<u16> {
    error.raw_response().map(|answer| answer.status().as_u16())
}

/// Sorts a failure by what the write path decides by. A 404 without further words counts as a condition that did not hold.
pub(super) fn judge<E>(bucket: &str, error: &SdkError<E, HttpResponse>) -> StoreError
where
    E: ProvideErrorMetadata + Error + 'static,
{
    match error {
        SdkError::ServiceError(answer) => {
            let raw = answer.raw();
            let region = raw.headers().get("x-amz-bucket-region");
            let said = Said {
                bucket,
                status: raw.status().as_u16(),
                code: answer.err().code().unwrap_or_default(),
                message: answer.err().message().unwrap_or_default(),
                region: region.unwrap_or("another one than the one that is set"),
            };
            said.judge()
        }
        SdkError::ConstructionFailure(_) => StoreError::Refused(chain(error)),
        _ => without_answer(bucket, error),
    }
}

/// Where there was no answer, the request may have landed, unless there was nothing to sign it with.
fn without_answer(bucket: &str, error: &(dyn Error + 'static)) -> StoreError {
    let mut causes = std::iter::successors(Some(error), |cause| (*cause).source());
    match causes.find_map(|cause| cause.downcast_ref()) {
        Some(CredentialsError::CredentialsNotLoaded(_) | CredentialsError::InvalidConfiguration(_)) => {
            StoreError::Refused(format!(
                "no credentials for bucket {bucket}: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or give \
                 the machine a role ({})",
                chain(error)
            ))
        }
        Some(_) => StoreError::Busy(chain(error)),
        None => StoreError::Unknown(chain(error)),
    }
}

/// An answer that is an error.
struct Said<'a> {
    bucket: &'a str,
    status: u16,
    code: &'a str,
    message: &'a str,
    /// Of the bucket.
    region: &'a str,
}

impl Said<'_> {
    fn judge(&self) -> StoreError {
        let Self { bucket, region, .. } = self;
        let refused = |what: String| StoreError::Refused(format!("{what} ({self})"));
        match (self.status, self.code) {
            (_, "NoSuchBucket") => refused(format!("there is no bucket {bucket}: create it, or correct its name")),
            (_, "ExpiredToken" | "ExpiredTokenException" | "TokenRefreshRequired") => refused(
                "the credentials have expired: renew them, and restart where they stand in the environment".to_owned(),
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
            (416, _) => StoreError::Refused(RANGE_BEHIND_END.to_owned()),
            (401 | 403, _) => refused(format!(
                "no access to bucket {bucket}: allow s3:GetObject, s3:PutObject, s3:DeleteObject and s3:ListBucket"
            )),
            (501, _) => refused(format!(
                "bucket {bucket} cannot do what the database needs: use another"
            )),
            (500.., _) => StoreError::Unknown(self.to_string()),
            _ => refused(format!("bucket {bucket} refuses a request")),
        }
    }
}

impl std::fmt::Display for Said<'_> {
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

/// An error and what caused it, on one line.
fn chain(error: &dyn Error) -> String {
    let (mut text, mut next) = (error.to_string(), error.source());
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
