//! [`Process`]: the process of a Lambda function with the opened installation and the secret that contains its passphrase.

use std::sync::Arc;

use arc_swap::ArcSwap;
use bespoke_core::Timestamp;
use bespoke_services::mail::{MailSettings, Mailer};
use bespoke_services::secrets::Secret;
use lambda_http::Error;
use tokio::sync::Mutex;

use crate::config::{Config, ConfigError, Environment, SecretLocation};
use crate::state::{Context, Dependencies};

/// An opened installation, and the entry that handles events with it.
pub(super) struct Installation<T> {
    pub(super) context: Context,
    pub(super) entry: T,
}

/// The process of a function. It opens the installation again if the secret with the passphrase has changed, so that a key rotation requires no
/// deployment.
pub(super) struct Process<T> {
    environment: Environment,
    dependencies: Dependencies,
    enter: Box<dyn Fn(&Context) -> T + Send + Sync>,
    opened: ArcSwap<Installation<T>>,
    /// The secret; `None` if the settings contain the passphrase.
    secret: Option<PassphraseSecret>,
}

/// The secret with the passphrase.
struct PassphraseSecret {
    location: SecretLocation,
    /// The last value. It is locked while the secret is read again.
    current: Mutex<SecretValue>,
}

/// A value of the secret, and the time at which it was read.
struct SecretValue {
    secret: Secret,
    read_at: Timestamp,
}

impl<T> Process<T> {
    /// Reads the configuration and opens the installation.
    ///
    /// # Errors
    /// The errors of the configuration, of the secret, and of [`Context::open`].
    pub(super) async fn start(
        mut environment: Environment,
        mut dependencies: Dependencies,
        mailer: impl FnOnce(&MailSettings) -> Result<Option<Arc<dyn Mailer>>, Error>,
        enter: impl Fn(&Context) -> T + Send + Sync + 'static,
    ) -> Result<Self, Error> {
        let secret = match environment.key_secret()? {
            Some(location) => Some(PassphraseSecret::read(location, &mut environment, &dependencies).await?),
            None => None,
        };
        let config = Config::load(environment.clone(), &*dependencies.random)?;
        dependencies.mailer = mailer(&config.mail)?;
        let context = Context::open(config, dependencies.clone()).await?;
        let entry = enter(&context);
        Ok(Self {
            environment,
            dependencies,
            enter: Box::new(enter),
            opened: ArcSwap::from_pointee(Installation { context, entry }),
            secret,
        })
    }

    /// The installation that was opened last.
    pub(super) fn newest(&self) -> Arc<Installation<T>> {
        self.opened.load_full()
    }

    /// Returns the installation. If the secret has changed, it is opened again first. The secret is read again if it has reached its maximum
    /// age, or if a call has failed because the database uses other keys. If the new installation cannot be opened, the previous one stays in
    /// use until the next event.
    pub(super) async fn opened(&self) -> Arc<Installation<T>> {
        if let Some(secret) = &self.secret
            && let Err(error) = self.refresh(secret).await
        {
            tracing::warn!(%error, "the passphrase could not be read again; the previous one stays in use");
        }
        self.newest()
    }

    async fn refresh(&self, secret: &PassphraseSecret) -> Result<(), Error> {
        let mut current = secret.current.lock().await;
        let now = self.dependencies.clock.now();
        // The flag is reset, so that each invocation that failed with the old key causes at most one call of Secrets Manager.
        let has_other_keys = self.newest().context.database().take_other_keys();
        if now < current.read_at.plus_ms(secret.location.max_age_ms) && !has_other_keys {
            return Ok(());
        }
        let value = secret.location.read(now).await?;
        if value != current.secret {
            let mut environment = self.environment.clone();
            environment.set_keys(&value);
            let config = Config::load(environment, &*self.dependencies.random)?;
            let context = Context::open(config, self.dependencies.clone()).await?;
            let entry = (self.enter)(&context);
            let previous = self.opened.swap(Arc::new(Installation { context, entry }));
            previous.context.put_usage().await;
            tracing::info!("the passphrase has changed; the installation was opened with the new one");
        }
        *current = SecretValue {
            secret: value,
            read_at: now,
        };
        Ok(())
    }
}

impl PassphraseSecret {
    async fn read(
        location: SecretLocation,
        environment: &mut Environment,
        dependencies: &Dependencies,
    ) -> Result<Self, ConfigError> {
        let read_at = dependencies.clock.now();
        let secret = location.read(read_at).await?;
        environment.set_keys(&secret);
        Ok(Self {
            location,
            current: Mutex::new(SecretValue { secret, read_at }),
        })
    }
}
