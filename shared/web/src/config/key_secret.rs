//! [`SecretLocation`]: the secret in AWS Secrets Manager that contains the passphrase of an installation.

use bespoke_core::Timestamp;
use bespoke_services::secrets::{self, Secret};
use bespoke_storage::aws::Aws;

use super::error::ConfigError;

/// A secret in AWS Secrets Manager that contains the passphrase.
#[derive(Debug, Clone)]
pub struct SecretLocation {
    /// ARN or name.
    pub id: String,
    /// The age at which the value is read again, in milliseconds.
    pub max_age_ms: i64,
    /// Endpoint and credentials of the service.
    pub aws: Aws,
}

impl SecretLocation {
    /// Reads the secret.
    ///
    /// # Errors
    /// [`ConfigError::KeySecret`]
    pub async fn read(&self, now: Timestamp) -> Result<Secret, ConfigError> {
        let secret = secrets::read(&self.aws, &self.id, now).await;
        secret.map_err(|source| ConfigError::KeySecret {
            id: self.id.clone(),
            source,
        })
    }
}
