//! Where settings come from, and how one is read.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use bespoke_core::entity::set::DEFAULT_IMAGE;
use bespoke_core::{KeyError, KeyRing, Networks, PasswordHasher, PasswordSettings, Random};
use bespoke_services::secrets::Secret;
use bespoke_storage::Place;
use bespoke_storage::aws::Aws;

use super::otel::{OTEL_PREFIX, OtelVariables};
use super::{ConfigError, Contact, KeySecret, OldKeys, SETTINGS, WITHOUT_EFFECT, Website};
use crate::origin::OriginSecret;
use crate::{AccountLimits, LimitSettings, key_file};

const PREFIX: &str = "BACKEND_";
/// What AWS and its tools call theirs.
const AWS_PREFIX: &str = "AWS_";
const ENC_KEY: &str = "BACKEND_ENC_KEY";
const OLD_ENC_KEY: &str = "BACKEND_OLD_ENC_KEY";
const ENC_KEY_SECRET: &str = "BACKEND_ENC_KEY_SECRET";
/// Age at which a function reads the secret again, in seconds.
const DEFAULT_KEY_MAX_AGE_S: u64 = 300;
/// The one setting that is none of the running server.
const IMPORT_PASSPHRASE: &str = "IMPORT_ENC_KEY";
pub(super) const DEFAULT_PORT: u16 = 3000;

/// What the command line says; it wins over the environment.
#[derive(Debug, Clone, Default)]
pub struct Overrides {
    /// Port.
    pub port: Option<u16>,
    /// Folder of the data.
    pub data_dir: Option<PathBuf>,
    /// Take the demonstration key also where test mode is off.
    pub allow_demo_key: bool,
}

/// The variables of the environment and of `.env` that are ours. The environment wins.
#[derive(Clone)]
pub struct Environment {
    variables: BTreeMap<String, String>,
    aws: BTreeMap<String, String>,
    otel: OtelVariables,
    /// Whether `.env` has variables of OpenTelemetry, which its SDK does not read there.
    otel_in_dot_env: bool,
    on_lambda: bool,
    allow_demo_key: bool,
    expects_key: bool,
    dot_env_problem: Option<String>,
}

impl Environment {
    /// Reads the environment of the process and `.env` in its working folder.
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one place where the environment is read"
    )]
    pub fn read(overrides: Overrides) -> Self {
        let process = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.to_string_lossy().into_owned())));
        let mut dot_env_problem = None;
        let mut file = Vec::new();
        if Path::new(".env").exists() {
            match dotenvy::from_path_iter(".env") {
                Ok(lines) => {
                    for line in lines {
                        match line {
                            Ok(pair) => file.push(pair),
                            Err(_) => dot_env_problem = Some("a line is no NAME=value".to_owned()),
                        }
                    }
                }
                Err(error) => dot_env_problem = Some(error.to_string()),
            }
        }
        let all = file.len();
        file.retain(|(name, _)| !name.starts_with(OTEL_PREFIX));
        let otel_in_dot_env = file.len() < all;
        let mut environment = Self::of(file.into_iter().chain(process), overrides);
        environment.otel_in_dot_env = otel_in_dot_env;
        environment.dot_env_problem = dot_env_problem;
        environment
    }

    /// An environment of these variables; later ones win.
    pub fn of(variables: impl IntoIterator<Item = (String, String)>, overrides: Overrides) -> Self {
        let all: BTreeMap<_, _> = variables.into_iter().collect();
        let on_lambda = all.contains_key("AWS_LAMBDA_FUNCTION_NAME");
        let (mut aws, mut variables): (BTreeMap<_, _>, BTreeMap<_, _>) =
            all.into_iter().partition(|(name, _)| name.starts_with(AWS_PREFIX));
        aws.retain(|_, value| !value.is_empty());
        let otel = variables.extract_if(.., |name, _| name.starts_with(OTEL_PREFIX));
        let otel = OtelVariables::new(otel);
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
            expects_key: false,
            dot_env_problem: None,
        }
    }

    /// The filter of the log; `None` if nothing is set.
    pub(crate) fn log_filter(&self) -> Option<&str> {
        self.variables.get("BACKEND_LOG").map(String::as_str)
    }

    /// The variables of OpenTelemetry.
    pub(crate) fn otel(&self) -> &OtelVariables {
        &self.otel
    }

    /// Whether `.env` has variables of OpenTelemetry, which have no effect there.
    pub(crate) fn has_otel_in_dot_env(&self) -> bool {
        self.otel_in_dot_env
    }

    /// The address of the server, before the rest is read: it is bound first.
    ///
    /// # Errors
    /// [`ConfigError::Invalid`]
    pub fn address(&self) -> Result<SocketAddr, ConfigError> {
        let host = self.parse("BACKEND_HOST", IpAddr::from([127, 0, 0, 1]))?;
        Ok((host, self.parse("BACKEND_PORT", DEFAULT_PORT)?).into())
    }

    /// Takes over the port that was bound: that is known only afterwards when any would do.
    pub fn set_port(&mut self, port: u16) {
        self.variables.insert("BACKEND_PORT".into(), port.to_string());
    }

    /// The secret that holds the passphrase, if the settings name one.
    ///
    /// # Errors
    /// [`ConfigError::Invalid`] if they have a passphrase too.
    pub fn key_secret(&self) -> Result<Option<KeySecret>, ConfigError> {
        let Some(id) = self.text(ENC_KEY_SECRET) else {
            return Ok(None);
        };
        for name in [ENC_KEY, OLD_ENC_KEY] {
            if self.text(name).is_some() {
                return Err(invalid(
                    name,
                    format!("is in the secret that {ENC_KEY_SECRET} names: remove one of them"),
                ));
            }
        }
        let max_age_s = self.parse("BACKEND_ENC_KEY_MAX_AGE_S", DEFAULT_KEY_MAX_AGE_S)?;
        Ok(Some(KeySecret {
            id,
            max_age_ms: i64::try_from(max_age_s.saturating_mul(1_000)).unwrap_or(i64::MAX),
            aws: self.aws("SECRETS_MANAGER"),
        }))
    }

    /// Takes the passphrases from the secret.
    pub fn set_keys(&mut self, secret: &Secret) {
        self.variables.insert(ENC_KEY.into(), secret.current.clone());
        match &secret.other {
            Some(other) => self.variables.insert(OLD_ENC_KEY.into(), other.clone()),
            None => self.variables.remove(OLD_ENC_KEY),
        };
    }

    /// From now on, a missing key file is an error and is not made.
    pub fn expect_key(&mut self) {
        self.expects_key = true;
    }

    /// How AWS is reached for that service, as the standard variables say.
    pub(super) fn aws(&self, service: &str) -> Aws {
        Aws::of(|name| self.aws.get(name).cloned(), service)
    }

    pub(super) fn allows_demo_key(&self) -> bool {
        self.allow_demo_key
    }

    /// The passphrase of the database that is moved in.
    pub fn import_passphrase(&self) -> Option<String> {
        self.text(IMPORT_PASSPHRASE)
    }

    /// Folder of the data.
    pub fn data_dir(&self) -> PathBuf {
        self.text("BACKEND_DATA_DIR")
            .unwrap_or_else(|| "data".to_owned())
            .into()
    }

    pub(super) fn check_dot_env(&self) -> Result<(), ConfigError> {
        self.dot_env_problem
            .clone()
            .map_or(Ok(()), |problem| Err(ConfigError::DotEnv(problem)))
    }

    pub(super) fn text(&self, name: &str) -> Option<String> {
        debug_assert!(
            SETTINGS.iter().any(|setting| setting.name == name),
            "{name} is missing in the list of settings"
        );
        self.variables.get(name).cloned()
    }

    pub(super) fn parse<T: FromStr<Err: Display>>(&self, name: &str, default: T) -> Result<T, ConfigError> {
        self.text(name)
            .map_or(Ok(default), |text| text.parse().map_err(|error| invalid(name, error)))
    }

    pub(super) fn parse_with<T, E: Display>(
        &self,
        name: &str,
        default: &str,
        parse: impl Fn(&str) -> Result<T, E>,
    ) -> Result<T, ConfigError> {
        parse(self.text(name).as_deref().unwrap_or(default)).map_err(|error| invalid(name, error))
    }

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
        match self.text(name).unwrap_or_default().to_ascii_lowercase().as_str() {
            "yes" | "1" | "true" => Ok(true),
            "" | "no" | "0" | "false" => Ok(false),
            _ => Err(invalid(name, "takes yes or no")),
        }
    }

    /// Id of an image that stands for those that are missing.
    pub(super) fn image(&self, name: &str) -> String {
        self.text(name).unwrap_or_else(|| DEFAULT_IMAGE.to_owned())
    }

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
                return Err(invalid(ENC_KEY_SECRET, "the secret was not read"));
            }
            None if self.expects_key && !key_file::exists(data_dir) => {
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

    pub(super) fn old_keys(&self) -> Result<OldKeys, ConfigError> {
        let one = |name: &str, purpose: &str| {
            let named = self.text(name).map(|passphrase| (name, passphrase));
            let given = named.or_else(|| self.text(OLD_ENC_KEY).map(|passphrase| (OLD_ENC_KEY, passphrase)));
            let derive = |(name, passphrase): (&str, String)| {
                KeyRing::derive_one(&passphrase, purpose).map_err(|error| invalid(name, error))
            };
            given.map(derive).transpose()
        };
        Ok(OldKeys {
            data: one("BACKEND_OLD_DATA_KEY", "data")?,
            index: one("BACKEND_OLD_INDEX_KEY", "index")?,
        })
    }

    pub(super) fn website(&self) -> Option<Website> {
        let scheme = self
            .text("BACKEND_WEBSITE_SCHEME")
            .unwrap_or_else(|| "https".to_owned());
        self.text("BACKEND_WEBSITE_DOMAIN")
            .map(|domain| Website { scheme, domain })
    }

    pub(super) fn test_domain(&self) -> Result<Option<String>, ConfigError> {
        let domain = self
            .text("BACKEND_TEST_DOMAIN")
            .unwrap_or_else(|| "freesewing.dev".to_owned());
        Ok(self.flag("BACKEND_ENABLE_TESTS")?.then(|| domain.to_lowercase()))
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

    /// The secret that a caller has to send; `None` if there is none.
    ///
    /// # Errors
    /// [`ConfigError`] if it is too short.
    pub fn origin_secret(&self) -> Result<Option<OriginSecret>, ConfigError> {
        let name = "BACKEND_ORIGIN_SECRET";
        let secret = self.text(name).map(|text| text.parse()).transpose();
        secret.map_err(|error: String| invalid(name, error))
    }

    pub(super) fn limits(&self) -> Result<Option<LimitSettings>, ConfigError> {
        let name = "BACKEND_RATE_LIMITS";
        let on = match self.text(name).unwrap_or_default().to_ascii_lowercase().as_str() {
            "" | "on" => true,
            "off" => false,
            _ => return Err(invalid(name, "takes on or off")),
        };
        let rate = |name, default: u32| self.parse(name, NonZeroU32::new(default).unwrap_or(NonZeroU32::MIN));
        let settings = LimitSettings {
            public_writes: rate("BACKEND_LIMIT_PUBLIC_WRITES", 60)?,
            public_reads: rate("BACKEND_LIMIT_PUBLIC_READS", 3_000)?,
            callers: rate("BACKEND_LIMIT_CALLERS", 1_200)?,
        };
        Ok(on.then_some(settings))
    }

    pub(super) fn account_limits(&self) -> Result<AccountLimits, ConfigError> {
        const MIB: u64 = 1024 * 1024;
        let text_mib: u32 = self.parse("BACKEND_ACCOUNT_MAX_TEXT_MIB", 64)?;
        let written_mib: u32 = self.parse("BACKEND_ACCOUNT_WRITES_MIB_PER_DAY", 512)?;
        let is_limited = self.limits()?.is_some();
        Ok(AccountLimits {
            sets: self.parse("BACKEND_ACCOUNT_MAX_SETS", 2_000)?,
            patterns: self.parse("BACKEND_ACCOUNT_MAX_PATTERNS", 2_000)?,
            bookmarks: self.parse("BACKEND_ACCOUNT_MAX_BOOKMARKS", 2_000)?,
            live_keys: self.parse("BACKEND_ACCOUNT_MAX_APIKEYS", 100)?,
            text_bytes: u64::from(text_mib) * MIB,
            written_bytes_per_day: is_limited.then_some(u64::from(written_mib) * MIB),
        })
    }

    pub(super) fn passwords(&self) -> Result<PasswordSettings, ConfigError> {
        let default = PasswordSettings::default();
        let settings = PasswordSettings {
            memory_kib: self.parse("BACKEND_PASSWORD_MEMORY_KIB", default.memory_kib)?,
            iterations: self.parse("BACKEND_PASSWORD_ITERATIONS", default.iterations)?,
            parallelism: self.parse("BACKEND_PASSWORD_PARALLELISM", default.parallelism)?,
        };
        PasswordHasher::new(settings).map_err(|error| invalid("BACKEND_PASSWORD_MEMORY_KIB", error))?;
        Ok(settings)
    }

    pub(super) fn store(&self, data_dir: &Path) -> Result<Place, ConfigError> {
        self.parse("BACKEND_STORE", Place::Directory(data_dir.join("objects")))
    }

    pub(super) fn local_dir(&self, data_dir: &Path) -> PathBuf {
        match self.text("BACKEND_LOCAL_DIR") {
            Some(folder) => folder.into(),
            None if self.on_lambda => "/tmp/bespoke".into(),
            None => data_dir.join("cache"),
        }
    }

    pub(super) fn refuse_unknown(&self) -> Result<(), ConfigError> {
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

pub(super) fn invalid(name: &str, problem: impl Display) -> ConfigError {
    ConfigError::Invalid {
        name: name.to_owned(),
        problem: problem.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Config, SystemRandom};

    fn load(variables: &[(&str, &str)]) -> Result<Config, String> {
        let dir = tempfile::tempdir().unwrap();
        let overrides = Overrides {
            data_dir: Some(dir.path().into()),
            ..Overrides::default()
        };
        let variables = variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Config::load(Environment::of(variables, overrides), &SystemRandom).map_err(|error| error.to_string())
    }

    #[test]
    fn an_empty_environment_is_enough() {
        let config = load(&[]).unwrap();
        assert_eq!(config.url, "http://localhost:3000");
        assert_eq!(config.tokens.audience, "http://localhost:3000/bespoke");
        assert_eq!(config.tokens.lifetime_ms, 7 * 24 * 3_600_000);
        assert_eq!(config.test_domain, None);
    }

    #[test]
    fn unknown_and_invalid_settings_are_named() {
        for (name, value) in [
            ("BACKEND_PROT", "3000"),
            ("BACKEND_PORT", "x"),
            ("BACKEND_ENC_KEY", "short"),
            ("BACKEND_DATA_KEY", "short"),
            ("BACKEND_OLD_ENC_KEY", "short"),
            ("BACKEND_OLD_INDEX_KEY", "short"),
            ("BACKEND_JWT_EXPIRY", "soon"),
            ("BACKEND_ENABLE_TESTS", "perhaps"),
            ("BACKEND_STORE", "ftp://bucket"),
            ("BACKEND_STORE", "s3://"),
            ("BACKEND_PASSWORD_MEMORY_KIB", "1"),
            ("BACKEND_APIKEY_MAX_DAYS", "0"),
            ("BACKEND_MAIL_FROM", "nobody"),
            ("BACKEND_AWS_SES_FROM", "nobody"),
            ("BACKEND_MAIL_REPLY_TO", "a@example.com, nobody"),
            ("BACKEND_AWS_SES_REPLY_TO", "a@example.com"),
            ("BACKEND_AWS_SES_REPLY_TO", "[\"nobody\"]"),
            ("BACKEND_SMTP_URL", "http://mail.example"),
            ("BACKEND_CALL_TIMEOUT_MS", "soon"),
            ("BACKEND_MAINTAINER_EMAIL", "nobody"),
            ("BACKEND_CROWDIN_URL", "nowhere"),
            ("BACKEND_CROWDIN_INVITE_NL", "a b"),
            ("BACKEND_RATE_LIMITS", "perhaps"),
            ("BACKEND_LIMIT_CALLERS", "0"),
            ("BACKEND_TRUSTED_PROXIES", "proxy.example"),
            ("BACKEND_ORIGIN_SECRET", "short"),
            ("BACKEND_MAX_STALENESS_MS", "-1"),
        ] {
            let error = load(&[(name, value)]).unwrap_err();
            assert!(error.starts_with(name), "{name}: {error}");
            assert!(!error.contains("short,"), "{error}");
        }
    }

    #[test]
    fn mails_go_where_the_settings_say() {
        let transport = |variables: &[(&str, &str)]| format!("{:?}", load(variables).unwrap().mail.transport);
        assert!(transport(&[]).starts_with("folder "));
        let smtp = ("BACKEND_SMTP_URL", "smtps://jane:secret@mail.example");
        assert_eq!(transport(&[smtp]), "SMTP");
        let ses = ("BACKEND_ENABLE_AWS_SES", "yes");
        assert_eq!(transport(&[ses]), "AWS SES in us-east-1");
        assert_eq!(
            transport(&[ses, ("BACKEND_AWS_SES_REGION", "eu-west-1")]),
            "AWS SES in eu-west-1"
        );
        let both = load(&[ses, smtp]).unwrap_err();
        assert!(
            both.starts_with("BACKEND_SMTP_URL") && !both.contains("secret"),
            "{both}"
        );
        let list = ("BACKEND_AWS_SES_REPLY_TO", "[\"A <a@example.com>\", \"b@example.com\"]");
        assert_eq!(load(&[list]).unwrap().mail.reply_to.iter().count(), 2);
        let header = ("BACKEND_MAIL_REPLY_TO", "A <a@example.com>, b@example.com");
        assert_eq!(load(&[header]).unwrap().mail.reply_to.iter().count(), 2);
    }

    #[test]
    fn what_is_enabled_needs_its_settings_and_tokens_are_not_shown() {
        let enabled = ("BACKEND_ENABLE_CLOUDFLARE_IMAGES", "yes");
        let account = ("BACKEND_CLOUDFLARE_ACCOUNT", "acme");
        let token = ("BACKEND_CLOUDFLARE_IMAGES_TOKEN", "very secret");
        assert!(load(&[enabled]).unwrap_err().starts_with("BACKEND_CLOUDFLARE_ACCOUNT"));
        assert!(load(&[enabled, account]).unwrap_err().starts_with(token.0));
        let config = format!("{:?}", load(&[enabled, account, token]).unwrap().images);
        assert!(config.contains("acme") && !config.contains("secret"), "{config}");
        let url = ("BACKEND_CLOUDFLARE_API_URL", "nowhere");
        assert!(load(&[enabled, account, token, url]).unwrap_err().starts_with(url.0));
        let sanity = ("BACKEND_ENABLE_SANITY", "yes");
        assert!(load(&[sanity]).unwrap_err().starts_with("BACKEND_SANITY_PROJECT"));
        assert!(load(&[sanity, enabled]).unwrap_err().starts_with(sanity.0));

        let github = ("BACKEND_ENABLE_GITHUB", "yes");
        let token = ("BACKEND_GITHUB_TOKEN", "very secret");
        assert!(load(&[github]).unwrap_err().starts_with(token.0));
        let config = format!("{:?}", load(&[github, token]).unwrap().github.unwrap());
        assert!(config.contains("freesewing") && !config.contains("secret"), "{config}");
        for (name, value) in [
            ("BACKEND_GITHUB_REPOSITORY", "freesewing"),
            ("BACKEND_GITHUB_REPOSITORY", "../user"),
            ("BACKEND_GITHUB_REPOSITORY", "a/b/c"),
            ("BACKEND_GITHUB_BRANCH", "a//b"),
            ("BACKEND_GITHUB_BRANCH", "a?b"),
            ("BACKEND_GITHUB_USER_EMAIL", "nobody"),
            ("BACKEND_GITHUB_NOTIFY_DEFAULT_USER", "a b"),
        ] {
            let error = load(&[github, token, (name, value)]).unwrap_err();
            assert!(error.starts_with(name), "{name} {value}: {error}");
        }
    }

    #[test]
    fn suggestions_are_read_by_whoever_is_named_or_runs_the_instance_or_writes_the_mails() {
        let maintainer = |variables: &[(&str, &str)]| load(variables).unwrap().maintainer;
        let from = ("BACKEND_MAIL_FROM", "A <a@example.org>");
        let operator = ("BACKEND_OPERATOR_CONTACT", "b@example.org");
        let named = ("BACKEND_MAINTAINER_EMAIL", "c@example.org");
        assert_eq!(maintainer(&[from, operator, named]), "c@example.org");
        assert_eq!(maintainer(&[from, operator]), "b@example.org");
        let page = ("BACKEND_OPERATOR_CONTACT", "https://example.org/help");
        assert_eq!(maintainer(&[from, page]), "a@example.org");
    }

    #[test]
    fn settings_of_the_original_that_do_nothing_here_start() {
        assert!(load(&[("BACKEND_AWS_SES_BCC", "[]"), ("BACKEND_DB_URL", "file:./db.sqlite")]).is_ok());
    }

    #[test]
    fn the_key_file_is_made_once_for_its_owner_only() {
        let dir = tempfile::tempdir().unwrap();
        let load = || {
            let overrides = Overrides {
                data_dir: Some(dir.path().into()),
                ..Overrides::default()
            };
            Config::load(Environment::of([], overrides), &SystemRandom)
                .unwrap()
                .keys
                .data
        };
        assert_eq!(load(), load());
        let file = dir.path().join("keys/encryption.key");
        #[cfg(unix)]
        {
            let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&file).unwrap().permissions());
            assert_eq!(mode & 0o777, 0o600);
        }
        assert_eq!(std::fs::read_to_string(file).unwrap().trim().len(), 128);
        assert_eq!(std::fs::read_dir(dir.path().join("keys")).unwrap().count(), 1);
    }
}
