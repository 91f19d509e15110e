//! The clients of a bucket: where it is, who asks, how long and how often.

use std::time::Duration;

use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider, future};
use aws_sdk_s3::Client;
use aws_sdk_s3::config::retry::{ReconnectMode, RetryConfig};
use aws_sdk_s3::config::{Builder, Region, RequestChecksumCalculation, ResponseChecksumValidation};

use super::StoreError;
use crate::aws::{ANY_REGION, Aws, http_client};

/// How long a connection may take to come about. Milliseconds.
const CONNECT_TIMEOUT_MS: u64 = 1_500;
/// How long the first byte of an answer may take; a PUT of a chunk over a slow line is sent in that time. Milliseconds.
const ANSWER_TIMEOUT_MS: u64 = 20_000;
/// How often a GET, LIST or DELETE is sent at most.
const ATTEMPTS: u32 = 3;
/// The first wait before another attempt. Milliseconds.
const FIRST_BACKOFF_MS: u64 = 50;

/// Where a bucket is.
#[derive(Clone, Default)]
pub struct S3Settings {
    /// Name of the bucket.
    pub bucket: String,
    /// What the keys of all objects begin with; empty for a bucket of our own.
    pub prefix: String,
    /// Where the bucket is, and who asks. With an endpoint the bucket stands in the path.
    pub aws: Aws,
}

/// A client that repeats what failed to be answered, and one that does not.
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
            Duration::from_millis(ANSWER_TIMEOUT_MS),
        ))
        .region(Region::new(region))
        .credentials_provider(access.unwrap_or_else(|| SharedCredentialsProvider::new(Nobody)))
        .force_path_style(aws.endpoint.is_some())
        .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
        .response_checksum_validation(ResponseChecksumValidation::WhenRequired);
    config.set_endpoint_url(aws.endpoint.clone());
    let patience = RetryConfig::standard()
        .with_max_attempts(ATTEMPTS)
        .with_initial_backoff(Duration::from_millis(FIRST_BACKOFF_MS));
    let [patient, once] = [patience, RetryConfig::disabled()].map(|retries| {
        // Who says that it is busy has answered: there is nothing wrong with the connection.
        let retries = retries.with_reconnect_mode(ReconnectMode::ReuseAllConnections);
        Client::from_conf(config.clone().retry_config(retries).build())
    });
    Ok((patient, once))
}

/// Who asks where nobody is named.
#[derive(Debug)]
struct Nobody;

impl ProvideCredentials for Nobody {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::ready(Err(CredentialsError::not_loaded_no_source()))
    }
}
