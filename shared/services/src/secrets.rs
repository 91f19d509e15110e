//! [`read`]: reads the versions of a [`Secret`] in AWS Secrets Manager.

use backon::Retryable as _;
use bespoke_core::Timestamp;
use bespoke_storage::aws::Aws;
use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderName};
use serde::Deserialize;
use serde_json::json;

use crate::aws::{AwsError, Service, ServiceSettings, headers};
use crate::http::backoff;

/// Timeout for connecting, TLS included, in milliseconds.
const CONNECT_TIMEOUT_MS: u64 = 1_500;
/// Timeout of a call, in milliseconds.
const CALL_TIMEOUT_MS: u64 = 5_000;
/// Name of the service in signatures and hosts.
const SERVICE: &str = "secretsmanager";
/// The header that names the operation.
const TARGET: HeaderName = HeaderName::from_static("x-amz-target");

/// The labels of versions of a secret.
const CURRENT: &str = "AWSCURRENT";
const PENDING: &str = "AWSPENDING";
const PREVIOUS: &str = "AWSPREVIOUS";

/// The texts of a secret during a rotation.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret {
    /// The version in use (`AWSCURRENT`).
    pub current: String,
    /// The version that will be used next (`AWSPENDING`), or otherwise the previous one (`AWSPREVIOUS`).
    pub other: Option<String>,
}

/// A secret that could not be read. The text names no value.
#[derive(Debug, thiserror::Error)]
pub enum SecretReadError {
    /// Neither the name nor the settings have a region.
    #[error("no region: give the ARN of the secret, or set AWS_REGION")]
    NoRegion,
    /// No credentials were found.
    #[error("no credentials of AWS: {0}")]
    NoCredentials(String),
    /// The service refused the call.
    #[error("Secrets Manager refuses with {status} {code}")]
    Refused {
        /// Status of HTTP.
        status: StatusCode,
        /// Code of the error (`AccessDeniedException`, ...).
        code: String,
    },
    /// The service did not respond, or the response is not one of Secrets Manager.
    #[error("Secrets Manager does not respond: {0}")]
    NoResponse(String),
    /// The secret contains no text.
    #[error("the secret has no text (`SecretString`)")]
    NoText,
}

impl From<AwsError> for SecretReadError {
    fn from(error: AwsError) -> Self {
        match error {
            AwsError::NoCredentials(text) => Self::NoCredentials(text),
            AwsError::Refused { status, code } => Self::Refused { status, code },
            AwsError::NoResponse(text) => Self::NoResponse(text),
        }
    }
}

impl SecretReadError {
    /// Returns whether a retry may succeed.
    fn is_temporary(&self) -> bool {
        match self {
            Self::NoResponse(_) => true,
            Self::Refused { status, code } => status.is_server_error() || code == "ThrottlingException",
            _ => false,
        }
    }
}

/// Reads the versions of a secret.
///
/// # Errors
/// [`SecretReadError`] if the version in use cannot be read.
pub async fn read(aws: &Aws, id: &str, now: Timestamp) -> Result<Secret, SecretReadError> {
    let region = region_of(id).map(str::to_owned).or_else(|| aws.region.clone());
    let service = Service::new(ServiceSettings {
        host: SERVICE,
        signing_name: SERVICE,
        region: region.ok_or(SecretReadError::NoRegion)?,
        endpoint: aws.endpoint.clone(),
        access: aws.access.clone(),
        connect_timeout_ms: CONNECT_TIMEOUT_MS,
        call_timeout_ms: CALL_TIMEOUT_MS,
    });
    let (current, pending, previous) = tokio::join!(
        version(&service, id, CURRENT, now),
        version(&service, id, PENDING, now),
        version(&service, id, PREVIOUS, now),
    );
    let current = current?.ok_or(SecretReadError::NoText)?;
    // A pending version often keeps its label after it has become the current one.
    let other = pending?.filter(|pending| *pending != current).or(previous?);
    Ok(Secret { current, other })
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Value {
    secret_string: Option<String>,
}

/// Returns the text of the version with that label; `None` if the secret has no such version.
async fn version(service: &Service, id: &str, label: &str, now: Timestamp) -> Result<Option<String>, SecretReadError> {
    let body = json!({ "SecretId": id, "VersionStage": label }).to_string();
    let call = async || -> Result<_, SecretReadError> {
        let headers = headers([
            (TARGET, "secretsmanager.GetSecretValue"),
            (CONTENT_TYPE, "application/x-amz-json-1.1"),
        ]);
        Ok(service.post("/", headers, body.clone(), now).await?)
    };
    let response = call.retry(backoff()).when(SecretReadError::is_temporary).await;
    let bytes = match response {
        Err(SecretReadError::Refused { code, .. }) if label != CURRENT && code == "ResourceNotFoundException" => {
            return Ok(None);
        }
        response => response?,
    };
    let value: Value =
        serde_json::from_slice(&bytes).map_err(|error| SecretReadError::NoResponse(error.to_string()))?;
    value.secret_string.ok_or(SecretReadError::NoText).map(Some)
}

/// Returns the region of an ARN (`arn:aws:secretsmanager:eu-west-1:...`); `None` for a name.
fn region_of(id: &str) -> Option<&str> {
    let mut parts = id.split(':');
    (parts.next() == Some("arn"))
        .then(|| parts.nth(2))
        .flatten()
        .filter(|region| !region.is_empty())
}

#[cfg(test)]
mod tests;
