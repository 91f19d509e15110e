//! The engine as its users see it.

use std::path::PathBuf;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;

use rusqlite::Connection;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::{mpsc, oneshot};
use tracing::{Instrument as _, Span};

use crate::change::OnChange;
use crate::create::{Patience, first_head};
use crate::environment::{Clock, Random, SystemClock, SystemRandom};
use crate::error::Error;
use crate::job::{Answer, CommitId, Committed, SchemaEdit, Seen, TypedJob, Waiting};
use crate::limits::{PAGE_SIZE, QUEUE_MAX, READ_TIMEOUT_MS, Tuning, WRITE_DEADLINE_MS};
use crate::local::{Local, LocalFolder, SqlitePlace};
use crate::queue::Message;
use crate::replica::{Looked, Parts, Replica};
use crate::store::{Fetched, ObjectStore};
use crate::tasks::Tasks;
use crate::trace::{self, Position};
use crate::usage::{self, UsageFold};
use crate::version::Version;
use crate::writer::Writer;

/// One step of the schema. Steps are run in the order of their versions, each as a write of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Migration {
    /// Greater than that of the step before; the first is 1.
    pub version: u32,
    /// Any number of statements.
    pub sql: &'static str,
    /// Code that knows no migration up to this version may not read the database any more. 0 where it may.
    pub min_reader: u32,
    /// Code that knows no migration up to this version may not write the database any more. 0 where it may.
    pub min_writer: u32,
}

/// How an engine is opened.
#[derive(Clone)]
pub struct Options {
    /// Where local copies are kept; each engine uses a folder of its own below it. A disk, not a network.
    pub local_dir: PathBuf,
    /// The schema that this code knows.
    pub migrations: &'static [Migration],
    /// A read is stopped after this. Milliseconds.
    pub read_timeout_ms: u64,
    /// A write is given up after this, with an unknown outcome. Milliseconds.
    pub write_deadline_ms: u64,
    /// The page size of a database that is created. Bytes.
    pub page_size: u32,
    /// Deadlines, waits, and the names of objects.
    pub clock: Arc<dyn Clock>,
    /// Ids, nonces, jitter.
    pub random: Arc<dyn Random>,
    /// Brings counts into the database (see [`Engine::freeze_usage`]).
    pub usage_fold: Option<UsageFold>,
    /// Is told what this process changes.
    pub on_change: Option<OnChange>,
    /// A rule of the protocol left out, so that a test can show what it is for. Never outside a test.
    #[doc(hidden)]
    pub ablation: Option<Ablation>,
}

/// A rule that a test leaves out.
#[doc(hidden)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ablation {
    /// A write is run without a look into `_commits`.
    NoCommitsTest,
    /// A store looks at the condition of a PUT when it arrives, and acts later.
    CheckThenAct,
    /// A compaction whose PUT was not answered applies its edit again.
    CompactionReapplied,
    /// A compaction whose PUT was refused applies its edit again, whatever the base is now.
    NoBaseIds,
    /// A compaction reads the local copy as it is, instead of the state that it began with.
    CompactionReadsOn,
    /// A compaction puts its base without a look at the floor.
    CompactionForgetsFloor,
    /// Garbage is deleted without a PUT of `head` before.
    GcWithoutFloor,
    /// Garbage collection asks for `head` before it lists.
    GetBeforeList,
    /// Commits that leave `head` together are not kept apart.
    NoHistory,
    /// Garbage collection keeps history no longer than any object that nothing names.
    HistoryIsGarbage,
    /// A write is run again, however long ago it began.
    RerunAfterPurge,
    /// A commit that takes counts along does not note their name.
    UsageWithoutName,
    /// The names of counts are remembered for a day only.
    MergedPurgedAfterADay,
}

impl Options {
    /// The defaults of [`crate::limits`], with the operating system's time and randomness.
    #[must_use]
    pub fn new(local_dir: impl Into<PathBuf>, migrations: &'static [Migration]) -> Self {
        Self {
            local_dir: local_dir.into(),
            migrations,
            read_timeout_ms: READ_TIMEOUT_MS,
            write_deadline_ms: WRITE_DEADLINE_MS,
            page_size: PAGE_SIZE,
            clock: Arc::new(SystemClock::new()),
            random: Arc::new(SystemRandom),
            usage_fold: None,
            on_change: None,
            ablation: None,
        }
    }
}

/// How new the database must be that a read sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// At least as new as everything acknowledged before the call, by any process: asks the store once.
    Strict,
    /// Whatever this process has: for a request that has already asked.
    Local,
    /// As old as the operator allows, and not older than what the client has seen.
    Within {
        /// Milliseconds.
        age_ms: u64,
        /// Read one's own writes: at least this, unless it is of another epoch.
        at_least: Option<Version>,
    },
}

/// What a read returned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Read<T> {
    /// What the closure returned.
    pub value: T,
    /// What it saw.
    pub version: Version,
}

/// A SQLite database in an object store. Clones are the same engine; when the last is dropped, the writes that were queued are
/// still finished as long as the runtime lives, and the local copy goes.
#[derive(Clone)]
pub struct Engine {
    pub(crate) replica: Arc<Replica>,
    queue: mpsc::Sender<Message>,
    /// Says when the writer has ended.
    writer: Arc<Mutex<Option<oneshot::Receiver<()>>>>,
    write_deadline_ms: u64,
}

impl Engine {
    /// Opens the database in `store`: creates it where the store is empty, fetches it, and brings its schema up to date. Needs a
    /// tokio runtime with its timer enabled, and lives in that runtime. A store that does not answer is asked again, for
    /// [`START_PATIENCE_MS`](crate::limits::START_PATIENCE_MS).
    ///
    /// # Errors
    /// [`Error::Unsupported`] where this code is too old, [`Error::Refused`] and [`Error::Corrupt`] where the store's content is
    /// not a database, and whatever [`Engine::write`] fails with for a migration.
    pub async fn open(store: Arc<dyn ObjectStore>, options: Options) -> Result<Self, Error> {
        if !options.migrations.is_sorted_by(|one, next| one.version < next.version) {
            return Err(Error::Refused(
                "migrations stand in the order of their versions".to_owned(),
            ));
        }
        let local = Box::new(SqlitePlace {
            folder: LocalFolder::claim(&options.local_dir, &*options.random)?,
            clock: Arc::clone(&options.clock),
        });
        Self::open_in(store, options, local, Tasks::Tokio, Tuning::default()).await
    }

    /// Opens it on another kind of local copy, or under another scheduler.
    pub(crate) async fn open_in(
        store: Arc<dyn ObjectStore>,
        options: Options,
        local: Box<dyn Local>,
        tasks: Tasks,
        tuning: Tuning,
    ) -> Result<Self, Error> {
        let parts = Parts {
            store,
            clock: options.clock,
            random: options.random,
            read_timeout_ms: options.read_timeout_ms,
            code_version: options.migrations.last().map_or(0, |last| last.version),
            local,
            tasks,
            tuning,
            ablation: options.ablation,
            usage_fold: options.usage_fold,
            on_change: options.on_change,
        };
        let mut patience = Patience::new(&parts.clock, &parts.random);
        let known = loop {
            match first_head(&parts, options.page_size).await {
                Err(error) if patience.lasts(&error).await => {}
                known => break known?,
            }
        };
        let replica = Replica::new(parts, Arc::clone(&known));
        while let Err(error) = replica.catch_up(Arc::clone(&known)).await {
            if !patience.lasts(&error).await {
                return Err(error);
            }
        }
        let (queue, receiver) = mpsc::channel(QUEUE_MAX);
        let (ended, writer) = oneshot::channel();
        let writing = Writer::new(Arc::clone(&replica)).run(receiver);
        replica.tasks.spawn(Box::pin(async move {
            writing.await;
            // Nobody may want to know.
            let _ = ended.send(());
        }));
        let writer = Arc::new(Mutex::new(Some(writer)));
        let engine = Self {
            replica,
            queue,
            writer,
            write_deadline_ms: options.write_deadline_ms,
        };
        for migration in options.migrations {
            while let Err(error) = engine.migrate(migration).await {
                if !patience.lasts(&error).await {
                    return Err(error);
                }
            }
        }
        Ok(engine)
    }

    async fn migrate(&self, migration: &'static Migration) -> Result<(), Error> {
        let Migration {
            version,
            sql,
            min_reader,
            min_writer,
        } = *migration;
        if self.replica.known.load().head.json.schema >= version {
            return Ok(());
        }
        let edit = SchemaEdit {
            schema: version,
            min_reader,
            min_writer,
        };
        let id = CommitId::new(format!("schema:{version}"))?;
        self.enqueue(id, Some(edit), move |seen| {
            seen.sqlite()?.execute_batch(sql).map_err(Error::from)
        })
        .await?;
        Ok(())
    }

    /// Runs `f` on the local copy, on the caller's thread. It may run again, so it only reads. It is stopped after
    /// [`Options::read_timeout_ms`]; no write of this process becomes visible while it runs, so it does not stream to a client.
    /// Statements are best made with `prepare_cached`: the connections are kept as long as the database does not change.
    ///
    /// # Errors
    /// What `f` returns; [`Error::Unavailable`] where the store cannot be asked; [`Error::ReadTimeout`].
    pub async fn read<T, E>(
        &self,
        freshness: Freshness,
        mut f: impl FnMut(&Connection) -> Result<T, E> + Send,
    ) -> Result<Read<T>, E>
    where
        E: From<Error>,
    {
        self.read_at(freshness, |connection, _| f(connection)).await
    }

    /// The same for an `f` that wants to know which version it reads.
    ///
    /// # Errors
    /// As [`Engine::read`].
    pub async fn read_at<T, E>(
        &self,
        freshness: Freshness,
        mut f: impl FnMut(&Connection, Version) -> Result<T, E> + Send,
    ) -> Result<Read<T>, E>
    where
        E: From<Error>,
    {
        self.read_by(freshness, |replica| replica.look(&mut f)).await
    }

    /// Reads with `look`.
    pub(crate) async fn read_by<T, E: From<Error>>(
        &self,
        freshness: Freshness,
        mut look: impl FnMut(&Replica) -> Result<Looked<T>, E> + Send,
    ) -> Result<Read<T>, E> {
        if self.must_ask(freshness)
            && self.replica.newest_at_once().is_none()
            && let Some(read) = self
                .read_while_asking(&mut look)
                .instrument(trace::revalidation())
                .await?
        {
            return Ok(read);
        }
        loop {
            match look(&self.replica)? {
                Looked::At(value, version) => return Ok(Read { value, version }),
                Looked::Dirty => self.replica.repair().await?,
            }
        }
    }

    fn must_ask(&self, freshness: Freshness) -> bool {
        match freshness {
            Freshness::Strict => true,
            Freshness::Local => false,
            Freshness::Within { age_ms, at_least } => {
                let have = self.version();
                let unseen = at_least.is_some_and(|seen| seen.epoch != have.epoch || seen.seq > have.seq);
                unseen || self.replica.date_if_younger_than(age_ms).is_none()
            }
        }
    }

    /// Asks the store; where the answer takes its time, reads meanwhile, and keeps that where nothing has changed.
    async fn read_while_asking<T, E: From<Error>>(
        &self,
        look: &mut (impl FnMut(&Replica) -> Result<Looked<T>, E> + Send),
    ) -> Result<Option<Read<T>>, E> {
        let mut asking = pin!(self.replica.ask());
        let at_once = std::future::poll_fn(|context| {
            Poll::Ready(match asking.as_mut().poll(context) {
                Poll::Ready(answer) => Some(answer),
                Poll::Pending => None,
            })
        });
        let (early, asked) = match at_once.await {
            Some(asked) => (None, asked),
            None => (Some(look(&self.replica)), asking.await),
        };
        let span = Span::current();
        let asked = asked.map_err(Error::from).inspect_err(|_| trace::fail(&span))?;
        span.record(
            "bespoke.head.moved",
            !matches!(asked.fetched, Fetched::NotModified { .. }),
        );
        match (asked.fetched, early) {
            (Fetched::NotModified { date_ms }, early) => {
                self.replica.asking.was_newest(asked.began, date_ms);
                // The answer vouches for what was known when it was asked for.
                if let Some(Looked::At(value, version)) = early.transpose()?
                    && version >= asked.known
                {
                    return Ok(Some(Read { value, version }));
                }
            }
            (moved, _) => {
                let absorbed = self.replica.absorb(moved).await;
                let date_ms = absorbed.inspect_err(|_| trace::fail(&span))?;
                self.replica.asking.was_newest(asked.began, date_ms);
            }
        }
        Ok(None)
    }

    /// Runs `f` in a transaction and commits it to the store. It runs SQL only: it may run again, and alone or next to others.
    /// It cannot end the transaction, attach anything, or create temporary tables. What it returns is stored as JSON, at most
    /// [`crate::limits::RESULT_MAX_BYTES`] bytes, and is the answer for ever after under the same `id`. Where it returns an error, or
    /// changes nothing, nothing of it is stored. A panic in it is continued in the caller.
    ///
    /// The write is finished, one way or the other, even where the caller stops waiting.
    ///
    /// # Errors
    /// What `f` returns. [`Error::Unavailable`]: the outcome is unknown; repeating with the same `id` is safe.
    /// [`Error::TooLarge`], [`Error::LeftTransaction`], [`Error::Sqlite`] (a deferred constraint): nothing was written.
    pub async fn write<T, E>(
        &self,
        id: CommitId,
        f: impl Fn(&Connection) -> Result<T, E> + Send + Sync + 'static,
    ) -> Result<Committed<T>, E>
    where
        T: Serialize + DeserializeOwned + Send + 'static,
        E: From<Error> + Send + 'static,
    {
        self.enqueue(id, None, move |seen| f(seen.sqlite()?)).await
    }

    pub(crate) async fn enqueue<T, E>(
        &self,
        id: CommitId,
        schema: Option<SchemaEdit>,
        f: impl Fn(Seen<'_>) -> Result<T, E> + Send + Sync + 'static,
    ) -> Result<Committed<T>, E>
    where
        T: Serialize + DeserializeOwned + Send + 'static,
        E: From<Error> + Send + 'static,
    {
        self.enqueue_with(id, schema, Vec::new(), f).await
    }

    /// The same, with counts that are merged in the commit.
    pub(crate) async fn enqueue_with<T, E>(
        &self,
        id: CommitId,
        schema: Option<SchemaEdit>,
        usage: Vec<Arc<usage::Batch>>,
        f: impl Fn(Seen<'_>) -> Result<T, E> + Send + Sync + 'static,
    ) -> Result<Committed<T>, E>
    where
        T: Serialize + DeserializeOwned + Send + 'static,
        E: From<Error> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let span = trace::commit();
        let limit_us = self.write_deadline_ms.saturating_mul(1_000);
        let deadline_us = self.replica.clock.monotonic_us().saturating_add(limit_us);
        let job = Box::new(TypedJob::new(f, reply));
        let waiting = Waiting {
            id,
            job,
            deadline_us,
            handed_in_ms: self.replica.clock.unix_ms(),
            first_attempt_ms: None,
            schema,
            usage,
            position: Position::new(trace::current(), span.clone()),
        };
        self.queue
            .try_send(Message::Write(Box::new(waiting)))
            .inspect_err(|_| trace::fail(&span))
            .map_err(|error| match error {
                mpsc::error::TrySendError::Full(_) => Error::unavailable("too many writes wait"),
                mpsc::error::TrySendError::Closed(_) => Error::Closed,
            })?;
        match answer.instrument(span).await {
            Ok(Answer::Done(result)) => result,
            Ok(Answer::Panicked(panic)) => std::panic::resume_unwind(panic),
            Err(_) => Err(Error::Closed.into()),
        }
    }

    /// Asks the store whether it answers, and catches up with it.
    ///
    /// # Errors
    /// [`Error::Unavailable`] where it does not answer.
    pub async fn ping(&self) -> Result<Version, Error> {
        self.replica.refresh().instrument(trace::revalidation()).await?;
        Ok(self.version())
    }

    /// The newest version that this process knows.
    #[must_use]
    pub fn version(&self) -> Version {
        self.replica.known.load().version()
    }

    /// Finishes the writes that were queued before, and stops. Clones answer [`Error::Closed`] to writes from then on.
    pub async fn close(self) {
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if self.queue.send(Message::Close).await.is_ok()
            && let Some(writer) = writer
        {
            // A panic of the task has been reported by the runtime.
            let _ = writer.await;
        }
    }
}
