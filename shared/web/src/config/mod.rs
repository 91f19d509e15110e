//! The configuration: settings from environment variables and from `.env`.
//!
//! [`Environment::read`] reads the variables once. [`Config::load`] turns them into typed values, and fails for an unknown setting or an
//! invalid value, so that a typing error never has a silent effect. The rest of the code gets a [`Config`] and never reads an environment
//! variable.
//!
//! | File | Job |
//! | --- | --- |
//! | `settings` | the list of all settings, from which docs/configuration.md is generated |
//! | `environment`, `env_file`, `urls`, `texts` | reads variables and `.env`, and parses single values |
//! | `keys`, `key_secret`, `key_file` | encryption keys: from a passphrase, from AWS Secrets Manager, or from a generated file |
//! | `limits`, `mail`, `services`, `contributions`, `otel`, `contact`, `website` | groups of settings |
//! | `values` | [`Config`], with one field for each value |
//!
//! This module depends on the modules whose settings it reads (`limits`, `client`, and the crates below). It must not open a connection, except
//! for [`SecretLocation::read`].
//!
//! To add a setting, add a row to [`SETTINGS`], a field to [`Config`], and its parser to the file of its group. Then run
//! `cargo run -q -- settings > docs/configuration.md`.

mod contact;
mod contributions;
mod env_file;
mod environment;
mod error;
mod key_file;
mod key_secret;
mod keys;
mod limits;
mod mail;
mod otel;
mod services;
mod settings;
#[cfg(test)]
mod tests;
mod texts;
mod urls;
mod values;
mod website;

pub use crate::client::OriginSecret;
pub use contact::Contact;
pub use contributions::Translators;
pub(crate) use env_file::EnvFile;
pub use environment::{Environment, Overrides};
pub use error::ConfigError;
pub use key_secret::SecretLocation;
pub use keys::OldKeys;
#[cfg(feature = "otlp")]
pub(crate) use otel::{OTEL_PREFIX, OtelVariables};
pub use settings::{SETTINGS, Setting, WITHOUT_EFFECT, page};
pub use values::Config;
pub use website::Website;
