//! Completes the AWS settings and credentials for operators who run commands on their own machine: in addition to the
//! environment variables, it uses profile files, single sign-on, and the roles of machines.

use std::time::Duration;

use aws_config::environment::region::EnvironmentVariableRegionProvider;
use aws_config::meta::region::RegionProviderChain;
use aws_config::profile::region::ProfileFileRegionProvider;
use aws_config::{BehaviorVersion, Region};
use aws_credential_types::provider::SharedCredentialsProvider;
use bespoke_core::Timestamp;
use bespoke_services::mail::MailTransport;
use bespoke_storage::Place;
use bespoke_storage::aws::{ANY_REGION, Aws, http_client};
use bespoke_web::Config;
use bespoke_web::config::{ConfigError, Environment};

/// Timeout for connecting, in milliseconds.
const CONNECT_TIMEOUT_MS: u64 = 1_500;
/// Timeout for a response of a credentials endpoint, in milliseconds.
const RESPONSE_TIMEOUT_MS: u64 = 10_000;

/// The AWS settings of profile files, single sign-on and the machine.
struct MachineSettings {
    region: Option<Region>,
    endpoint: Option<String>,
    access: Option<SharedCredentialsProvider>,
}

impl MachineSettings {
    async fn read() -> Self {
        // The default chain of the SDK would also query the metadata service of EC2, and wait for its timeout on other
        // machines.
        let chain = RegionProviderChain::first_try(EnvironmentVariableRegionProvider::new());
        let region = chain.or_else(ProfileFileRegionProvider::new()).region().await;
        let config = aws_config::defaults(BehaviorVersion::latest())
            .http_client(http_client(
                Duration::from_millis(CONNECT_TIMEOUT_MS),
                Duration::from_millis(RESPONSE_TIMEOUT_MS),
            ))
            .region(region.clone().unwrap_or(Region::from_static(ANY_REGION)))
            .load()
            .await;
        Self {
            region,
            endpoint: config.endpoint_url().map(str::to_owned),
            access: config.credentials_provider(),
        }
    }

    /// Fills in the settings that the environment variables do not contain.
    fn fill_in_missing(&self, aws: &mut Aws) {
        let region = || self.region.as_ref().map(ToString::to_string);
        aws.region = aws.region.take().or_else(region);
        aws.endpoint = aws.endpoint.take().or_else(|| self.endpoint.clone());
        aws.access.clone_from(&self.access);
    }
}

/// Fills in the AWS settings that the environment variables do not contain, if the configuration uses AWS.
pub(crate) async fn fill_in_missing_settings(config: &mut Config) {
    let ses = match &mut config.mail.transport {
        MailTransport::Ses(ses) => Some(ses),
        _ => None,
    };
    if ses.is_none() && !matches!(config.store, Place::S3 { .. }) {
        return;
    }
    let machine = MachineSettings::read().await;
    machine.fill_in_missing(&mut config.aws);
    if let Some(ses) = ses {
        ses.endpoint = ses.endpoint.take().or_else(|| machine.endpoint.clone());
        ses.access = machine.access;
    }
}

/// Reads the passphrase if it is stored in a secret.
///
/// # Errors
/// [`ConfigError`] if the secret cannot be read.
pub(crate) async fn read_passphrase_secret(environment: &mut Environment, now: Timestamp) -> Result<(), ConfigError> {
    if let Some(mut secret) = environment.key_secret()? {
        MachineSettings::read().await.fill_in_missing(&mut secret.aws);
        environment.set_keys(&secret.read(now).await?);
    }
    Ok(())
}
