//! [`Environment`]: reads environment variables and `.env`, and parses single values.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr};
use std::num::{NonZeroU32, NonZeroU64, NonZeroUsize};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use bespoke_core::entity::set::DEFAULT_IMAGE;
use bespoke_core::{Networks, decode_text};
use bespoke_storage::Place;
use bespoke_storage::aws::Aws;

use super::contact::Contact;
use super::env_file::EnvFile;
use super::error::{ConfigError, invalid};
use super::otel::{OTEL_PREFIX, OtelVariables};
use super::settings::{SETTINGS, WITHOUT_EFFECT};
use super::website::Website;
use super::{texts, urls};

const PREFIX: &str = "BACKEND_";
/// Maximum size of a `.env` file, in bytes. The time to parse quotes without a counterpart grows with the square of the size.
const MAX_ENV_FILE_BYTES: usize = 64 * 1024;
/// The prefix of the standard variables of AWS.
const AWS_PREFIX: &str = "AWS_";
/// The only setting of `bespoke import`, which the server ignores.
const IMPORT_PASSPHRASE: &str = "IMPORT_ENC_KEY";
pub(super) const DEFAULT_PORT: u16 = 3000;

/// Values from the command line, which override the environment.
#[derive(Debug, Clone, Default)]
pub struct Overrides {
    /// The port of the server.
    pub port: Option<u16>,
    /// The data folder.
    pub data_dir: Option<PathBuf>,
    /// Accept the demonstration key even if test mode is off.
    pub allow_demo_key: bool,
}

/// A type of whole numbers.
pub(super) trait WholeNumber: FromStr + Display {
    /// The range of its values, in words.
    const RANGE: &'static str;
}

macro_rules! whole_numbers {
    ($($number:ty: $range:literal),*) => {
        $(impl WholeNumber for $number {
            const RANGE: &'static str = $range;
        })*
    };
}

whole_numbers! {
    u16: "from 0 to 65535",
    u32: "from 0 to 4294967295",
    u64: "of 0 or more",
    NonZeroU64: "of 1 or more",
    NonZeroU32: "from 1 to 4294967295",
    NonZeroUsize: "of 1 or more"
}

/// Whether the value of a setting is a passphrase, from which keys are derived, so that every character counts.
fn is_passphrase(name: &str) -> bool {
    name == IMPORT_PASSPHRASE || (name.starts_with(PREFIX) && name.ends_with("_KEY"))
}

/// The variables of this project from the environment and from `.env`. The environment overrides `.env`.
#[derive(Clone)]
pub struct Environment {
    pub(super) variables: BTreeMap<String, String>,
    aws: BTreeMap<String, String>,
    otel: OtelVariables,
    /// Whether `.env` contains variables of OpenTelemetry. Its SDK reads only the environment, so they have no effect.
    otel_in_dot_env: bool,
    on_lambda: bool,
    allow_demo_key: bool,
    /// Whether a missing key file is an error.
    pub(super) requires_key_file: bool,
    dot_env_problem: Option<String>,
}

impl Environment {
    /// Reads the environment of the process, and `.env` in the working folder.
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one place where the environment is read"
    )]
    pub fn read(overrides: Overrides) -> Self {
        let process = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.to_string_lossy().into_owned())));
        let mut dot_env_problem = None;
        let mut file = Vec::new();
        match std::fs::read(".env") {
            Ok(bytes) if bytes.len() > MAX_ENV_FILE_BYTES => {
                dot_env_problem = Some(format!("is larger than {MAX_ENV_FILE_BYTES} bytes"));
            }
            Ok(bytes) => {
                let text = decode_text(&bytes).unwrap_or_else(|| String::from_utf8_lossy(&bytes));
                let parsed = EnvFile::parse(&text);
                file = parsed.variables;
                dot_env_problem = parsed
                    .unreadable_line
                    .map(|line| format!("line {line} is not of the form NAME=value"));
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => dot_env_problem = Some(format!("cannot be read: {error}")),
        }
        let count = file.len();
        file.retain(|(name, _)| !name.starts_with(OTEL_PREFIX));
        let otel_in_dot_env = file.len() < count;
        let mut environment = Self::of(file.into_iter().chain(process), overrides);
        environment.otel_in_dot_env = otel_in_dot_env;
        environment.dot_env_problem = dot_env_problem;
        environment
    }

    /// Creates an environment of these variables. A later variable overrides an earlier one of the same name.
    pub fn of(variables: impl IntoIterator<Item = (String, String)>, overrides: Overrides) -> Self {
        let all: BTreeMap<_, _> = variables.into_iter().collect();
        let on_lambda = all.contains_key("AWS_LAMBDA_FUNCTION_NAME");
        let (mut aws, mut variables): (BTreeMap<_, _>, BTreeMap<_, _>) =
            all.into_iter().partition(|(name, _)| name.starts_with(AWS_PREFIX));
        for value in aws.values_mut() {
            *value = value.trim().to_owned();
        }
        aws.retain(|_, value| !value.is_empty());
        let otel = variables.extract_if(.., |name, _| name.starts_with(OTEL_PREFIX));
        let otel = OtelVariables::new(otel);
        // Files with secrets and lists of variables often contain blanks around a value.
        for (_, value) in variables.iter_mut().filter(|(name, _)| !is_passphrase(name)) {
            *value = value.trim().to_owned();
        }
        variables.retain(|name, value| (name.starts_with(PREFIX) || name == IMPORT_PASSPHRASE) && !value.is_empty());
        if let Some(port) = overrides.port {
            variables.insert("BACKEND_PORT".into(), port.to_string());
        }
        if let Some(dir) = overrides.data_dir {
            variables.insert("BACKEND_DATA_DIR".into(), dir.to_string_lossy().into_owned());
        }
        Self {
            variables,
            aws,
            otel,
            otel_in_dot_env: false,
            on_lambda,
            allow_demo_key: overrides.allow_demo_key,
            requires_key_file: false,
            dot_env_problem: None,
        }
    }

    /// The filter of the log; `None` if the setting is missing or invalid, which [`super::Config::load`] reports.
    pub(crate) fn log_filter(&self) -> Option<String> {
        texts::log_filter(self.variables.get("BACKEND_LOG")?).ok()
    }

    /// The variables of OpenTelemetry.
    pub(crate) fn otel(&self) -> &OtelVariables {
        &self.otel
    }

    /// Whether `.env` contains variables of OpenTelemetry, which have no effect there.
    pub(crate) fn has_otel_in_dot_env(&self) -> bool {
        self.otel_in_dot_env
    }

    /// The address of the server. It is read before the other settings, because the server binds it first.
    ///
    /// # Errors
    /// [`ConfigError::Invalid`]
    pub fn address(&self) -> Result<SocketAddr, ConfigError> {
        let expected = "must be an IP address of this machine, for example 127.0.0.1, or 0.0.0.0 for all addresses";
        let host = self.parse_with("BACKEND_HOST", "127.0.0.1", |text| {
            let brackets = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
            brackets.unwrap_or(text).parse::<IpAddr>().map_err(|_| expected)
        })?;
        Ok((host, self.number("BACKEND_PORT", DEFAULT_PORT)?).into())
    }

    /// Sets the port that the server has bound. With port 0, the operating system chooses it.
    pub fn set_port(&mut self, port: u16) {
        self.variables.insert("BACKEND_PORT".into(), port.to_string());
    }

    /// The endpoint, region and credentials for an AWS service, from the standard variables.
    pub(super) fn aws(&self, service: &str) -> Aws {
        Aws::of(|name| self.aws.get(name).cloned(), service)
    }

    pub(super) fn allows_demo_key(&self) -> bool {
        self.allow_demo_key
    }

    /// The passphrase of the legacy database, for `bespoke import`.
    pub fn import_passphrase(&self) -> Option<String> {
        self.text(IMPORT_PASSPHRASE)
    }

    /// The data folder.
    pub fn data_dir(&self) -> PathBuf {
        self.text("BACKEND_DATA_DIR")
            .unwrap_or_else(|| "data".to_owned())
            .into()
    }

    /// Rejects values that only a shell or a `.env` file would change: quotes around a value. A passphrase may contain anything but only blanks.
    /// If it looks unintended, a warning says so, because another key would not decrypt the data.
    pub(super) fn check_quotes(&self) -> Result<(), ConfigError> {
        for (name, value) in &self.variables {
            let is_quoted = |quote: char| value.len() > 1 && value.starts_with(quote) && value.ends_with(quote);
            let is_quoted = is_quoted('"') || is_quoted('\'');
            if !is_passphrase(name) && is_quoted {
                return Err(invalid(
                    name,
                    "is in quotes: write the value without them, because only .env files remove quotes",
                ));
            }
            if is_passphrase(name) && value.trim().is_empty() {
                return Err(invalid(
                    name,
                    "consists of blanks: write a passphrase of at least 16 letters, digits and signs",
                ));
            }
            if is_passphrase(name) && (is_quoted || value.trim() != value) {
                tracing::warn!(name, "the quotes or blanks around this passphrase are a part of it");
            }
        }
        Ok(())
    }

    /// Rejects folders with a beginning that only a shell replaces, or that belongs to another setting.
    pub(super) fn check_folders(&self) -> Result<(), ConfigError> {
        for name in ["BACKEND_DATA_DIR", "BACKEND_LOCAL_DIR", "BACKEND_STORE"] {
            let folder = self.text(name).unwrap_or_default();
            let is_store = name == "BACKEND_STORE";
            if !is_store && ["dir:", "file:", "s3:"].iter().any(|scheme| folder.starts_with(scheme)) {
                let problem = "must be the path of a folder, for example /var/lib/bespoke; only BACKEND_STORE may begin with dir: or s3:";
                return Err(invalid(name, problem));
            }
            let folder = folder.strip_prefix("dir:").unwrap_or(&folder);
            if folder.starts_with('$') {
                let problem = "begins with $, which only a shell replaces: write the complete path of the folder";
                return Err(invalid(name, problem));
            }
            if folder == "~" || folder.starts_with("~/") {
                let problem = "begins with ~, which only a shell replaces: write the complete path of the folder";
                return Err(invalid(name, problem));
            }
        }
        Ok(())
    }

    pub(super) fn check_dot_env(&self) -> Result<(), ConfigError> {
        self.dot_env_problem
            .clone()
            .map_or(Ok(()), |problem| Err(ConfigError::DotEnv(problem)))
    }

    pub(super) fn text(&self, name: &str) -> Option<String> {
        debug_assert!(
            SETTINGS.iter().any(|setting| setting.name == name),
            "{name} is missing from the list of settings"
        );
        self.variables.get(name).cloned()
    }

    /// Parses a whole number.
    pub(super) fn number<T: WholeNumber>(&self, name: &str, default: T) -> Result<T, ConfigError> {
        let expected = format!("must be a whole number {}, for example {default}", T::RANGE);
        self.parse(name, default, &expected)
    }

    /// Parses a value. `expected` completes a sentence after the name of the setting, and contains an example.
    pub(super) fn parse<T: FromStr>(&self, name: &str, default: T, expected: &str) -> Result<T, ConfigError> {
        self.text(name)
            .map_or(Ok(default), |text| text.parse().map_err(|_| invalid(name, expected)))
    }

    /// Parses a value, or `default` if the setting is missing. The error of `parse` completes a sentence after the name of the setting.
    pub(super) fn parse_with<T, E: Display>(
        &self,
        name: &str,
        default: &str,
        parse: impl Fn(&str) -> Result<T, E>,
    ) -> Result<T, ConfigError> {
        parse(self.text(name).as_deref().unwrap_or(default)).map_err(|error| invalid(name, error))
    }

    /// The items of a list that is separated by commas; `None` if the setting is missing.
    pub(super) fn list(&self, name: &str) -> Option<Vec<String>> {
        let text = self.text(name)?;
        Some(
            text.split(',')
                .map(|item| item.trim().to_owned())
                .filter(|item| !item.is_empty())
                .collect(),
        )
    }

    pub(super) fn flag(&self, name: &str) -> Result<bool, ConfigError> {
        Ok(self.switch(name, "must be yes or no")?.unwrap_or_default())
    }

    /// Parses yes or no, in any of the usual words; `None` if the setting is missing.
    pub(super) fn switch(&self, name: &str, expected: &str) -> Result<Option<bool>, ConfigError> {
        match self.text(name).unwrap_or_default().to_ascii_lowercase().as_str() {
            "" => Ok(None),
            "yes" | "1" | "true" | "on" => Ok(Some(true)),
            "no" | "0" | "false" | "off" => Ok(Some(false)),
            _ => Err(invalid(name, expected)),
        }
    }

    /// The id of a default image.
    pub(super) fn image(&self, name: &str) -> Result<String, ConfigError> {
        self.parse_with(name, DEFAULT_IMAGE, texts::name)
    }

    pub(super) fn check_log_filter(&self) -> Result<(), ConfigError> {
        self.parse_with("BACKEND_LOG", "info", texts::log_filter).map(drop)
    }

    pub(super) fn website(&self) -> Result<Option<Website>, ConfigError> {
        let scheme = self.parse_with("BACKEND_WEBSITE_SCHEME", "https", urls::scheme)?;
        let domain = "BACKEND_WEBSITE_DOMAIN";
        let website = self.text(domain).map(|_| {
            let domain = self.parse_with(domain, "", urls::host)?;
            Ok(Website { scheme, domain })
        });
        website.transpose()
    }

    /// The origins that may call from browsers; `None` for all.
    pub(super) fn cors_origins(&self) -> Result<Option<Vec<String>>, ConfigError> {
        let name = "BACKEND_CORS_ORIGINS";
        let Some(items) = self.list(name) else {
            return Ok(None);
        };
        if let [all] = items.as_slice()
            && (all == "*" || all.eq_ignore_ascii_case("all"))
        {
            return Ok(None);
        }
        if items.is_empty() {
            return Err(invalid(
                name,
                "lists no origin: write all, or origins such as https://lab.example.org",
            ));
        }
        let origins: Result<Vec<_>, _> = items.iter().map(|item| urls::origin(item)).collect();
        origins.map(Some).map_err(|problem| invalid(name, problem))
    }

    /// The e-mail domain of test accounts; `None` if test mode is off.
    pub(super) fn test_domain(&self) -> Result<Option<String>, ConfigError> {
        let domain = self.parse_with("BACKEND_TEST_DOMAIN", "freesewing.dev", urls::email_domain)?;
        Ok(self.flag("BACKEND_ENABLE_TESTS")?.then_some(domain))
    }

    pub(super) fn contact(&self, name: &str) -> Result<Option<Contact>, ConfigError> {
        let contact = self.text(name).map(|text| text.parse()).transpose();
        contact.map_err(|error: &str| invalid(name, error))
    }

    pub(super) fn networks(&self, name: &str) -> Result<Option<Networks>, ConfigError> {
        let parse = |texts: Vec<String>| Networks::parse(texts.iter().map(String::as_str));
        self.list(name)
            .map(parse)
            .transpose()
            .map_err(|error| invalid(name, error))
    }

    pub(super) fn store(&self, data_dir: &Path) -> Result<Place, ConfigError> {
        let expected =
            "must be dir: and a folder, or s3:// and a bucket with an optional prefix, for example s3://bucket/prefix";
        self.parse("BACKEND_STORE", Place::Directory(data_dir.join("objects")), expected)
    }

    pub(super) fn local_dir(&self, data_dir: &Path) -> PathBuf {
        match self.text("BACKEND_LOCAL_DIR") {
            Some(folder) => folder.into(),
            None if self.on_lambda => "/tmp/bespoke".into(),
            None => data_dir.join("cache"),
        }
    }

    pub(super) fn reject_unknown(&self) -> Result<(), ConfigError> {
        for name in self.variables.keys() {
            if WITHOUT_EFFECT.contains(&name.as_str()) {
                tracing::warn!(name, "this setting has no effect");
            } else if !SETTINGS.iter().any(|setting| setting.name == name) {
                return Err(ConfigError::Unknown(name.clone()));
            }
        }
        Ok(())
    }
}
