//! The secret that holds the passphrase of an installation.

use bespoke_core::Timestamp;
use bespoke_services::secrets::{self, Secret};
use bespoke_storage::aws::Aws;

use super::ConfigError;

/// A secret in AWS Secrets Manager that holds the passphrase.
#[derive(Debug, Clone)]
pub struct KeySecret {
    /// ARN or name.
    pub id: String,
    /// How long its value is used before it is read again, in milliseconds.
    pub max_age_ms: i64,
    /// Where the service is, and with which credentials it is called.
    pub aws: Aws,
}

impl KeySecret {
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
