//! The configuration: read once, from the environment and `.env`; unknown or invalid settings refuse to start.

mod contact;
mod environment;
mod flows;
mod key_secret;
mod mail;
mod otel;
mod services;
mod settings;

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;

use bespoke_core::entity::api_key::DEFAULT_MAX_LIFE_DAYS;
use bespoke_core::{
    BlindIndex, FieldCipher, Key, KeyRing, Networks, PasswordSettings, Random, TokenSettings, parse_duration_ms,
};
use bespoke_database::Vault;
use bespoke_services::github::GitHubSettings;
use bespoke_services::http::CALL_TIMEOUT_MS;
use bespoke_services::images::ImagePlace;
use bespoke_services::mail::MailSettings;
use bespoke_services::oauth::OauthProviders;
use bespoke_storage::Place;
use bespoke_storage::aws::Aws;

use crate::{AccountLimits, LimitSettings};

pub use crate::origin::OriginSecret;
pub use contact::Contact;
pub use environment::{Environment, Overrides};
pub use flows::Translators;
pub use key_secret::KeySecret;
#[cfg(feature = "otlp")]
pub(crate) use otel::{OTEL_PREFIX, OtelVariables};
pub use settings::{SETTINGS, Setting, WITHOUT_EFFECT, page};

/// Calls a day with one API key, when nothing else is set.
const DEFAULT_KEY_QUOTA: u64 = 100_000;
/// Connections of one address, unless a setting says otherwise. A browser opens six; a few dozen people may share an address.
const DEFAULT_CONNECTIONS_PER_ADDRESS: NonZeroUsize = NonZeroUsize::new(256).expect("not zero");

/// A configuration that cannot be used; says which setting and what it takes.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A name that no version ever had, or a misspelled one.
    #[error("{0} is no setting of Bespoke (see docs/configuration.md)")]
    Unknown(String),
    /// A value that the setting does not take.
    #[error("{name}: {problem}")]
    Invalid {
        /// Name of the setting.
        name: String,
        /// What is wrong with its value; never the value of a secret.
        problem: String,
    },
    /// The key file can neither be read nor made.
    #[error("no BACKEND_ENC_KEY is set, and the key file in {folder} cannot be used: {source}")]
    KeyFile {
        /// The folder.
        folder: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// There is neither a key nor a key file, and none may be made.
    #[error("{folder} has no key file, and no BACKEND_ENC_KEY is set: there is no installation, or its key is lost")]
    NoKey {
        /// The folder of the data.
        folder: PathBuf,
    },
    /// The secret that holds the passphrase cannot be read.
    #[error("the secret {id}, which BACKEND_ENC_KEY_SECRET names, cannot be read: {source}")]
    KeySecret {
        /// ARN or name of the secret.
        id: String,
        /// The reason.
        source: bespoke_services::secrets::SecretError,
    },
    /// `.env` cannot be read.
    #[error(".env: {0}")]
    DotEnv(String),
}

/// Where the website lives to which links in mails lead.
#[derive(Debug, Clone)]
pub struct Website {
    /// `https`, as a rule.
    pub scheme: String,
    /// Host, and port where it has one.
    pub domain: String,
}

/// Keys that open what was sealed before, and seal nothing.
#[derive(Debug, Clone, Default)]
pub struct OldKeys {
    /// Of fields at rest.
    pub data: Option<Key>,
    /// Of the e-mail index.
    pub index: Option<Key>,
}

impl Website {
    /// Its URL, without a slash at its end.
    pub fn url(&self) -> String {
        format!("{}://{}", self.scheme, self.domain)
    }
}

/// Everything that can be set.
#[derive(Debug, Clone)]
pub struct Config {
    /// URL of the API, without a slash at its end.
    pub url: String,
    /// Name of this instance; keys and tokens of another are refused.
    pub instance: String,
    /// How tokens are made.
    pub tokens: TokenSettings,
    /// The keys.
    pub keys: KeyRing,
    /// The keys before, while they are being rotated.
    pub old_keys: OldKeys,
    /// The website; without one, links lead to our own console.
    pub website: Option<Website>,
    /// Longest life of an API key, in days.
    pub max_key_life_days: i64,
    /// Domain of the addresses for which test mode works; `None` when test mode is off.
    pub test_domain: Option<String>,
    /// Whether confirming an account needs the check of the link.
    pub require_check: bool,
    /// Whether the demonstration key is taken; it is published, so never where somebody else can call.
    pub demo_key: bool,
    /// What a password hash costs.
    pub passwords: PasswordSettings,
    /// How often somebody may call; `None` as often as they like.
    pub limits: Option<LimitSettings>,
    /// How much an account may store.
    pub account_limits: AccountLimits,
    /// Calls a day with one API key, where an administrator has not set another number for its owner.
    pub key_quota: u64,
    /// Proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Option<Networks>,
    /// The secret that CloudFront adds to each request that it forwards.
    pub origin_secret: Option<OriginSecret>,
    /// Connections to `bespoke serve` that one address may have open at once. Trusted proxies have no limit.
    pub connections_per_address: usize,
    /// How old what a read sees may be, in milliseconds.
    pub max_staleness_ms: u64,
    /// Origins that browsers may call from; `None` allows all.
    pub cors_origins: Option<Vec<String>>,
    /// Image of a set that has none of its own.
    pub default_set_image: String,
    /// Image of a pattern that has none of its own.
    pub default_pattern_image: String,
    /// Image of an option pack that has none of its own.
    pub default_option_pack_image: String,
    /// Whether anybody may read how much there is.
    pub public_counters: bool,
    /// Whether what is counted stays in the process.
    pub hide_metrics: bool,
    /// Where callers reach whoever runs this instance.
    pub operator: Option<Contact>,
    /// Where images are.
    pub images: ImagePlace,
    /// Providers through which people sign in.
    pub oauth: OauthProviders,
    /// The repository at GitHub; without one, nothing is brought forward there.
    pub github: Option<GitHubSettings>,
    /// Where translators work.
    pub translators: Translators,
    /// Address of who reads the languages that users suggest.
    pub maintainer: String,
    /// How long a service out there may take for an answer, in milliseconds.
    pub call_timeout_ms: u64,
    /// How mails look, and where they go.
    pub mail: MailSettings,
    /// Folder of everything that is kept on this machine.
    pub data_dir: PathBuf,
    /// The bucket.
    pub store: Place,
    /// How a bucket of S3 is reached.
    pub aws: Aws,
    /// Folder for the local copy of the database; may be lost at any time.
    pub local_dir: PathBuf,
}

impl Config {
    /// Reads the configuration; makes the key file when no key is given and there is none yet, unless the environment expects a key
    /// ([`Environment::expect_key`]).
    ///
    /// # Errors
    /// [`ConfigError`] names the setting.
    pub fn load(mut environment: Environment, random: &dyn Random) -> Result<Self, ConfigError> {
        let env = &mut environment;
        env.check_dot_env()?;
        let data_dir = env.data_dir();
        let port = env.parse("BACKEND_PORT", environment::DEFAULT_PORT)?;
        let url = env
            .text("BACKEND_URL")
            .unwrap_or_else(|| format!("http://localhost:{port}"));
        let url = url.trim_end_matches('/').to_owned();
        let instance = env.text("BACKEND_INSTANCE").unwrap_or_else(|| "bespoke".to_owned());
        let website = env.website();
        let site = website.as_ref().map_or_else(|| format!("{url}/console"), Website::url);
        let operator = env.contact("BACKEND_OPERATOR_CONTACT")?;
        let mail = env.mail(&data_dir)?;
        let config = Self {
            tokens: TokenSettings {
                issuer: env.text("BACKEND_JWT_ISSUER").unwrap_or_else(|| url.clone()),
                audience: format!("{url}/{instance}"),
                lifetime_ms: env.parse_with("BACKEND_JWT_EXPIRY", "7d", parse_duration_ms)?,
            },
            url,
            instance,
            keys: env.keys(&data_dir, random)?,
            old_keys: env.old_keys()?,
            website,
            max_key_life_days: env.parse_with(
                "BACKEND_APIKEY_MAX_DAYS",
                &DEFAULT_MAX_LIFE_DAYS.to_string(),
                |text| {
                    text.parse()
                        .ok()
                        .filter(|days| (1..=36_500).contains(days))
                        .ok_or("takes a number of days, 1 to 36500")
                },
            )?,
            test_domain: env.test_domain()?,
            require_check: env.flag("BACKEND_REQUIRE_SIGNUP_CHECK")?,
            demo_key: env.allows_demo_key() || env.test_domain()?.is_some(),
            passwords: env.passwords()?,
            limits: env.limits()?,
            account_limits: env.account_limits()?,
            key_quota: env.parse("BACKEND_APIKEY_CALLS_PER_DAY", DEFAULT_KEY_QUOTA)?,
            trusted_proxies: env.networks("BACKEND_TRUSTED_PROXIES")?,
            origin_secret: env.origin_secret()?,
            connections_per_address: env
                .parse("BACKEND_CONNECTIONS_PER_ADDRESS", DEFAULT_CONNECTIONS_PER_ADDRESS)?
                .get(),
            max_staleness_ms: env.parse("BACKEND_MAX_STALENESS_MS", 0)?,
            cors_origins: env.list("BACKEND_CORS_ORIGINS"),
            default_set_image: env.image("BACKEND_AVATAR_SET"),
            default_pattern_image: env.image("BACKEND_AVATAR_PATTERN"),
            default_option_pack_image: env.image("BACKEND_AVATAR_OPACK"),
            public_counters: !env.flag("BACKEND_HIDE_COUNTERS")?,
            hide_metrics: env.flag("BACKEND_HIDE_METRICS")?,
            maintainer: env.maintainer(operator.as_ref(), &mail)?,
            operator,
            images: env.image_place()?,
            oauth: env.oauth(&site)?,
            github: env.github()?,
            translators: env.translators()?,
            call_timeout_ms: env.parse("BACKEND_CALL_TIMEOUT_MS", CALL_TIMEOUT_MS)?,
            mail,
            store: env.store(&data_dir)?,
            aws: env.aws("S3"),
            local_dir: env.local_dir(&data_dir),
            data_dir,
        };
        env.refuse_unknown()?;
        Ok(config)
    }

    /// The keys that open and seal the encrypted columns.
    pub fn vault(&self, random: Arc<dyn Random>) -> Vault {
        let old = &self.old_keys;
        let cipher = FieldCipher::new(&self.keys.data, old.data.as_slice());
        Vault::new(cipher, BlindIndex::new(&self.keys.index), random)
            .with_older_index(old.index.as_ref().map(BlindIndex::new))
    }
}
