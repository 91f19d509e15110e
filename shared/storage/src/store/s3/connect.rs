//! The clients of a bucket: where it is, who asks, how long and how often.

use std::time::Duration;

use aws_config::environment::region::EnvironmentVariableRegionProvider;
use aws_config::meta::region::RegionProviderChain;
use aws_config::profile::region::ProfileFileRegionProvider;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, SdkConfig};
use aws_sdk_s3::Client;
use aws_sdk_s3::config::{Credentials, Region, RequestChecksumCalculation, ResponseChecksumValidation};
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;

use super::StoreError;

/// How long a connection may take to come about. Milliseconds.
const CONNECT_TIMEOUT_MS: u64 = 1_500;
/// How long the first byte of an answer may take; a PUT of a chunk over a slow line is sent in that time. Milliseconds.
const ANSWER_TIMEOUT_MS: u64 = 20_000;
/// How often a GET, LIST or DELETE is sent at most.
const ATTEMPTS: u32 = 3;
/// The first wait before another attempt. Milliseconds.
const FIRST_BACKOFF_MS: u64 = 50;
/// Of a server that is not AWS, and does not care.
const ANY_REGION: &str = "us-east-1";

/// Who asks.
#[derive(Clone)]
pub struct S3Access {
    /// `AWS_ACCESS_KEY_ID`.
    pub key_id: String,
    /// `AWS_SECRET_ACCESS_KEY`.
    pub secret: String,
    /// `AWS_SESSION_TOKEN`.
    pub session_token: Option<String>,
}

/// Where a bucket is. What is left out here is found as every AWS tool finds it: in `AWS_*` variables, the profile files, or
/// from the machine.
#[derive(Clone, Default)]
pub struct S3Settings {
    /// Name of the bucket.
    pub bucket: String,
    /// What the keys of all objects begin with; empty for a bucket of our own.
    pub prefix: String,
    /// URL of a server that is not AWS; the bucket stands in the path then.
    pub endpoint: Option<String>,
    /// Region of the bucket.
    pub region: Option<String>,
    /// Who asks.
    pub access: Option<S3Access>,
}

/// A client that repeats what failed to be answered, and one that does not.
pub(super) async fn clients(settings: &S3Settings) -> Result<(Client, Client), StoreError> {
    let region = region(settings).await;
    let shared = shared_config(settings, region.clone()).await;
    let endpoint = shared.endpoint_url().is_some();
    if region.is_none() && !endpoint {
        return Err(StoreError::Refused(
            "no region: set AWS_REGION to the region of the bucket".to_owned(),
        ));
    }
    let config = aws_sdk_s3::config::Builder::from(&shared)
        .force_path_style(endpoint)
        .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
        .response_checksum_validation(ResponseChecksumValidation::WhenRequired);
    let patience = RetryConfig::standard()
        .with_max_attempts(ATTEMPTS)
        .with_initial_backoff(Duration::from_millis(FIRST_BACKOFF_MS));
    let patient = Client::from_conf(config.clone().retry_config(patience).build());
    let once = Client::from_conf(config.retry_config(RetryConfig::disabled()).build());
    Ok((patient, once))
}

/// The SDK's own way would go on to ask the machine that it takes this for, and wait.
async fn region(settings: &S3Settings) -> Option<Region> {
    let chain = RegionProviderChain::first_try(settings.region.clone().map(Region::new))
        .or_else(EnvironmentVariableRegionProvider::new())
        .or_else(ProfileFileRegionProvider::new());
    chain.region().await
}

async fn shared_config(settings: &S3Settings, region: Option<Region>) -> SdkConfig {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(Duration::from_millis(CONNECT_TIMEOUT_MS))
        .read_timeout(Duration::from_millis(ANSWER_TIMEOUT_MS))
        .build();
    let http = aws_smithy_http_client::Builder::new()
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .build_https();
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .http_client(http)
        .timeout_config(timeouts)
        .region(region.unwrap_or_else(|| Region::new(ANY_REGION)));
    if let Some(endpoint) = &settings.endpoint {
        loader = loader.endpoint_url(endpoint);
    }
    if let Some(S3Access {
        key_id,
        secret,
        session_token,
    }) = settings.access.clone()
    {
        loader = loader.credentials_provider(Credentials::new(key_id, secret, session_token, None, "settings"));
    }
    loader.load().await
}
