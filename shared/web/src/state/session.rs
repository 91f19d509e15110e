//! [`Session`]: the reads and writes of one request, and the state that belongs to it.

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use axum::extract::{FromRequestParts, Request};
use bespoke_core::ClientNetwork;
use bespoke_database::{CommitId, Committed, Db, Freshness, Version};
use bespoke_storage::trace::Position;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::context::{Context, LongReadPermit};
use super::idempotency::IdempotencyKey;
use crate::limits::{BodyReservation, Limit, LimitState, RateSubject, ShareHolder};
use crate::observability::logging;
use crate::response::{Error, HeaderCache, Result};

/// The version of the database that a response is based on. A client that sends it back reads at least that version.
const DB_SEQ: HeaderName = HeaderName::from_static("db-seq");

/// The context of one request. The first read of a request revalidates the local copy of the database with the bucket; later reads of the same
/// request use the local copy. Cloning it is cheap.
#[derive(Clone)]
pub struct Session {
    context: Context,
    state: Arc<State>,
}

/// The reason why a read or a write failed.
enum SessionError {
    /// The database or the bucket failed.
    Database(bespoke_database::Error),
    /// The closure of the handler returned an error.
    Handler(Error),
}

impl From<bespoke_database::Error> for SessionError {
    fn from(error: bespoke_database::Error) -> Self {
        Self::Database(error)
    }
}

impl From<SessionError> for Error {
    fn from(failure: SessionError) -> Self {
        match failure {
            SessionError::Database(error) => error.into(),
            SessionError::Handler(error) => error,
        }
    }
}

#[derive(Default)]
struct State {
    /// Whether the last read saw a version that the bucket confirmed. Only then does the response contain `DB-Seq`.
    is_confirmed: AtomicBool,
    /// The version in the `DB-Seq` of the request, which the client has copied from an earlier response.
    seen_by_client: Option<Version>,
    /// The states of the limits that this request counts for.
    limits: Mutex<Vec<LimitState>>,
    idempotency: IdempotencyKey,
    /// Whether the route of the request only reads.
    only_reads: AtomicBool,
    /// Size of the images of the request that no write has counted yet, in bytes.
    object_bytes: AtomicU64,
    /// Integer id of the calling account; empty without authentication.
    account: OnceLock<i64>,
    /// Network of the client, for which the work of calls without authentication is counted; empty for work without a request.
    network: OnceLock<IpAddr>,
    /// The check of the caller that the next transaction must make, because the local copy in which the caller was looked up may be outdated.
    caller_check: Mutex<Option<CallerCheck>>,
    /// The memory of the body and its values, which is held until the response is sent.
    body_memory: Mutex<Vec<BodyReservation>>,
}

/// Checks the caller of a request in a transaction.
type CallerCheck = Arc<dyn Fn(&Db<'_>) -> Result<()> + Send + Sync>;

/// Cached header values that most responses of a gateway repeat.
#[derive(Default)]
pub(crate) struct HeaderCaches {
    version: HeaderCache<Version>,
    policy: HeaderCache<Vec<Limit>>,
}

impl std::ops::Deref for Session {
    type Target = Context;

    fn deref(&self) -> &Context {
        &self.context
    }
}

impl Session {
    /// Creates a session for work without a request, for example a background job.
    pub fn new(context: Context) -> Self {
        Self {
            context,
            state: Arc::default(),
        }
    }

    /// Creates the session of a request.
    pub(crate) fn of(context: Context, request: &Request) -> Self {
        let headers = request.headers();
        let seen_by_client = headers.get(DB_SEQ).and_then(|value| value.to_str().ok()?.parse().ok());
        let state = State {
            seen_by_client,
            idempotency: IdempotencyKey::of(request.method(), request.uri(), headers),
            ..State::default()
        };
        Self {
            context,
            state: Arc::new(state),
        }
    }

    /// Runs `f` in a read transaction. `f` may run several times.
    ///
    /// # Errors
    /// The error of `f`; 503 if the bucket does not respond.
    pub async fn read<T: Send>(&self, mut f: impl FnMut(&Db<'_>) -> Result<T> + Send) -> Result<T> {
        let database = self.context.database();
        let caller_check = self.caller_check().clone();
        let read = database
            .read(self.freshness(), |db| {
                if let Some(check) = &caller_check {
                    check(db).map_err(SessionError::Handler)?;
                }
                Ok(f(db))
            })
            .await;
        // An error of the handler is based on a version that was revalidated.
        let is_confirmed = !matches!(read, Err(SessionError::Database(_)));
        self.state.is_confirmed.store(is_confirmed, Ordering::Relaxed);
        let result = read?;
        self.caller_check().take();
        result
    }

    /// Reads the local copy without a revalidation. The result must be confirmed by [`Session::check_caller_later`].
    pub(crate) async fn read_unconfirmed<T: Send>(&self, mut f: impl FnMut(&Db<'_>) -> Result<T> + Send) -> Result<T> {
        let database = self.context.database();
        let read = database
            .read(Freshness::Local, |db| f(db).map_err(SessionError::Handler))
            .await;
        Ok(read?)
    }

    /// Makes the next read or write of this request run `check` in its transaction. Its error is the result of that read or write.
    pub(crate) fn check_caller_later(&self, check: impl Fn(&Db<'_>) -> Result<()> + Send + Sync + 'static) {
        *self.caller_check() = Some(Arc::new(check));
    }

    /// Runs the check of [`Session::check_caller_later`] if no read or write has run it yet.
    ///
    /// # Errors
    /// The error of the check; 503 if the bucket does not respond.
    pub(crate) async fn confirm_caller(&self) -> Result<()> {
        let is_open = self.caller_check().is_some();
        if is_open { self.read(|_| Ok(())).await } else { Ok(()) }
    }

    fn caller_check(&self) -> MutexGuard<'_, Option<CallerCheck>> {
        self.state.caller_check.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads on a blocking thread, so that a long read does not delay other requests.
    ///
    /// # Errors
    /// The errors of [`Session::read`]; 429 if too many long reads of the account wait, 503 if too many of all accounts wait.
    pub async fn read_blocking<T: Send + 'static>(
        &self,
        f: impl FnMut(&Db<'_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.read_with_permit(self.long_read_permit().await?, f).await
    }

    /// Waits until no other long read of the calling account runs.
    ///
    /// # Errors
    /// 429 if too many long reads of the account wait.
    pub async fn long_read_permit(&self) -> Result<LongReadPermit> {
        self.lock_long_reads(self.account()).await
    }

    /// Reads as [`Session::read_blocking`], with a permit that the caller already holds.
    ///
    /// # Errors
    /// The errors of [`Session::read`]; 503 if too many long reads of all accounts wait.
    pub async fn read_with_permit<T: Send + 'static>(
        &self,
        permit: LongReadPermit,
        f: impl FnMut(&Db<'_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (session, runtime) = (self.clone(), tokio::runtime::Handle::current());
        // The blocking thread does not inherit the request id and the trace.
        let (request_id, position) = (logging::request_id(), Position::here());
        self.read_long(permit, move || {
            let read = position.run(async move { session.read(f).await });
            runtime.block_on(logging::run_with_optional_request_id(request_id, read))
        })
        .await?
    }

    /// Revalidates the local copy and returns its version.
    ///
    /// # Errors
    /// 503 if the bucket does not respond.
    pub(crate) async fn newest_version(&self) -> Result<Version> {
        self.read(|_| Ok(())).await?;
        Ok(self.context.database().version())
    }

    /// Whether this request has read a version of the database that the bucket confirmed.
    pub(crate) fn has_read(&self) -> bool {
        self.state.is_confirmed.load(Ordering::Relaxed)
    }

    /// Sets the calling account, whose share of the memory for bodies is used.
    pub(crate) fn set_account(&self, id: i64) {
        self.state.account.get_or_init(|| id);
    }

    /// Sets the network of the client.
    pub(crate) fn set_network(&self, network: ClientNetwork) {
        self.state.network.get_or_init(|| network.site);
    }

    /// The integer id of the calling account; `None` without authentication.
    pub(crate) fn account(&self) -> Option<i64> {
        self.state.account.get().copied()
    }

    /// The caller, whose work and memory are limited; `None` for work without a request.
    pub(crate) fn sender(&self) -> Option<ShareHolder> {
        let network = || self.state.network.get().copied().map(ShareHolder::Network);
        self.account().map(ShareHolder::Account).or_else(network)
    }

    /// Reserves memory for a body, and holds it until the response is sent, because the parsed values occupy memory, too.
    ///
    /// # Errors
    /// 429 if the share of the sender is used up; 503 if the pool is used up.
    pub(crate) async fn reserve_body(&self, sender: ShareHolder, bytes: usize) -> Result<()> {
        let reservation = self.context.body_memory(sender).reserve(sender, bytes).await?;
        let mut reserved = self.state.body_memory.lock().unwrap_or_else(PoisonError::into_inner);
        reserved.push(reservation);
        Ok(())
    }

    fn freshness(&self) -> Freshness {
        match self.context.config().max_staleness_ms {
            _ if self.has_read() => Freshness::Local,
            0 => Freshness::Strict,
            age_ms => Freshness::Within {
                age_ms,
                at_least: self.state.seen_by_client,
            },
        }
    }

    /// Runs `f` in a write transaction, and returns when the bucket has the commit. `f` may run several times, so it must have no effects
    /// besides SQL. Its result is stored with the commit and must not exceed 256 bytes; usually it is an id, with which the handler then
    /// reads the record.
    ///
    /// # Errors
    /// The error of `f`, which aborts the transaction; 503 if it is unknown whether the bucket has the commit.
    pub async fn write<T>(&self, f: impl Fn(&Db<'_>) -> Result<T> + Send + Sync + 'static) -> Result<T>
    where
        T: Serialize + DeserializeOwned + Send + 'static,
    {
        debug_assert!(
            !self.state.only_reads.load(Ordering::Relaxed),
            "a GET route that writes must be registered with `writes()`"
        );
        self.write_on_any_route(f).await
    }

    /// Writes as [`Session::write`], also on a route that only reads. The caller must do nothing important after the commit: if the client closes
    /// the connection, the commit still completes, but the handler of such a route is dropped.
    pub(crate) async fn write_on_any_route<T>(
        &self,
        f: impl Fn(&Db<'_>) -> Result<T> + Send + Sync + 'static,
    ) -> Result<T>
    where
        T: Serialize + DeserializeOwned + Send + 'static,
    {
        let id = self.context.database().fresh_commit_id();
        Ok(self.commit(id, f).await?.value)
    }

    /// Marks the route of the request as one that only reads.
    pub(crate) fn forbid_writes(&self) {
        self.state.only_reads.store(true, Ordering::Relaxed);
    }

    /// Writes as [`Session::write`], with a given commit id. A commit with the same id runs only once.
    pub(crate) async fn commit<T>(
        &self,
        id: CommitId,
        f: impl Fn(&Db<'_>) -> Result<T> + Send + Sync + 'static,
    ) -> Result<Committed<T>>
    where
        T: Serialize + DeserializeOwned + Send + 'static,
    {
        let database = self.context.database();
        database.usage().offer(self.now());
        let caller_check = self.caller_check().clone();
        let committed = database
            .commit(id, move |db| {
                let checked = caller_check.as_ref().map_or(Ok(()), |check| check(db));
                checked.and_then(|()| f(db)).map_err(SessionError::Handler)
            })
            .await;
        // The local copy is at least as new as this commit, and as the version that a failed write has seen.
        let is_confirmed = !matches!(committed, Err(SessionError::Database(_)));
        self.state.is_confirmed.store(is_confirmed, Ordering::Relaxed);
        if let Ok(committed) = &committed {
            self.context.metrics().count_commit();
            // Otherwise the result is that of an earlier request, and the check did not run.
            if !committed.replayed {
                self.caller_check().take();
            }
        }
        Ok(committed?)
    }

    /// Adds the size of an object that is stored after the record has been written, in bytes.
    pub fn add_object_bytes(&self, bytes: u64) {
        self.state.object_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Returns and resets the size of the added objects, so that one write counts it, in bytes.
    pub(crate) fn take_object_bytes(&self) -> u64 {
        self.state.object_bytes.swap(0, Ordering::Relaxed)
    }

    /// The `Idempotency-Key` of the request.
    pub(crate) fn idempotency(&self) -> &IdempotencyKey {
        &self.state.idempotency
    }

    /// Counts one call for the rate limit of `subject`.
    ///
    /// # Errors
    /// 429 if the limit is used up.
    pub(crate) fn limit(&self, subject: RateSubject) -> Result<()> {
        match self.context.limits() {
            Some(limits) => limits.take(subject).map(|state| self.add_limit(state)),
            None => Ok(()),
        }
    }

    /// Adds the state of a limit to the `RateLimit` headers of the response.
    pub(crate) fn add_limit(&self, state: LimitState) {
        let mut all = self.state.limits.lock().unwrap_or_else(PoisonError::into_inner);
        all.push(state);
    }

    /// Adds the state of a limit in front of the others.
    pub(crate) fn add_limit_first(&self, state: LimitState) {
        let mut all = self.state.limits.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert(0, state);
    }

    /// Inserts `DB-Seq` and the `RateLimit` headers into a response.
    pub(crate) fn write_headers(&self, headers: &mut HeaderMap, caches: &HeaderCaches) {
        if self.has_read() {
            let version = self.context.database().version();
            let write = || {
                let text = HeaderValue::try_from(version.to_string());
                (version, text.expect("two numbers are visible ASCII"))
            };
            headers.insert(DB_SEQ, caches.version.value(|cached| *cached == version, write));
        }
        let limits = self.state.limits.lock().unwrap_or_else(PoisonError::into_inner);
        LimitState::write(&limits, headers, &caches.policy);
    }
}

impl FromRequestParts<Context> for Session {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, context: &Context) -> Result<Self> {
        Ok(parts
            .extensions
            .get_or_insert_with(|| Self::new(context.clone()))
            .clone())
    }
}
