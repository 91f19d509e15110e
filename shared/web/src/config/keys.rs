//! Loads the encryption keys: from settings, from a secret in AWS Secrets Manager, or from the key file.

use std::path::Path;

use bespoke_core::{Key, KeyError, KeyRing, Random};
use bespoke_services::secrets::Secret;

use super::environment::Environment;
use super::error::{ConfigError, invalid};
use super::key_file;
use super::key_secret::SecretLocation;

const ENC_KEY: &str = "BACKEND_ENC_KEY";
const OLD_ENC_KEY: &str = "BACKEND_OLD_ENC_KEY";
const ENC_KEY_SECRET: &str = "BACKEND_ENC_KEY_SECRET";
/// The default age at which a Lambda function reads the secret again, in seconds.
const DEFAULT_KEY_MAX_AGE_S: u64 = 300;

/// The previous keys during a key rotation. They only decrypt.
#[derive(Debug, Clone, Default)]
pub struct OldKeys {
    /// The key of encrypted fields.
    pub data: Option<Key>,
    /// The key of the e-mail index.
    pub index: Option<Key>,
}

impl Environment {
    /// The secret that contains the passphrase, if the settings name one.
    ///
    /// # Errors
    /// [`ConfigError::Invalid`] if the settings also contain a passphrase.
    pub fn key_secret(&self) -> Result<Option<SecretLocation>, ConfigError> {
        let Some(id) = self.text(ENC_KEY_SECRET) else {
            return Ok(None);
        };
        for name in [ENC_KEY, OLD_ENC_KEY] {
            if self.text(name).is_some() {
                return Err(invalid(name, format!("must not be set together with {ENC_KEY_SECRET}")));
            }
        }
        let max_age_s = self.number("BACKEND_ENC_KEY_MAX_AGE_S", DEFAULT_KEY_MAX_AGE_S)?;
        Ok(Some(SecretLocation {
            id,
            max_age_ms: i64::try_from(max_age_s.saturating_mul(1_000)).unwrap_or(i64::MAX),
            aws: self.aws("SECRETS_MANAGER"),
        }))
    }

    /// Sets the passphrases from the secret.
    pub fn set_keys(&mut self, secret: &Secret) {
        self.variables.insert(ENC_KEY.into(), secret.current.clone());
        match &secret.other {
            Some(other) => self.variables.insert(OLD_ENC_KEY.into(), other.clone()),
            None => self.variables.remove(OLD_ENC_KEY),
        };
    }

    /// Makes a missing key file an error, instead of creating the file.
    pub fn require_key_file(&mut self) {
        self.requires_key_file = true;
    }

    /// The keys: each from its own passphrase if that is set, and otherwise derived from the common passphrase.
    ///
    /// # Errors
    /// [`ConfigError`] if a passphrase is too short, or the key file cannot be used.
    pub(super) fn keys(&self, data_dir: &Path, random: &dyn Random) -> Result<KeyRing, ConfigError> {
        let one = |name: &str, purpose: &str| {
            let key = self
                .text(name)
                .map(|passphrase| KeyRing::derive_one(&passphrase, purpose))
                .transpose();
            key.map_err(|error: KeyError| invalid(name, error))
        };
        let token = one("BACKEND_TOKEN_KEY", "token")?;
        let data = one("BACKEND_DATA_KEY", "data")?;
        let index = one("BACKEND_INDEX_KEY", "index")?;
        if let (Some(token), Some(data), Some(index)) = (&token, &data, &index) {
            return Ok(KeyRing {
                token: token.clone(),
                data: data.clone(),
                index: index.clone(),
            });
        }
        let passphrase = match self.text(ENC_KEY) {
            Some(passphrase) => passphrase,
            None if self.text(ENC_KEY_SECRET).is_some() => {
                return Err(invalid(ENC_KEY_SECRET, "the secret has not been read"));
            }
            None if self.requires_key_file && !key_file::exists(data_dir) => {
                return Err(ConfigError::NoKey {
                    folder: data_dir.to_owned(),
                });
            }
            None => key_file::read_or_create(data_dir, random).map_err(|source| ConfigError::KeyFile {
                folder: data_dir.join("keys"),
                source,
            })?,
        };
        let derived = KeyRing::derive(&passphrase).map_err(|error| invalid(ENC_KEY, error))?;
        Ok(KeyRing {
            token: token.unwrap_or(derived.token),
            data: data.unwrap_or(derived.data),
            index: index.unwrap_or(derived.index),
        })
    }

    /// The previous keys during a key rotation.
    ///
    /// # Errors
    /// [`ConfigError::Invalid`] if a passphrase is too short.
    pub(super) fn old_keys(&self) -> Result<OldKeys, ConfigError> {
        let one = |name: &str, purpose: &str| {
            // A key of its own takes precedence over the common passphrase.
            let own = self.text(name).map(|passphrase| (name, passphrase));
            let passphrase = own.or_else(|| self.text(OLD_ENC_KEY).map(|passphrase| (OLD_ENC_KEY, passphrase)));
            let derive = |(name, passphrase): (&str, String)| {
                KeyRing::derive_one(&passphrase, purpose).map_err(|error| invalid(name, error))
            };
            passphrase.map(derive).transpose()
        };
        Ok(OldKeys {
            data: one("BACKEND_OLD_DATA_KEY", "data")?,
            index: one("BACKEND_OLD_INDEX_KEY", "index")?,
        })
    }
}
