//! [`Context`]: the state of a process: configuration, database, bucket, limits, external services, and the injected dependencies.

use std::sync::{Arc, OnceLock};

use bespoke_core::{Clock, LinkSigner, PasswordHasher, Random, Timestamp, Tokens};
use bespoke_database::Database;
use bespoke_services::github::{self, GitHub};
use bespoke_services::http::Http;
use bespoke_services::images::{self, Fetcher, ImageStore};
use bespoke_services::mail::Mailer;
use bespoke_storage::ObjectStore;
use tokio::sync::Mutex;
use tokio::task::JoinSet;
use uuid::Uuid;

use super::dependencies::Dependencies;
use super::public_counters::PublicCounters;
use crate::config::Config;
use crate::limits::{BodyMemory, KeyedLock, KeyedLocks, Limits, ShareHolder, WorkerPool};
use crate::observability::metrics::Metrics;
use crate::response::Error;

/// The maximum number of long reads of one account that wait or run.
const MAX_LONG_READS_OF_ACCOUNT: usize = 8;
/// The maximum number of CPU-bound tasks of one sender that wait or run.
const MAX_WORK_OF_SENDER: usize = 64;
/// The maximum number of conflicting writers of one object with sign-in attempts that wait or run.
const MAX_ATTEMPTS_AT_OBJECT: usize = 64;

/// The reason why a process cannot start.
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
    services: ExternalServices,
    metrics: Metrics,
    /// Runs password hashes, image conversions and parsers of large bodies for accounts.
    account_workers: WorkerPool,
    /// Runs the same work for callers without authentication. This pool is separate, because accounts must not prevent sign-ins.
    public_workers: WorkerPool,
    /// Serializes the work of one sender in its pool.
    work_locks: Arc<KeyedLocks<ShareHolder>>,
    /// Runs long reads (lists and exports). This pool is separate, because exports must not delay sign-ins.
    long_reads: WorkerPool,
    /// Serializes the long reads of one account.
    long_read_locks: Arc<KeyedLocks<i64>>,
    /// Serializes conflicting writes of one object with sign-in attempts, by its key.
    attempt_locks: Arc<KeyedLocks<String>>,
    /// Memory for large bodies of accounts.
    account_bodies: BodyMemory,
    /// Memory for bodies of callers without authentication.
    public_bodies: BodyMemory,
    /// Memory for long responses to accounts until they are sent.
    account_responses: BodyMemory,
    /// Memory for long responses to callers without authentication until they are sent.
    public_responses: BodyMemory,
    /// The statistics for callers without authentication.
    counters: PublicCounters,
    /// Mails that were sent and whose rows could not be deleted yet. The lock is held while mails are sent.
    sent_mails: Mutex<Vec<Uuid>>,
    /// Deliveries in the background.
    deliveries: std::sync::Mutex<JoinSet<()>>,
    mailer: Option<Arc<dyn Mailer>>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
}

/// Clients of external services. Each is created on first use, so that the binary of a function without external services neither contains
/// nor starts them.
#[derive(Default)]
struct ExternalServices {
    http: OnceLock<Arc<Http>>,
    images: OnceLock<Box<dyn ImageStore>>,
    fetcher: OnceLock<Fetcher>,
    github: OnceLock<Option<Box<dyn GitHub>>>,
}

/// The state of a process, which all requests share. Cloning it is cheap.
#[derive(Clone)]
pub struct Context(Arc<Inner>);

impl Context {
    /// Opens the bucket and syncs the database.
    ///
    /// # Errors
    /// [`StartError`], whose text says how to solve the problem. An interrupted restore of a backup is such an error, too.
    pub async fn open(config: Config, dependencies: Dependencies) -> Result<Self, StartError> {
        let context = Self::open_incomplete(config, dependencies).await?;
        context.database().check_complete().await?;
        Ok(context)
    }

    /// Opens a database that an interrupted restore may have left incomplete; otherwise as [`Context::open`].
    ///
    /// # Errors
    /// [`StartError`], whose text says how to solve the problem.
    pub async fn open_incomplete(config: Config, dependencies: Dependencies) -> Result<Self, StartError> {
        let Dependencies {
            clock,
            random,
            store,
            mailer,
        } = dependencies;
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
            services: ExternalServices::default(),
            metrics: Metrics::default(),
            config,
            bucket: store,
            database,
            tokens,
            passwords,
            account_workers: WorkerPool::default(),
            public_workers: WorkerPool::default(),
            work_locks: Arc::new(KeyedLocks::new(MAX_WORK_OF_SENDER)),
            long_reads: WorkerPool::default(),
            long_read_locks: Arc::new(KeyedLocks::new(MAX_LONG_READS_OF_ACCOUNT)),
            attempt_locks: Arc::new(KeyedLocks::new(MAX_ATTEMPTS_AT_OBJECT)),
            account_bodies: BodyMemory::default(),
            public_bodies: BodyMemory::default(),
            account_responses: BodyMemory::default(),
            public_responses: BodyMemory::default(),
            counters: PublicCounters::default(),
            sent_mails: Mutex::default(),
            deliveries: std::sync::Mutex::default(),
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

    /// The bucket, for objects next to the database: images, exports and sign-in attempts.
    pub fn bucket(&self) -> &dyn ObjectStore {
        &*self.0.bucket
    }

    /// The store of images.
    pub fn images(&self) -> &dyn ImageStore {
        let store = || {
            images::store(
                &self.config().images,
                Arc::clone(&self.0.bucket),
                Arc::clone(self.http()),
            )
        };
        &**self.0.services.images.get_or_init(store)
    }

    /// The client of the GitHub repository; `None` if the settings do not enable it.
    pub fn github(&self) -> Option<&dyn GitHub> {
        let connect = || github::connect(self.config().github.clone(), Arc::clone(self.http()));
        self.0.services.github.get_or_init(connect).as_deref()
    }

    /// The HTTP client for external services.
    pub fn http(&self) -> &Arc<Http> {
        let timeout_ms = self.config().call_timeout_ms;
        self.0.services.http.get_or_init(|| Arc::new(Http::new(timeout_ms)))
    }

    pub(crate) fn fetcher(&self) -> &Fetcher {
        self.0.services.fetcher.get_or_init(Fetcher::default)
    }

    /// Signs and verifies links.
    pub fn links(&self) -> &LinkSigner {
        &self.0.links
    }

    /// Returns a signed URL of the object `key` that is valid for `lifetime_ms` milliseconds: a presigned URL of the bucket if the bucket
    /// supports that, and otherwise the signed `path` of the API that serves the object.
    ///
    /// # Errors
    /// 503 if the bucket cannot sign the URL.
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

    /// The current time.
    pub fn now(&self) -> Timestamp {
        self.0.clock.now()
    }

    /// The random source.
    pub fn random(&self) -> &dyn Random {
        &*self.0.random
    }

    /// The counters of the process.
    pub fn metrics(&self) -> &Metrics {
        &self.0.metrics
    }

    pub(super) fn counters(&self) -> &PublicCounters {
        &self.0.counters
    }

    pub(crate) fn limits(&self) -> Option<&Limits> {
        self.0.limits.as_ref()
    }

    pub(crate) fn mailer(&self) -> Option<&dyn Mailer> {
        self.0.mailer.as_deref()
    }

    /// The UUIDs of mails that were sent and whose rows could not be deleted yet. The caller holds the lock while it sends mails.
    pub(crate) fn sent_mails(&self) -> &Mutex<Vec<Uuid>> {
        &self.0.sent_mails
    }

    /// The deliveries that run in the background.
    pub(crate) fn deliveries(&self) -> &std::sync::Mutex<JoinSet<()>> {
        &self.0.deliveries
    }

    /// Stores the usage counters of the process in the bucket. Called before the process ends.
    pub async fn put_usage(&self) {
        if let Err(error) = self.database().usage().put(self.now()).await {
            tracing::warn!(%error, "the usage counters could not be stored and are lost");
        }
    }

    /// The number of passwords that the process has hashed.
    pub fn password_runs(&self) -> u64 {
        self.0.passwords.runs()
    }

    /// The memory for request bodies of that sender.
    pub(crate) fn body_memory(&self, sender: ShareHolder) -> &BodyMemory {
        match sender {
            ShareHolder::Account(_) => &self.0.account_bodies,
            ShareHolder::Network(_) => &self.0.public_bodies,
        }
    }

    /// The memory for unsent responses to that receiver.
    pub(crate) fn response_memory(&self, receiver: ShareHolder) -> &BodyMemory {
        match receiver {
            ShareHolder::Account(_) => &self.0.account_responses,
            ShareHolder::Network(_) => &self.0.public_responses,
        }
    }

    /// Runs CPU-bound work on a blocking thread. Tasks of one sender run one after the other, so that many requests of a sender delay only
    /// each other. Senders with and without authentication have separate pools, so that accounts cannot prevent sign-ins.
    ///
    /// # Errors
    /// 429 if too many tasks of the sender wait; 503 if too many tasks of all senders in its pool wait.
    pub(crate) async fn compute_for<T: Send + 'static>(
        &self,
        sender: Option<ShareHolder>,
        work: impl FnOnce(&Self) -> T + Send + 'static,
    ) -> Result<T, Error> {
        let lock = match sender.filter(|_| self.limits().is_some()) {
            Some(sender) => Some(self.0.work_locks.lock(sender).await?),
            None => None,
        };
        let context = self.clone();
        let work = move || {
            let _held = lock;
            work(&context)
        };
        let workers = match sender {
            Some(ShareHolder::Network(_)) => &self.0.public_workers,
            Some(ShareHolder::Account(_)) | None => &self.0.account_workers,
        };
        workers.run(work).await
    }

    pub(crate) fn passwords(&self) -> &PasswordHasher {
        &self.0.passwords
    }

    /// Waits for the lock of an object with sign-in attempts, also if many attempts wait. Used to release an attempt: there are never more
    /// releases than reservations, and a refused release would count against the owner of the account.
    pub(crate) async fn lock_attempts_for_release(&self, key: &str) -> KeyedLock<String> {
        self.0.attempt_locks.lock_beyond_limit(key.to_owned()).await
    }

    /// Waits for the lock of an object with sign-in attempts.
    ///
    /// # Errors
    /// 429 if too many attempts wait.
    pub(crate) async fn lock_attempts(&self, key: &str) -> Result<KeyedLock<String>, Error> {
        self.0.attempt_locks.lock(key.to_owned()).await
    }

    /// Waits until no other long read of the account runs, because they run one after the other.
    ///
    /// # Errors
    /// 429 if too many long reads of the account wait or run.
    pub(crate) async fn lock_long_reads(&self, account: Option<i64>) -> Result<LongReadPermit, Error> {
        let lock = match account {
            Some(account) => Some(Arc::new(self.0.long_read_locks.lock(account).await?)),
            None => None,
        };
        Ok(LongReadPermit { _lock: lock })
    }

    /// Runs a long read on a blocking thread. The read holds the permit until its end, even if its caller is dropped.
    ///
    /// # Errors
    /// 503 if too many long reads of all accounts wait or run.
    pub(crate) async fn read_long<T: Send + 'static>(
        &self,
        permit: LongReadPermit,
        read: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Error> {
        let read = move || {
            let _held = permit;
            read()
        };
        self.0.long_reads.run(read).await
    }
}

/// The permission of an account to run a long read. It ends when the last clone is dropped. Calls without an account are not serialized.
#[derive(Clone)]
pub struct LongReadPermit {
    _lock: Option<Arc<KeyedLock<i64>>>,
}
