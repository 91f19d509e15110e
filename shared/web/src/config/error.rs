//! [`ConfigError`]: names the setting that is invalid, and the reason.

use std::fmt::Display;
use std::path::PathBuf;

/// The reason why a configuration is invalid. The text names the setting and the values that it accepts.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// An unknown or misspelled name.
    #[error("{0} is not a setting of Bespoke (see docs/configuration.md)")]
    Unknown(String),
    /// An invalid value.
    #[error("{name}: {problem}")]
    Invalid {
        /// Name of the setting.
        name: String,
        /// The problem. It never contains the value of a secret.
        problem: String,
    },
    /// The key file can be neither read nor created.
    #[error("no BACKEND_ENC_KEY is set, and the key file in {folder} cannot be used: {source}")]
    KeyFile {
        /// The folder of the key file.
        folder: PathBuf,
        /// The reason.
        source: std::io::Error,
    },
    /// There is neither a passphrase nor a key file, and a key file must not be created.
    #[error("{folder} has no key file, and no BACKEND_ENC_KEY is set: there is no installation, or its key is lost")]
    NoKey {
        /// The data folder.
        folder: PathBuf,
    },
    /// The secret with the passphrase cannot be read.
    #[error("the secret {id}, which BACKEND_ENC_KEY_SECRET names, cannot be read: {source}")]
    KeySecret {
        /// ARN or name of the secret.
        id: String,
        /// The reason.
        source: bespoke_services::secrets::SecretReadError,
    },
    /// `.env` cannot be read.
    #[error(".env: {0}")]
    DotEnv(String),
}

/// Returns the error for an invalid value of the setting `name`.
pub(super) fn invalid(name: &str, problem: impl Display) -> ConfigError {
    ConfigError::Invalid {
        name: name.to_owned(),
        problem: problem.to_string(),
    }
}
