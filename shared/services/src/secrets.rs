//! Secrets in AWS Secrets Manager.
//!
//! One operation of the service is called, so its requests are written and signed here instead of by an SDK, which would make every function
//! larger.

use std::time::{Duration, UNIX_EPOCH};

use aws_credential_types::provider::ProvideCredentials as _;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use aws_smithy_runtime_api::client::http::{HttpConnector as _, SharedHttpConnector};
use aws_smithy_types::body::SdkBody;
use backon::Retryable as _;
use bespoke_core::Timestamp;
use bespoke_storage::aws::{Aws, http_connector};
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use http::{Request, StatusCode, Uri};
use http_body_util::{BodyExt as _, Limited};
use serde::Deserialize;
use serde_json::json;

use crate::http::waits;

/// How long a connection may take, TLS included, in milliseconds.
const CONNECT_TIMEOUT_MS: u64 = 1_500;
/// How long the service may take to respond, in milliseconds.
const RESPONSE_TIMEOUT_MS: u64 = 5_000;
/// The largest response, in bytes. A secret has at most 64 KiB.
const MAX_RESPONSE_BYTES: usize = 512 * 1024;
/// Name of the service in signatures and hosts.
const SERVICE: &str = "secretsmanager";
/// The operation.
const TARGET: (HeaderName, HeaderValue) = (
    HeaderName::from_static("x-amz-target"),
    HeaderValue::from_static("secretsmanager.GetSecretValue"),
);
const JSON: HeaderValue = HeaderValue::from_static("application/x-amz-json-1.1");

/// The labels of versions of a secret.
const CURRENT: &str = "AWSCURRENT";
const PENDING: &str = "AWSPENDING";
const PREVIOUS: &str = "AWSPREVIOUS";

/// The texts of a secret during a rotation.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret {
    /// The version in use (`AWSCURRENT`).
    pub current: String,
    /// The version that is about to come into use (`AWSPENDING`); otherwise the one that was in use before (`AWSPREVIOUS`).
    pub other: Option<String>,
}

/// A secret that could not be read. The text names no value.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
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
    /// The service did not respond, or the response is none of Secrets Manager.
    #[error("Secrets Manager does not respond: {0}")]
    NoResponse(String),
    /// The secret has no text.
    #[error("the secret has no text (`SecretString`)")]
    NoText,
}

impl SecretError {
    /// Whether the same call may succeed later.
    fn is_passing(&self) -> bool {
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
/// [`SecretError`], if the version in use cannot be read.
pub async fn read(aws: &Aws, id: &str, now: Timestamp) -> Result<Secret, SecretError> {
    let service = Service::of(aws, id, now).await?;
    let (current, pending, previous) = tokio::join!(
        service.version(id, CURRENT),
        service.version(id, PENDING),
        service.version(id, PREVIOUS),
    );
    let current = current?.ok_or(SecretError::NoText)?;
    // The label of a pending version often stays with it when it comes into use.
    let other = pending?.filter(|pending| *pending != current).or(previous?);
    Ok(Secret { current, other })
}

/// Secrets Manager of a region.
struct Service {
    endpoint: Uri,
    region: String,
    identity: aws_smithy_runtime_api::client::identity::Identity,
    now: Timestamp,
    connector: SharedHttpConnector,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Value {
    secret_string: Option<String>,
}

/// An error of the service.
#[derive(Deserialize, Default)]
struct Refusal {
    #[serde(rename = "__type", default)]
    code: String,
}

impl Service {
    async fn of(aws: &Aws, id: &str, now: Timestamp) -> Result<Self, SecretError> {
        let region = region_of(id).map(str::to_owned).or_else(|| aws.region.clone());
        let region = region.ok_or(SecretError::NoRegion)?;
        let domain = if region.starts_with("cn-") {
            "amazonaws.com.cn"
        } else {
            "amazonaws.com"
        };
        let endpoint = aws.endpoint.clone();
        let endpoint = endpoint.unwrap_or_else(|| format!("https://{SERVICE}.{region}.{domain}"));
        let endpoint = endpoint.parse().map_err(|_| SecretError::NoRegion)?;
        let access = aws.access.as_ref().ok_or_else(|| {
            SecretError::NoCredentials("neither AWS_ACCESS_KEY_ID nor a profile or role is there".to_owned())
        })?;
        let credentials = access.provide_credentials().await;
        let credentials = credentials.map_err(|error| SecretError::NoCredentials(error.to_string()))?;
        Ok(Self {
            endpoint,
            region,
            identity: credentials.into(),
            now,
            connector: http_connector(
                Duration::from_millis(CONNECT_TIMEOUT_MS),
                Duration::from_millis(RESPONSE_TIMEOUT_MS),
            ),
        })
    }

    /// The text of the version with that label; `None` if the secret has no such version.
    async fn version(&self, id: &str, label: &str) -> Result<Option<String>, SecretError> {
        let body = json!({ "SecretId": id, "VersionStage": label }).to_string();
        let call = async || self.call(body.clone()).await;
        let response = call.retry(waits()).when(SecretError::is_passing).await;
        let bytes = match response {
            Err(SecretError::Refused { code, .. }) if label != CURRENT && code == "ResourceNotFoundException" => {
                return Ok(None);
            }
            response => response?,
        };
        let value: Value = serde_json::from_slice(&bytes).map_err(no_response)?;
        value.secret_string.ok_or(SecretError::NoText).map(Some)
    }

    async fn call(&self, body: String) -> Result<Bytes, SecretError> {
        let request = self.signed(body)?;
        let request = request.map(SdkBody::from).try_into().map_err(no_response)?;
        let response = self.connector.call(request).await.map_err(no_response)?;
        let status = StatusCode::from_u16(response.status().as_u16()).map_err(no_response)?;
        let body = Limited::new(response.into_body(), MAX_RESPONSE_BYTES).collect().await;
        let bytes = body.map_err(no_response)?.to_bytes();
        if status.is_success() {
            return Ok(bytes);
        }
        let Refusal { code } = serde_json::from_slice(&bytes).unwrap_or_default();
        // Some services write the name of the code behind that of its package.
        let code = code.rsplit('#').next().unwrap_or_default().to_owned();
        Err(SecretError::Refused { status, code })
    }

    fn signed(&self, body: String) -> Result<Request<String>, SecretError> {
        let mut request = Request::post(&self.endpoint)
            .header(TARGET.0, TARGET.1)
            .header(CONTENT_TYPE, JSON)
            .body(body)
            .map_err(no_response)?;
        let time = UNIX_EPOCH + Duration::from_millis(self.now.as_millis().unsigned_abs());
        let parameters = v4::SigningParams::builder()
            .identity(&self.identity)
            .region(&self.region)
            .name(SERVICE)
            .time(time)
            .settings(SigningSettings::default())
            .build()
            .map_err(no_response)?;
        let headers = request.headers().iter();
        let headers = headers.filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)));
        let uri = request.uri().to_string();
        let signable = SignableRequest::new("POST", uri, headers, SignableBody::Bytes(request.body().as_bytes()));
        let signed = sign(signable.map_err(no_response)?, &parameters.into()).map_err(no_response)?;
        let (instructions, _) = signed.into_parts();
        instructions.apply_to_request_http1x(&mut request);
        Ok(request)
    }
}

fn no_response(error: impl ToString) -> SecretError {
    SecretError::NoResponse(error.to_string())
}

/// The region in an ARN (`arn:aws:secretsmanager:eu-west-1:...`); `None` for a name.
fn region_of(id: &str) -> Option<&str> {
    let mut parts = id.split(':');
    (parts.next() == Some("arn"))
        .then(|| parts.nth(2))
        .flatten()
        .filter(|region| !region.is_empty())
}

#[cfg(test)]
mod tests;
