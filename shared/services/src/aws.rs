//! [`Service`]: sends signed calls to services of AWS of which few operations are used. The SDKs of these services would make every
//! function larger and every build longer.

use std::time::{Duration, UNIX_EPOCH};

use aws_credential_types::provider::{ProvideCredentials as _, SharedCredentialsProvider};
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use aws_smithy_runtime_api::client::http::{HttpConnector as _, SharedHttpConnector};
use aws_smithy_runtime_api::client::identity::Identity;
use aws_smithy_types::body::SdkBody;
use bespoke_core::Timestamp;
use bespoke_storage::aws::http_connector;
use bytes::Bytes;
use http::header::HeaderName;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Limited};
use serde::Deserialize;

/// Maximum size of a response, in bytes.
const MAX_RESPONSE_BYTES: usize = 512 * 1024;
/// The header that carries the code of an error in the REST protocols of AWS.
const ERROR_TYPE: HeaderName = HeaderName::from_static("x-amzn-errortype");

/// A service of AWS in one region.
pub struct Service {
    /// Start of all URLs, without a slash at the end.
    endpoint: String,
    region: String,
    /// Name in signatures.
    signing_name: &'static str,
    access: Option<SharedCredentialsProvider>,
    connector: SharedHttpConnector,
    timeout: Duration,
}

/// Name, place and time limits of a service.
pub struct ServiceSettings {
    /// Name in host names (`email`).
    pub host: &'static str,
    /// Name in signatures (`ses`).
    pub signing_name: &'static str,
    /// Region.
    pub region: String,
    /// URL of a server that stands in for AWS.
    pub endpoint: Option<String>,
    /// Credentials.
    pub access: Option<SharedCredentialsProvider>,
    /// Time limit of a connection, TLS included, in milliseconds.
    pub connect_timeout_ms: u64,
    /// Time limit of a complete call, in milliseconds.
    pub call_timeout_ms: u64,
}

/// A call that failed. The text contains no value of the request and no message of the service, because that may repeat values.
#[derive(Debug, thiserror::Error)]
pub enum AwsError {
    /// No credentials were found.
    #[error("no credentials of AWS: {0}")]
    NoCredentials(String),
    /// The service refused the call.
    #[error("{status} {code}")]
    Refused {
        /// Status of the response.
        status: StatusCode,
        /// Code of the error (`AccessDeniedException`, ...); empty if the response has none.
        code: String,
    },
    /// The service did not respond in time, or the response cannot be read.
    #[error("{0}")]
    NoResponse(String),
}

/// Body of a response with an error.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Refusal {
    #[serde(rename = "__type")]
    kind: String,
    code: String,
}

impl Service {
    /// A service that is called with these settings. It connects at the first call.
    pub fn new(settings: ServiceSettings) -> Self {
        let ServiceSettings { host, region, .. } = &settings;
        let domain = if region.starts_with("cn-") {
            "amazonaws.com.cn"
        } else {
            "amazonaws.com"
        };
        let endpoint = settings
            .endpoint
            .as_deref()
            .map(|url| url.trim_end_matches('/').to_owned());
        let timeout = Duration::from_millis(settings.call_timeout_ms);
        Self {
            endpoint: endpoint.unwrap_or_else(|| format!("https://{host}.{region}.{domain}")),
            region: settings.region,
            signing_name: settings.signing_name,
            access: settings.access,
            connector: http_connector(Duration::from_millis(settings.connect_timeout_ms), timeout),
            timeout,
        }
    }

    /// Sends a signed `POST` request with a JSON body once, and returns the body of the response.
    ///
    /// # Errors
    /// [`AwsError`]
    pub async fn post(&self, path: &str, headers: HeaderMap, body: String, now: Timestamp) -> Result<Bytes, AwsError> {
        let response = tokio::time::timeout(self.timeout, async {
            let request = self.signed(path, headers, body, now).await?;
            let request = request.map(SdkBody::from).try_into().map_err(no_response)?;
            let response = self.connector.call(request).await.map_err(no_response)?;
            let mut response = response.try_into_http1x().map_err(no_response)?;
            let body = Limited::new(response.body_mut(), MAX_RESPONSE_BYTES).collect().await;
            let bytes = body.map_err(no_response)?.to_bytes();
            Ok(response.map(|_| bytes))
        });
        let response = response.await.map_err(no_response)??;
        if response.status().is_success() {
            return Ok(response.into_body());
        }
        Err(AwsError::Refused {
            status: response.status(),
            code: error_code(&response),
        })
    }

    async fn signed(
        &self,
        path: &str,
        headers: HeaderMap,
        body: String,
        now: Timestamp,
    ) -> Result<Request<String>, AwsError> {
        let mut request = Request::post(format!("{}{path}", self.endpoint))
            .body(body)
            .map_err(no_response)?;
        *request.headers_mut() = headers;
        let identity = self.identity().await?;
        let parameters = v4::SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name(self.signing_name)
            .time(UNIX_EPOCH + Duration::from_millis(now.as_millis().unsigned_abs()))
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

    async fn identity(&self) -> Result<Identity, AwsError> {
        let access = self.access.as_ref().ok_or_else(|| {
            AwsError::NoCredentials("there is neither AWS_ACCESS_KEY_ID nor a profile or role".to_owned())
        })?;
        let credentials = access.provide_credentials().await;
        let credentials = credentials.map_err(|error| AwsError::NoCredentials(error.to_string()))?;
        Ok(credentials.into())
    }
}

/// Returns the code of an error. Some services write it in a header and others in the body, behind the name of its package or before a URL.
fn error_code(response: &Response<Bytes>) -> String {
    let header = response.headers().get(ERROR_TYPE).and_then(|value| value.to_str().ok());
    let Refusal { kind, code } = serde_json::from_slice(response.body()).unwrap_or_default();
    let codes = [header.unwrap_or_default(), &kind, &code];
    let code = codes.into_iter().find(|code| !code.is_empty()).unwrap_or_default();
    let code = code.split(':').next().unwrap_or_default();
    code.rsplit('#').next().unwrap_or_default().to_owned()
}

/// Headers of a request.
pub fn headers<const N: usize>(headers: [(HeaderName, &'static str); N]) -> HeaderMap {
    let headers = headers.into_iter();
    headers
        .map(|(name, value)| (name, HeaderValue::from_static(value)))
        .collect()
}

fn no_response(error: impl ToString) -> AwsError {
    AwsError::NoResponse(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn error_code_is_found_in_header_and_body() {
        for (header, body, expected) in [
            (
                "MessageRejected:http://internal.amazon.com/coral/",
                "",
                "MessageRejected",
            ),
            (
                "",
                r#"{"__type":"com.amazonaws.ses#TooManyRequestsException"}"#,
                "TooManyRequestsException",
            ),
            ("", r#"{"code":"BadRequestException"}"#, "BadRequestException"),
            (
                "NotFoundException",
                r#"{"code":"BadRequestException"}"#,
                "NotFoundException",
            ),
            ("", "<busy/>", ""),
            ("", "", ""),
        ] {
            let mut response = Response::new(Bytes::from_static(body.as_bytes()));
            response
                .headers_mut()
                .insert(ERROR_TYPE, HeaderValue::from_static(header));
            assert_eq!(error_code(&response), expected);
        }
    }
}
