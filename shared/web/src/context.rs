//! What a process has: configuration, database, tokens, password hasher, mailer, clock, randomness.

use std::sync::Arc;

use bespoke_core::{BlindIndex, Clock, FieldCipher, PasswordHasher, Random, Timestamp, Tokens};
use bespoke_database::{Database, Vault};
use bespoke_services::mail::{FolderMailer, MailSettings, Mailer};
use bespoke_storage::{DirectoryStore, ObjectStore};

use crate::{Config, Error, Surroundings};

/// A process that cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The bucket cannot be used.
    #[error(transparent)]
    Database(#[from] bespoke_database::Error),
    /// The password settings cannot be used.
    #[error(transparent)]
    Password(#[from] bespoke_core::PasswordError),
}

struct Inner {
    config: Config,
    database: Database,
    tokens: Tokens,
    passwords: PasswordHasher,
    mailer: Box<dyn Mailer>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
}

/// What a process has. Made once, shared by all requests.
#[derive(Clone)]
pub struct Context(Arc<Inner>);

impl Context {
    /// Opens the bucket and syncs the database.
    ///
    /// # Errors
    /// [`StartError`] says what to do.
    pub async fn open(config: Config, surroundings: Surroundings) -> Result<Self, StartError> {
        let Surroundings {
            clock,
            random,
            store,
            announce,
        } = surroundings;
        let store = match store {
            Some(store) => store,
            None => {
                let directory = DirectoryStore::open(&config.store_dir);
                let directory = directory.map_err(|error| bespoke_database::Error::Storage(error.into()))?;
                Arc::new(directory) as Arc<dyn ObjectStore>
            }
        };
        let cipher = FieldCipher::new(&config.keys.data, &[]);
        let vault = Vault::new(cipher, BlindIndex::new(&config.keys.index), Arc::clone(&random));
        let database = Database::open(store, config.local_dir.clone(), vault).await?;
        let mail = MailSettings {
            from: config.mail_from.clone(),
            service: config.service_name.clone(),
        };
        let mailer = Box::new(FolderMailer::new(config.data_dir.join("outbox"), mail, announce));
        let tokens = Tokens::new(&config.keys.token, config.tokens.clone());
        let passwords = PasswordHasher::new(config.passwords)?;
        Ok(Self(Arc::new(Inner {
            config,
            database,
            tokens,
            passwords,
            mailer,
            clock,
            random,
        })))
    }

    /// The configuration.
    pub fn config(&self) -> &Config {
        &self.0.config
    }

    /// The database.
    pub fn database(&self) -> &Database {
        &self.0.database
    }

    /// Signs and verifies tokens.
    pub fn tokens(&self) -> &Tokens {
        &self.0.tokens
    }

    /// The time now.
    pub fn now(&self) -> Timestamp {
        self.0.clock.now()
    }

    /// Randomness.
    pub fn random(&self) -> &dyn Random {
        &*self.0.random
    }

    pub(crate) fn mailer(&self) -> &dyn Mailer {
        &*self.0.mailer
    }

    /// Hashes a password, on a thread where it holds nobody up.
    ///
    /// # Errors
    /// 500 when the thread could not be had.
    pub async fn hash_password(&self, password: String) -> Result<String, Error> {
        let context = self.clone();
        let hash = tokio::task::spawn_blocking(move || context.0.passwords.hash(context.random(), &password));
        hash.await.map_err(Error::internal)
    }

    /// Whether the password is the one behind the stored text: one hash run, whatever the answer. Gives `None` when
    /// it is not, and when it is, the text to store instead where the stored one is outdated.
    ///
    /// # Errors
    /// 500 when the thread could not be had.
    pub async fn verify_password(&self, password: String, stored: Option<String>) -> Result<Option<Verified>, Error> {
        let context = self.clone();
        let run = move || {
            let passwords = &context.0.passwords;
            if !passwords.verify(&password, stored.as_deref()) {
                return None;
            }
            let outdated = stored.is_some_and(|stored| passwords.is_outdated(&stored));
            Some(Verified {
                rehashed: outdated.then(|| passwords.hash(context.random(), &password)),
            })
        };
        tokio::task::spawn_blocking(run).await.map_err(Error::internal)
    }
}

/// A password that was right.
#[derive(Debug)]
pub struct Verified {
    /// The text to store instead of the outdated one.
    pub rehashed: Option<String>,
}
