//! One request's view of the context: the database, asked once whether the local copy is the newest.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use axum::extract::{FromRequestParts, Request};
use bespoke_database::{CommitId, Committed, Db, Freshness, Version};
use bespoke_storage::trace::Position;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::attempts::Origin;
use crate::body::{Reservation, Sender};
use crate::context::LongReadTurn;
use crate::idempotency::Repeatable;
use crate::limits::{Left, Limit, Subject};
use crate::repeated::Repeated;
use crate::{ClientIp, Context, Error, Result, logging};

/// Which version of the database an answer saw. A client that sends it back reads at least that.
const DB_SEQ: HeaderName = HeaderName::from_static("db-seq");

/// What a handler works with. The first read of a request asks the bucket whether there is something newer; later
/// reads of the same request do not.
#[derive(Clone)]
pub struct Session {
    context: Context,
    state: Arc<State>,
}

/// Why a read or a write failed.
enum Failure {
    /// The database could not be asked, or did not answer.
    Database(bespoke_database::Error),
    /// The handler refused.
    Handler(Error),
}

impl From<bespoke_database::Error> for Failure {
    fn from(error: bespoke_database::Error) -> Self {
        Self::Database(error)
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Database(error) => error.into(),
            Failure::Handler(error) => error,
        }
    }
}

#[derive(Default)]
struct State {
    /// Whether the last look at the database was at a version that the bucket confirmed. Only then an answer names one.
    checked: AtomicBool,
    /// What the client has seen.
    echoed: Option<Version>,
    /// What is left of the limits that this request counts for.
    left: Mutex<Vec<Left>>,
    repeatable: Repeatable,
    /// Whether the route of the request only reads.
    only_reads: AtomicBool,
    /// Size of the image that is stored for the request and is not counted yet. Bytes.
    object_bytes: AtomicU64,
    /// Integer id of the account that calls; empty without authentication.
    account: OnceLock<i64>,
    /// Memory for the body, until the response is sent.
    body_memory: Mutex<Option<Reservation>>,
}

/// What the answers of a gateway said last.
#[derive(Default)]
pub(crate) struct Said {
    version: Repeated<Version>,
    policy: Repeated<Vec<Limit>>,
}

impl std::ops::Deref for Session {
    type Target = Context;

    fn deref(&self) -> &Context {
        &self.context
    }
}

impl Session {
    /// A session for a piece of work that nobody asked for.
    pub fn new(context: Context) -> Self {
        Self {
            context,
            state: Arc::default(),
        }
    }

    /// A session for one request.
    pub(crate) fn of(context: Context, request: &Request) -> Self {
        let headers = request.headers();
        let echoed = headers.get(DB_SEQ).and_then(|value| value.to_str().ok()?.parse().ok());
        let state = State {
            echoed,
            repeatable: Repeatable::of(request.method(), request.uri(), headers),
            ..State::default()
        };
        Self {
            context,
            state: Arc::new(state),
        }
    }

    /// Reads. `f` may run again.
    ///
    /// # Errors
    /// What `f` gives, or 503 when the bucket does not answer.
    pub async fn read<T: Send>(&self, mut f: impl FnMut(&Db<'_>) -> Result<T> + Send) -> Result<T> {
        let database = self.context.database();
        let read = database
            .read(self.freshness(), |db| f(db).map_err(Failure::Handler))
            .await;
        // What the handler refuses, it refuses on a version that was verified.
        let verified = !matches!(read, Err(Failure::Database(_)));
        self.state.checked.store(verified, Ordering::Relaxed);
        Ok(read?)
    }

    /// Reads on a blocking thread, so that other requests do not wait for a read that takes long.
    ///
    /// # Errors
    /// As [`Session::read`]; 429 if too many of the account wait, 503 if too many of all do.
    pub async fn read_blocking<T: Send + 'static>(
        &self,
        f: impl FnMut(&Db<'_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.read_in_turn(self.turn().await?, f).await
    }

    /// Waits until no other long read of the account that calls is under way.
    ///
    /// # Errors
    /// 429 if too many of the account wait.
    pub async fn turn(&self) -> Result<LongReadTurn> {
        self.long_read_turn(self.account()).await
    }

    /// Reads as [`Session::read_blocking`], in a turn that the caller has already.
    ///
    /// # Errors
    /// As [`Session::read`]; 503 if too many of all accounts wait.
    pub async fn read_in_turn<T: Send + 'static>(
        &self,
        turn: LongReadTurn,
        f: impl FnMut(&Db<'_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (session, runtime) = (self.clone(), tokio::runtime::Handle::current());
        let (id, position) = (logging::request_id(), Position::here());
        self.read_long(turn, move || {
            let read = position.run(async move { session.read(f).await });
            runtime.block_on(logging::of_work(id, read))
        })
        .await?
    }

    /// The origin of an attempt that `client` makes now.
    pub fn origin(&self, client: ClientIp) -> Origin {
        Origin {
            client: client.network(),
            now: self.now(),
        }
    }

    /// The newest version of the database.
    ///
    /// # Errors
    /// 503 when the bucket does not answer.
    pub(crate) async fn newest_version(&self) -> Result<Version> {
        self.read(|_| Ok(())).await?;
        Ok(self.context.database().version())
    }

    /// Whether this request has looked at the database, in a version that the bucket confirmed.
    pub(crate) fn has_read(&self) -> bool {
        self.state.checked.load(Ordering::Relaxed)
    }

    /// Notes the account that calls, for which a body is counted then.
    pub(crate) fn note_account(&self, id: i64) {
        self.state.account.get_or_init(|| id);
    }

    /// The account that calls, by its integer id; `None` without authentication.
    pub(crate) fn account(&self) -> Option<i64> {
        self.state.account.get().copied()
    }

    /// Reserves memory for a body, and keeps it until the response is sent, because the values parsed from a body take as much memory
    /// again.
    ///
    /// # Errors
    /// Those of [`BodyMemory::reserve`](crate::body::BodyMemory::reserve).
    pub(crate) async fn reserve_body(&self, sender: Sender, bytes: usize) -> Result<()> {
        let reservation = self.context.body_memory(sender).reserve(sender, bytes).await?;
        let mut reserved = self.state.body_memory.lock().unwrap_or_else(PoisonError::into_inner);
        *reserved = Some(reservation);
        Ok(())
    }

    fn freshness(&self) -> Freshness {
        match self.context.config().max_staleness_ms {
            _ if self.has_read() => Freshness::Local,
            0 => Freshness::Strict,
            age_ms => Freshness::Within {
                age_ms,
                at_least: self.state.echoed,
            },
        }
    }

    /// Writes; returns once the bucket has it. `f` may run again and does nothing but SQL. What it returns is at most
    /// 256 bytes: an id, as a rule, and the handler reads the record afterwards.
    ///
    /// # Errors
    /// What `f` gives (then nothing was written), or 503 when it is not known whether the bucket has it.
    pub async fn write<T>(&self, f: impl Fn(&Db<'_>) -> Result<T> + Send + Sync + 'static) -> Result<T>
    where
        T: Serialize + DeserializeOwned + Send + 'static,
    {
        debug_assert!(
            !self.state.only_reads.load(Ordering::Relaxed),
            "a GET route that writes has to be registered with `writes()`"
        );
        self.write_on_any_route(f).await
    }

    /// Writes as [`Session::write`], also for a route that only reads. The caller needs nothing after the commit, which goes on if the
    /// client leaves.
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

    /// The same under a commit id of one's own.
    pub(crate) async fn commit<T>(
        &self,
        id: CommitId,
        f: impl Fn(&Db<'_>) -> Result<T> + Send + Sync + 'static,
    ) -> Result<Committed<T>>
    where
        T: Serialize + DeserializeOwned + Send + 'static,
    {
        let database = self.context.database();
        database.offer_usage(self.now());
        let committed = database.commit(id, move |db| f(db).map_err(Failure::Handler)).await;
        match &committed {
            Ok(_) => {
                self.context.metrics().count_commit();
                // The local copy now is at least as new as this write.
                self.state.checked.store(true, Ordering::Relaxed);
            }
            // Whether the version that is known is the newest, nobody knows.
            Err(Failure::Database(_)) => self.state.checked.store(false, Ordering::Relaxed),
            Err(Failure::Handler(_)) => {}
        }
        Ok(committed?)
    }

    /// Notes that the route of the request only reads.
    pub(crate) fn note_only_reads(&self) {
        self.state.only_reads.store(true, Ordering::Relaxed);
    }

    /// Notes the size of an object that is stored once the record has been written. Bytes.
    pub fn note_object(&self, bytes: u64) {
        self.state.object_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// The size of the noted objects, which then count for the write that takes it. Bytes.
    pub(crate) fn take_object_bytes(&self) -> u64 {
        self.state.object_bytes.swap(0, Ordering::Relaxed)
    }

    /// Whether and how the request may be sent again.
    pub(crate) fn repeatable(&self) -> &Repeatable {
        &self.state.repeatable
    }

    /// Takes one call out of the limits of `subject`.
    ///
    /// # Errors
    /// 429 when there is none.
    pub(crate) fn limit(&self, subject: Subject) -> Result<()> {
        match self.context.limits() {
            Some(limits) => limits.take(subject).map(|left| self.note(left)),
            None => Ok(()),
        }
    }

    /// Takes note of what is left of a limit.
    pub(crate) fn note(&self, left: Left) {
        let mut all = self.state.left.lock().unwrap_or_else(PoisonError::into_inner);
        all.push(left);
    }

    /// The same for the limit that is named first.
    pub(crate) fn note_first(&self, left: Left) {
        let mut all = self.state.left.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert(0, left);
    }

    /// Says in an answer what it saw, and what is left of the limits.
    pub(crate) fn write_headers(&self, headers: &mut HeaderMap, said: &Said) {
        if self.has_read() {
            let version = self.context.database().version();
            let write = || {
                let text = HeaderValue::try_from(version.to_string());
                (version, text.expect("two numbers are visible ASCII"))
            };
            headers.insert(DB_SEQ, said.version.value(|said| *said == version, write));
        }
        let left = self.state.left.lock().unwrap_or_else(PoisonError::into_inner);
        Left::write(&left, headers, &said.policy);
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
