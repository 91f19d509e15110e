//! What a process has: configuration, database, tokens, password hasher, mailer, clock, randomness.

use std::sync::{Arc, OnceLock};

use bespoke_core::validate::email_domain;
use bespoke_core::{Clock, LinkSigner, PasswordHasher, Random, Timestamp, Tokens};
use bespoke_database::Database;
use bespoke_services::github::{self, GitHub};
use bespoke_services::http::Http;
use bespoke_services::images::{self, Fetcher, ImageStore};
use bespoke_services::mail::Mailer;
use bespoke_storage::ObjectStore;
use tokio::sync::Mutex;
use tokio::task::JoinSet;

use crate::body::{BodyMemory, Sender};
use crate::computations::Computations;
use crate::limits::Limits;
use crate::metrics::Metrics;
use crate::outbox::Delivered;
use crate::turns::{Turn, Turns};
use crate::{Config, Error, JsonObject, Surroundings, truthy};

/// Most long reads of one account that wait or run.
const MAX_LONG_READS_OF_ACCOUNT: usize = 8;
/// Most attempts at passwords and codes that have met at one object and wait or run.
const MAX_ATTEMPTS_AT_OBJECT: usize = 64;

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
    bucket: Arc<dyn ObjectStore>,
    database: Database,
    tokens: Tokens,
    links: LinkSigner,
    limits: Option<Limits>,
    passwords: PasswordHasher,
    outside: Outside,
    metrics: Metrics,
    /// Password hashes, pictures, and the parsing of large bodies.
    computations: Computations,
    /// Reads that take long: lists and exports. Apart from the computations, because exports must not delay sign-ins.
    long_reads: Computations,
    /// The turns of accounts in them.
    turns: Arc<Turns<i64>>,
    /// The turns of attempts at passwords and codes, by the object that has them.
    attempt_turns: Arc<Turns<String>>,
    /// Memory for large bodies of accounts.
    large_bodies: BodyMemory,
    /// Memory for bodies of callers without authentication.
    strangers_bodies: BodyMemory,
    delivery: Mutex<Delivered>,
    /// Deliveries that no request waits for.
    aside: std::sync::Mutex<JoinSet<()>>,
    mailer: Option<Arc<dyn Mailer>>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
}

/// What calls services out there. Each is made when it is asked for, so that a function that asks for none neither carries nor
/// starts it.
#[derive(Default)]
struct Outside {
    http: OnceLock<Arc<Http>>,
    images: OnceLock<Box<dyn ImageStore>>,
    fetcher: OnceLock<Fetcher>,
    github: OnceLock<Option<Box<dyn GitHub>>>,
}

/// What a process has. Made once, shared by all requests.
#[derive(Clone)]
pub struct Context(Arc<Inner>);

impl Context {
    /// Opens the bucket and syncs the database.
    ///
    /// # Errors
    /// [`StartError`], whose text says what to do. An incomplete restore of a backup is one, too.
    pub async fn open(config: Config, surroundings: Surroundings) -> Result<Self, StartError> {
        let context = Self::open_incomplete(config, surroundings).await?;
        context.database().check_complete().await?;
        Ok(context)
    }

    /// The same for a database that a restore may have left incomplete.
    ///
    /// # Errors
    /// [`StartError`], whose text says what to do.
    pub async fn open_incomplete(config: Config, surroundings: Surroundings) -> Result<Self, StartError> {
        let Surroundings {
            clock,
            random,
            store,
            mailer,
        } = surroundings;
        let store = match store {
            Some(store) => store,
            None => {
                let opened = config.store.open(&config.aws);
                opened.map_err(|error| bespoke_database::Error::Storage(error.into()))?
            }
        };
        let vault = config.vault(Arc::clone(&random));
        let database = Database::open(Arc::clone(&store), config.local_dir.clone(), vault).await?;
        let tokens = Tokens::new(&config.keys.token, config.tokens.clone());
        let passwords = PasswordHasher::new(config.passwords)?;
        Ok(Self(Arc::new(Inner {
            links: LinkSigner::new(&config.keys.token),
            limits: config.limits.map(|settings| Limits::new(settings, Arc::clone(&clock))),
            outside: Outside::default(),
            metrics: Metrics::default(),
            config,
            bucket: store,
            database,
            tokens,
            passwords,
            computations: Computations::default(),
            long_reads: Computations::default(),
            turns: Arc::new(Turns::new(MAX_LONG_READS_OF_ACCOUNT)),
            attempt_turns: Arc::new(Turns::new(MAX_ATTEMPTS_AT_OBJECT)),
            large_bodies: BodyMemory::default(),
            strangers_bodies: BodyMemory::default(),
            delivery: Mutex::default(),
            aside: std::sync::Mutex::default(),
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

    /// The bucket, for what lies beside the database: images and exports.
    pub fn bucket(&self) -> &dyn ObjectStore {
        &*self.0.bucket
    }

    /// The images.
    pub fn images(&self) -> &dyn ImageStore {
        let store = || {
            images::store(
                &self.config().images,
                Arc::clone(&self.0.bucket),
                Arc::clone(self.http()),
            )
        };
        &**self.0.outside.images.get_or_init(store)
    }

    /// The repository at GitHub; `None` where it is off.
    pub fn github(&self) -> Option<&dyn GitHub> {
        let connect = || github::connect(self.config().github.clone(), Arc::clone(self.http()));
        self.0.outside.github.get_or_init(connect).as_deref()
    }

    /// The client for calls to services out there.
    pub fn http(&self) -> &Arc<Http> {
        let timeout_ms = self.config().call_timeout_ms;
        self.0.outside.http.get_or_init(|| Arc::new(Http::new(timeout_ms)))
    }

    pub(crate) fn fetcher(&self) -> &Fetcher {
        self.0.outside.fetcher.get_or_init(Fetcher::default)
    }

    /// Signs and verifies links.
    pub fn links(&self) -> &LinkSigner {
        &self.0.links
    }

    /// A URL at which anybody gets the object `key` of the bucket for `lifetime_ms` milliseconds: the bucket's own where it
    /// offers one, otherwise the signed `path` of ours that serves it.
    ///
    /// # Errors
    /// 503 when the bucket cannot make one.
    pub async fn download_url(&self, key: &str, path: &str, lifetime_ms: u32) -> Result<String, Error> {
        if let Some(url) = self.bucket().presigned_get(key, lifetime_ms.into()).await? {
            return Ok(url);
        }
        let end = self.now().plus_ms(lifetime_ms.into());
        Ok(format!("{}{}", self.config().url, self.links().sign(path, end)))
    }

    /// Signs and verifies tokens.
    pub fn tokens(&self) -> &Tokens {
        &self.0.tokens
    }

    /// Whether this request is one of a test: test mode is on, the request says so, and the address is in its domain.
    pub fn is_test(&self, body: &JsonObject, address: &str) -> bool {
        self.in_test_domain(address) && body.get("test").is_some_and(truthy)
    }

    /// Whether test mode is on for that address.
    pub fn in_test_domain(&self, address: &str) -> bool {
        let domain = self.config().test_domain.as_deref();
        domain.is_some_and(|domain| email_domain(address) == domain)
    }

    /// The time now.
    pub fn now(&self) -> Timestamp {
        self.0.clock.now()
    }

    /// Randomness.
    pub fn random(&self) -> &dyn Random {
        &*self.0.random
    }

    /// What was counted.
    pub fn metrics(&self) -> &Metrics {
        &self.0.metrics
    }

    pub(crate) fn limits(&self) -> Option<&Limits> {
        self.0.limits.as_ref()
    }

    pub(crate) fn mailer(&self) -> Option<&dyn Mailer> {
        self.0.mailer.as_deref()
    }

    /// Held by who delivers mails.
    pub(crate) fn delivery(&self) -> &Mutex<Delivered> {
        &self.0.delivery
    }

    /// Deliveries that no request waits for.
    pub(crate) fn aside(&self) -> &std::sync::Mutex<JoinSet<()>> {
        &self.0.aside
    }

    /// Puts everything that was counted into the bucket: the process ends.
    pub async fn put_usage(&self) {
        if let Err(error) = self.database().put_usage(self.now()).await {
            tracing::warn!(%error, "counted calls are lost");
        }
    }

    /// How many passwords were hashed so far.
    pub fn password_runs(&self) -> u64 {
        self.0.passwords.runs()
    }

    /// Hashes a password, on a thread where it holds nobody up.
    ///
    /// # Errors
    /// 503 when too many wait.
    pub async fn hash_password(&self, password: String) -> Result<String, Error> {
        self.compute(move |context| context.0.passwords.hash(context.random(), &password))
            .await
    }

    /// Whether the password is the one behind the stored text: one hash run, whatever the answer. Gives `None` when
    /// it is not, and when it is, the text to store instead where the stored one is outdated.
    ///
    /// # Errors
    /// 503 when too many wait.
    pub async fn verify_password(&self, password: String, stored: Option<String>) -> Result<Option<Verified>, Error> {
        self.compute(move |context| {
            let passwords = &context.0.passwords;
            if !passwords.verify(&password, stored.as_deref()) {
                return None;
            }
            let outdated = stored.is_some_and(|stored| passwords.is_outdated(&stored));
            Some(Verified {
                rehashed: outdated.then(|| passwords.hash(context.random(), &password)),
            })
        })
        .await
    }

    /// The memory for bodies of that sender.
    pub(crate) fn body_memory(&self, sender: Sender) -> &BodyMemory {
        match sender {
            Sender::Account(_) => &self.0.large_bodies,
            Sender::Network(_) => &self.0.strangers_bodies,
        }
    }

    /// Runs work that keeps a core busy on a blocking thread.
    ///
    /// # Errors
    /// 503 if too many computations wait or run.
    pub(crate) async fn compute<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> T + Send + 'static,
    ) -> Result<T, Error> {
        let context = self.clone();
        self.0.computations.run(move || work(&context)).await
    }

    /// Waits for the turn of an attempt at that object.
    ///
    /// # Errors
    /// 429 if too many attempts wait.
    pub(crate) async fn attempt_turn(&self, key: &str) -> Result<Turn<String>, Error> {
        self.0.attempt_turns.take(key.to_owned()).await
    }

    /// Waits for the turn of that account among its long reads, which run one after the other.
    ///
    /// # Errors
    /// 429 if too many of the account wait or run.
    pub(crate) async fn long_read_turn(&self, account: Option<i64>) -> Result<LongReadTurn, Error> {
        let turn = match account {
            Some(account) => Some(Arc::new(self.0.turns.take(account).await?)),
            None => None,
        };
        Ok(LongReadTurn { _turn: turn })
    }

    /// Runs a read that takes long on a blocking thread. The read holds the turn until its end, also if its caller is dropped.
    ///
    /// # Errors
    /// 503 if too many long reads of all accounts wait or run.
    pub(crate) async fn read_long<T: Send + 'static>(
        &self,
        turn: LongReadTurn,
        read: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Error> {
        let read = move || {
            let _held = turn;
            read()
        };
        self.0.long_reads.run(read).await
    }
}

/// The turn of an account among its long reads. It ends when the last clone is dropped. Calls without an account have no turns.
#[derive(Clone)]
pub struct LongReadTurn {
    _turn: Option<Arc<Turn<i64>>>,
}

/// A password that was right.
#[derive(Debug)]
pub struct Verified {
    /// The text to store instead of the outdated one.
    pub rehashed: Option<String>,
}
