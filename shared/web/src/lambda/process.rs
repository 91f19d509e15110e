//! The process of a Lambda function: the installation that it has opened, and the secret with the passphrase of that.

use std::sync::Arc;

use arc_swap::ArcSwap;
use bespoke_core::Timestamp;
use bespoke_services::mail::{MailSettings, Mailer};
use bespoke_services::secrets::Secret;
use lambda_http::Error;
use tokio::sync::Mutex;

use crate::config::{ConfigError, Environment, KeySecret};
use crate::{Config, Context, Surroundings};

/// An installation that was opened, and the entry through which events reach it.
pub(super) struct Opened<T> {
    pub(super) context: Context,
    pub(super) entry: T,
}

/// The process of a function. It opens the installation again if the secret with the passphrase has changed, so that a rotation of the key
/// needs no deployment.
pub(super) struct Process<T> {
    environment: Environment,
    surroundings: Surroundings,
    enter: Box<dyn Fn(&Context) -> T + Send + Sync>,
    opened: ArcSwap<Opened<T>>,
    /// `None` if the settings have the passphrase.
    key: Option<Key>,
}

/// The secret with the passphrase.
struct Key {
    place: KeySecret,
    /// The last value and its time. Locked while the secret is read again.
    read: Mutex<Read>,
}

struct Read {
    secret: Secret,
    at: Timestamp,
}

impl<T> Process<T> {
    /// Reads the configuration and opens the installation.
    ///
    /// # Errors
    /// Those of the configuration, of the secret, and of [`Context::open`].
    pub(super) async fn start(
        mut environment: Environment,
        mut surroundings: Surroundings,
        mailer: impl FnOnce(&MailSettings) -> Result<Option<Arc<dyn Mailer>>, Error>,
        enter: impl Fn(&Context) -> T + Send + Sync + 'static,
    ) -> Result<Self, Error> {
        let key = match environment.key_secret()? {
            Some(place) => Some(Key::read(place, &mut environment, &surroundings).await?),
            None => None,
        };
        let config = Config::load(environment.clone(), &*surroundings.random)?;
        surroundings.mailer = mailer(&config.mail)?;
        let context = Context::open(config, surroundings.clone()).await?;
        let entry = enter(&context);
        Ok(Self {
            environment,
            surroundings,
            enter: Box::new(enter),
            opened: ArcSwap::from_pointee(Opened { context, entry }),
            key,
        })
    }

    /// The installation as it was opened last.
    pub(super) fn newest(&self) -> Arc<Opened<T>> {
        self.opened.load_full()
    }

    /// The installation, opened again if the secret has changed. The secret is read again when it has reached its longest age, and at
    /// once if the keys of the database turned out to be others. The old one stays if that fails, until the next event.
    pub(super) async fn opened(&self) -> Arc<Opened<T>> {
        if let Some(key) = &self.key
            && let Err(error) = self.follow(key).await
        {
            tracing::warn!(%error, "the passphrase could not be read again; the one until now stays in use");
        }
        self.newest()
    }

    async fn follow(&self, key: &Key) -> Result<(), Error> {
        let mut read = key.read.lock().await;
        let now = self.surroundings.clock.now();
        // An invocation that used the old key has failed, so that this is one call of the service for each of those at most.
        let is_outdated = self.newest().context.database().take_other_keys();
        if now < read.at.plus_ms(key.place.max_age_ms) && !is_outdated {
            return Ok(());
        }
        let secret = key.place.read(now).await?;
        if secret != read.secret {
            let mut environment = self.environment.clone();
            environment.set_keys(&secret);
            let config = Config::load(environment, &*self.surroundings.random)?;
            let context = Context::open(config, self.surroundings.clone()).await?;
            let entry = (self.enter)(&context);
            let before = self.opened.swap(Arc::new(Opened { context, entry }));
            before.context.put_usage().await;
            tracing::info!("the passphrase has changed; the installation was opened with the new one");
        }
        *read = Read { secret, at: now };
        Ok(())
    }
}

impl Key {
    async fn read(
        place: KeySecret,
        environment: &mut Environment,
        surroundings: &Surroundings,
    ) -> Result<Self, ConfigError> {
        let at = surroundings.clock.now();
        let secret = place.read(at).await?;
        environment.set_keys(&secret);
        Ok(Self {
            place,
            read: Mutex::new(Read { secret, at }),
        })
    }
}
