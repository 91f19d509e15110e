//! [`S3Settings`]: creates the clients of a bucket, with region, credentials, timeouts and retries.

use std::time::Duration;

use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider, future};
use aws_sdk_s3::Client;
use aws_sdk_s3::config::retry::{ReconnectMode, RetryConfig};
use aws_sdk_s3::config::{Builder, Region, RequestChecksumCalculation, ResponseChecksumValidation};

use crate::aws::{ANY_REGION, Aws, http_client};
use crate::store::StoreError;

/// Time limit for a connection, in milliseconds.
const CONNECT_TIMEOUT_MS: u64 = 1_500;
/// Time limit until the first byte of a response, in milliseconds. It includes sending the request, which may be a
/// chunk over a slow connection.
const RESPONSE_TIMEOUT_MS: u64 = 20_000;
/// Maximum number of attempts of a GET, LIST or DELETE.
const ATTEMPTS: u32 = 3;
/// The wait before the first retry, in milliseconds.
const FIRST_BACKOFF_MS: u64 = 50;

/// The settings of a bucket.
#[derive(Clone, Default)]
pub struct S3Settings {
    /// Name of the bucket.
    pub bucket: String,
    /// Prefix of all keys. Empty if the complete bucket may be used.
    pub prefix: String,
    /// Region, endpoint and credentials. With an endpoint, the name of the bucket is part of the path.
    pub aws: Aws,
}

/// Returns a client that retries, and one that does not.
pub(super) fn clients(aws: &Aws) -> Result<(Client, Client), StoreError> {
    if aws.region.is_none() && aws.endpoint.is_none() {
        return Err(StoreError::Refused(
            "no region: set AWS_REGION to the region of the bucket".to_owned(),
        ));
    }
    let region = aws.region.clone().unwrap_or_else(|| ANY_REGION.to_owned());
    let access = aws.access.clone();
    let mut config = Builder::new()
        .http_client(http_client(
            Duration::from_millis(CONNECT_TIMEOUT_MS),
            Duration::from_millis(RESPONSE_TIMEOUT_MS),
        ))
        .region(Region::new(region))
        .credentials_provider(access.unwrap_or_else(|| SharedCredentialsProvider::new(NoCredentials)))
        .force_path_style(aws.endpoint.is_some())
        .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
        .response_checksum_validation(ResponseChecksumValidation::WhenRequired);
    config.set_endpoint_url(aws.endpoint.clone());
    let retries = RetryConfig::standard()
        .with_max_attempts(ATTEMPTS)
        .with_initial_backoff(Duration::from_millis(FIRST_BACKOFF_MS));
    let [retrying, once] = [retries, RetryConfig::disabled()].map(|retries| {
        // After the response "busy", the connection can be used again.
        let retries = retries.with_reconnect_mode(ReconnectMode::ReuseAllConnections);
        Client::from_conf(config.clone().retry_config(retries).build())
    });
    Ok((retrying, once))
}

/// The credentials provider that is used if no credentials are set. It always fails.
#[derive(Debug)]
struct NoCredentials;

impl ProvideCredentials for NoCredentials {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::ready(Err(CredentialsError::not_loaded_no_source()))
    }
}
