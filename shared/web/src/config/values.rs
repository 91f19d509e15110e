//! [`Config`]: the typed values of all settings.

use std::num::{NonZeroU64, NonZeroUsize};
use std::path::PathBuf;
use std::sync::Arc;

use bespoke_core::entity::api_key::DEFAULT_MAX_LIFE_DAYS;
use bespoke_core::{
    BlindIndex, FieldCipher, KeyRing, Networks, PasswordSettings, Random, TokenSettings, parse_duration_ms,
};
use bespoke_database::Vault;
use bespoke_services::github::GitHubSettings;
use bespoke_services::http::CALL_TIMEOUT_MS;
use bespoke_services::images::ImagePlace;
use bespoke_services::mail::MailSettings;
use bespoke_services::oauth::OauthProviders;
use bespoke_storage::Place;
use bespoke_storage::aws::Aws;

use super::contact::Contact;
use super::contributions::Translators;
use super::environment::{DEFAULT_PORT, Environment};
use super::error::ConfigError;
use super::keys::OldKeys;
use super::website::Website;
use crate::client::OriginSecret;
use crate::limits::{AccountLimits, LimitSettings};

/// The default number of calls a day with one API key.
const DEFAULT_KEY_QUOTA: u64 = 100_000;
/// The default timeout of calls to external services, in milliseconds.
const DEFAULT_CALL_TIMEOUT_MS: NonZeroU64 = NonZeroU64::new(CALL_TIMEOUT_MS).expect("not zero");
/// The default limit for connections from one address. A browser opens six, and a few dozen people may share an address.
const DEFAULT_CONNECTIONS_PER_ADDRESS: NonZeroUsize = NonZeroUsize::new(256).expect("not zero");

/// The values of all settings.
#[derive(Debug, Clone)]
pub struct Config {
    /// URL of the API, without a trailing slash.
    pub url: String,
    /// Name of this instance. API keys and tokens of another instance are rejected.
    pub instance: String,
    /// Issuer, audience and lifetime of tokens.
    pub tokens: TokenSettings,
    /// The encryption keys.
    pub keys: KeyRing,
    /// The previous keys during a key rotation.
    pub old_keys: OldKeys,
    /// The website. If it is `None`, links in mails point to the console.
    pub website: Option<Website>,
    /// Maximum lifetime of an API key, in days.
    pub max_key_life_days: i64,
    /// The e-mail domain for which test mode works; `None` if test mode is off.
    pub test_domain: Option<String>,
    /// Whether the confirmation of an account requires the check of the link.
    pub require_check: bool,
    /// Whether the demonstration key is accepted. Its secret is published, so an instance with other users must not accept it.
    pub demo_key: bool,
    /// Cost of a password hash.
    pub passwords: PasswordSettings,
    /// Rate limits; `None` for no limits.
    pub limits: Option<LimitSettings>,
    /// Limits of an account.
    pub account_limits: AccountLimits,
    /// The number of calls a day with one API key, unless an administrator has set another number for its owner.
    pub key_quota: u64,
    /// Proxies whose `X-Forwarded-For` is trusted.
    pub trusted_proxies: Option<Networks>,
    /// The secret that CloudFront adds to each request that it forwards.
    pub origin_secret: Option<OriginSecret>,
    /// The number of connections to `bespoke serve` that one address may have open at once. Trusted proxies have no limit.
    pub connections_per_address: usize,
    /// Maximum staleness of a read, in milliseconds.
    pub max_staleness_ms: u64,
    /// Origins that browsers may call from; `None` allows all.
    pub cors_origins: Option<Vec<String>>,
    /// Image of a set without an image.
    pub default_set_image: String,
    /// Image of a pattern without an image.
    pub default_pattern_image: String,
    /// Image of an option pack without an image.
    pub default_option_pack_image: String,
    /// Whether the numbers of users and records are public.
    pub public_counters: bool,
    /// Whether metrics are neither written to the log nor served.
    pub hide_metrics: bool,
    /// Contact of the operator of this instance.
    pub operator: Option<Contact>,
    /// The storage of images.
    pub images: ImagePlace,
    /// OAuth providers for sign-in.
    pub oauth: OauthProviders,
    /// The GitHub repository for contributions; `None` if contributions are not enabled.
    pub github: Option<GitHubSettings>,
    /// The project of the translators.
    pub translators: Translators,
    /// Address of the maintainer, who receives suggested languages.
    pub maintainer: String,
    /// Timeout of calls to external services, in milliseconds.
    pub call_timeout_ms: u64,
    /// Sender, appearance and transport of mails.
    pub mail: MailSettings,
    /// The folder of all data on this machine.
    pub data_dir: PathBuf,
    /// The bucket.
    pub store: Place,
    /// Endpoint and credentials of an S3 bucket.
    pub aws: Aws,
    /// The folder of the local copy of the database, which may be lost at any time.
    pub local_dir: PathBuf,
}

impl Config {
    /// Parses all settings. If no passphrase is set and no key file exists, a key file is created, unless the command requires one
    /// ([`Environment::require_key_file`]).
    ///
    /// # Errors
    /// [`ConfigError`], which names the setting.
    pub fn load(mut environment: Environment, random: &dyn Random) -> Result<Self, ConfigError> {
        let env = &mut environment;
        env.check_dot_env()?;
        env.check_quotes()?;
        env.check_log_filter()?;
        env.check_folders()?;
        let data_dir = env.data_dir();
        let port = env.number("BACKEND_PORT", DEFAULT_PORT)?;
        let url = env.url("BACKEND_URL", &format!("http://localhost:{port}"))?;
        let instance = env.text("BACKEND_INSTANCE").unwrap_or_else(|| "bespoke".to_owned());
        let website = env.website()?;
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
                        .ok_or("must be a number of days from 1 to 36500, for example 732")
                },
            )?,
            test_domain: env.test_domain()?,
            require_check: env.flag("BACKEND_REQUIRE_SIGNUP_CHECK")?,
            demo_key: env.allows_demo_key() || env.test_domain()?.is_some(),
            passwords: env.passwords()?,
            limits: env.limits()?,
            account_limits: env.account_limits()?,
            key_quota: env.number("BACKEND_APIKEY_CALLS_PER_DAY", DEFAULT_KEY_QUOTA)?,
            trusted_proxies: env.networks("BACKEND_TRUSTED_PROXIES")?,
            origin_secret: env.origin_secret()?,
            connections_per_address: env
                .number("BACKEND_CONNECTIONS_PER_ADDRESS", DEFAULT_CONNECTIONS_PER_ADDRESS)?
                .get(),
            max_staleness_ms: env.number("BACKEND_MAX_STALENESS_MS", 0)?,
            cors_origins: env.cors_origins()?,
            default_set_image: env.image("BACKEND_AVATAR_SET")?,
            default_pattern_image: env.image("BACKEND_AVATAR_PATTERN")?,
            default_option_pack_image: env.image("BACKEND_AVATAR_OPACK")?,
            public_counters: !env.flag("BACKEND_HIDE_COUNTERS")?,
            hide_metrics: env.flag("BACKEND_HIDE_METRICS")?,
            maintainer: env.maintainer(operator.as_ref(), &mail)?,
            operator,
            images: env.image_place()?,
            oauth: env.oauth(&site)?,
            github: env.github()?,
            translators: env.translators()?,
            call_timeout_ms: env.number("BACKEND_CALL_TIMEOUT_MS", DEFAULT_CALL_TIMEOUT_MS)?.get(),
            mail,
            store: env.store(&data_dir)?,
            aws: env.aws("S3"),
            local_dir: env.local_dir(&data_dir),
            data_dir,
        };
        env.reject_unknown()?;
        Ok(config)
    }

    /// The vault that encrypts and decrypts the encrypted columns.
    pub fn vault(&self, random: Arc<dyn Random>) -> Vault {
        let old = &self.old_keys;
        let cipher = FieldCipher::new(&self.keys.data, old.data.as_slice());
        Vault::new(cipher, BlindIndex::new(&self.keys.index), random)
            .with_older_index(old.index.as_ref().map(BlindIndex::new))
    }
}
