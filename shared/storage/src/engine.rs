//! [`Engine`]: the public API: open, read, write, maintain.
//!
//! [`Engine::open`] gets or creates `head`, lets `parts` create all parts, and applies missing migrations. The methods
//! only delegate: reads to `sync::reads`, writes to `commit::queue`, background jobs and restores to `maintenance`.

mod create;
mod maintenance;
pub(crate) mod options;
mod parts;
mod probe;
mod startup;

use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::oneshot;
use tracing::Instrument as _;

use crate::commit::queue::WriteQueue;
use crate::commit::staging::NewStaging;
use crate::commit::write::{CommitId, Committed, WriteTarget};
use crate::copy::backend::{CopyBackend, SqliteBackend};
use crate::copy::folder::LocalFolder;
use crate::copy::known_head::KnownHead;
use crate::copy::replica::{ReadAttempt, Replica};
use crate::copy::write_session::WriteSession;
use crate::engine::create::Creator;
use crate::engine::options::{Migration, Options};
use crate::engine::parts::{Parts, ReadParts};
use crate::engine::startup::StartRetry;
use crate::error::Error;
use crate::format::head::SchemaEdit;
use crate::limits::Tuning;
use crate::store::{Bucket, ObjectStore};
use crate::sync::reads::{Freshness, Read};
use crate::sync::synchronizer::Synchronizer;
use crate::tasks::Tasks;
use crate::trace;
use crate::version::Version;

/// A SQLite database in an object store. Clones refer to the same engine.
///
/// When the last clone is dropped, queued writes are still committed as long as the runtime lives, and the local copy
/// is removed.
#[derive(Clone)]
pub struct Engine {
    parts: Arc<Parts>,
    queue: WriteQueue,
    /// Resolves when the writer has ended.
    writer_ended: Arc<Mutex<Option<oneshot::Receiver<()>>>>,
}

/// The environment of an engine that a simulation replaces.
pub(crate) struct Environment {
    pub(crate) backend: Box<dyn CopyBackend>,
    pub(crate) new_staging: NewStaging,
    pub(crate) tasks: Tasks,
    pub(crate) tuning: Tuning,
}

impl Environment {
    /// SQLite files in a new folder below `options.local_dir`.
    pub(crate) fn sqlite(options: &Options, tasks: Tasks, tuning: Tuning) -> Result<Self, Error> {
        let folder = LocalFolder::claim(&options.local_dir, &*options.random)?;
        let clock = Arc::clone(&options.clock);
        Ok(Self {
            backend: Box::new(SqliteBackend::new(folder)),
            new_staging: Box::new(move || Box::new(WriteSession::new(Arc::clone(&clock)))),
            tasks,
            tuning,
        })
    }
}

impl Engine {
    /// Opens the database in `store`. Creates it if the store is empty, fetches it, and applies missing migrations.
    ///
    /// This needs a tokio runtime with its timer enabled, and uses that runtime for background tasks. If the store does
    /// not respond, it retries for [`START_PATIENCE_MS`](crate::limits::START_PATIENCE_MS).
    ///
    /// # Errors
    /// [`Error::Unsupported`] if this code is too old, [`Error::Refused`] or [`Error::Corrupt`] if the content of the
    /// store is not a database, and the errors of [`Engine::write`] for a migration.
    pub async fn open(store: Arc<dyn ObjectStore>, options: Options) -> Result<Self, Error> {
        if !options.migrations.is_sorted_by(|one, next| one.version < next.version) {
            return Err(Error::Refused(
                "migrations must be in the order of their versions".to_owned(),
            ));
        }
        let environment = Environment::sqlite(&options, Tasks::Tokio, Tuning::default())?;
        Self::open_in(store, options, environment).await
    }

    /// Opens the database in another environment.
    pub(crate) async fn open_in(
        store: Arc<dyn ObjectStore>,
        options: Options,
        environment: Environment,
    ) -> Result<Self, Error> {
        let bucket = Arc::new(Bucket::new(
            store,
            Arc::clone(&options.clock),
            Arc::clone(&options.random),
        ));
        let mut retry = StartRetry::new(Arc::clone(&bucket));
        let creator = Creator {
            bucket: &bucket,
            backend: &*environment.backend,
            page_size: options.page_size,
            probes_store: !environment.tasks.is_simulated(),
        };
        let head = loop {
            match creator.get_or_create_head().await {
                Err(error) if retry.after(&error).await => {}
                head => break head?,
            }
        };
        let migrations = options.migrations;
        let engine = Self::start(bucket, options, environment, Arc::clone(&head), &mut retry).await?;
        for migration in migrations {
            while let Err(error) = engine.migrate(migration).await {
                if !retry.after(&error).await {
                    return Err(error);
                }
            }
        }
        Ok(engine)
    }

    /// Creates the parts, fetches the database and starts the writer.
    async fn start(
        bucket: Arc<Bucket>,
        options: Options,
        environment: Environment,
        head: Arc<KnownHead>,
        retry: &mut StartRetry,
    ) -> Result<Self, Error> {
        let Environment {
            backend,
            new_staging,
            tasks,
            tuning,
        } = environment;
        let reading = ReadParts::new(bucket, backend, Arc::clone(&head), &options, tasks.clone(), tuning);
        while let Err(error) = reading.sync.sync_to(Arc::clone(&head)).await {
            if !retry.after(&error).await {
                return Err(error);
            }
        }
        let (parts, queue, writer) = Parts::new(reading, options, new_staging, tasks.clone(), tuning);
        let (ended, writer_ended) = oneshot::channel();
        tasks.spawn(Box::pin(async move {
            writer.await;
            // The receiver may have been dropped.
            let _ = ended.send(());
        }));
        Ok(Self {
            parts: Arc::new(parts),
            queue,
            writer_ended: Arc::new(Mutex::new(Some(writer_ended))),
        })
    }

    async fn migrate(&self, migration: &'static Migration) -> Result<(), Error> {
        let Migration {
            version,
            sql,
            min_reader,
            min_writer,
        } = *migration;
        if self.parts.replica.head().head.json.schema >= version {
            return Ok(());
        }
        let edit = SchemaEdit {
            schema: version,
            min_reader,
            min_writer,
        };
        let id = CommitId::new(format!("schema:{version}"))?;
        self.queue
            .write(id, Some(edit), Vec::new(), move |target| {
                target.sqlite()?.execute_batch(sql).map_err(Error::from)
            })
            .await?;
        Ok(())
    }

    /// Reads with `f`, which runs on the thread of the caller.
    ///
    /// `f` may run several times, so it must only read. It is stopped after [`Options::read_timeout_ms`]. No write of
    /// this process becomes visible while it runs, so it must not wait for a client. `prepare_cached` is the best way
    /// to prepare its statements, because the connections are reused until the database changes.
    ///
    /// # Errors
    /// The error of `f`, [`Error::Unavailable`] if the store does not respond, or [`Error::ReadTimeout`].
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

    /// Reads like [`Engine::read`]. `f` also gets the version of the database that it reads.
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
        self.read_with(freshness, |replica| replica.read(&mut f)).await
    }

    /// Reads with `attempt`, which gets the replica instead of a connection.
    pub(crate) async fn read_with<T, E: From<Error>>(
        &self,
        freshness: Freshness,
        attempt: impl FnMut(&Replica) -> Result<ReadAttempt<T>, E> + Send,
    ) -> Result<Read<T>, E> {
        self.parts.reads.read(freshness, attempt).await
    }

    /// Runs `f` in a transaction and commits it to the store.
    ///
    /// `f` must only execute SQL, because it may run several times, alone or in one transaction with other writes. It
    /// cannot end the transaction, attach a database, or create temporary tables. The value that it returns is recorded
    /// as JSON of at most [`crate::limits::RESULT_MAX_BYTES`] bytes, and a later write with the same `id` returns it
    /// without running `f` again. If `f` returns an error or changes nothing, nothing is committed. A panic in `f`
    /// continues in the caller.
    ///
    /// The write is committed or rejected even if the caller stops waiting.
    ///
    /// # Errors
    /// The error of `f`. [`Error::Unavailable`] if the outcome is unknown; repeating the write with the same `id` is
    /// safe. [`Error::TooLarge`], [`Error::LeftTransaction`] or [`Error::Sqlite`] (a deferred constraint) if nothing
    /// was written.
    pub async fn write<T, E>(
        &self,
        id: CommitId,
        f: impl Fn(&Connection) -> Result<T, E> + Send + Sync + 'static,
    ) -> Result<Committed<T>, E>
    where
        T: Serialize + DeserializeOwned + Send + 'static,
        E: From<Error> + Send + 'static,
    {
        self.write_to(id, move |target| f(target.sqlite()?)).await
    }

    /// Writes like [`Engine::write`] with an `f` that also supports the model of a simulation.
    pub(crate) async fn write_to<T, E>(
        &self,
        id: CommitId,
        f: impl Fn(WriteTarget<'_>) -> Result<T, E> + Send + Sync + 'static,
    ) -> Result<Committed<T>, E>
    where
        T: Serialize + DeserializeOwned + Send + 'static,
        E: From<Error> + Send + 'static,
    {
        self.queue.write(id, None, Vec::new(), f).await
    }

    /// Revalidates `head`, and brings the local copy to the current `head`.
    ///
    /// # Errors
    /// [`Error::Unavailable`] if the store does not respond.
    pub async fn ping(&self) -> Result<Version, Error> {
        self.parts.sync.refresh().instrument(trace::revalidation()).await?;
        Ok(self.version())
    }

    /// Returns the newest version that this process knows.
    #[must_use]
    pub fn version(&self) -> Version {
        self.parts.replica.version()
    }

    /// Commits the writes that were queued before, and stops the writer. Later writes of other clones return
    /// [`Error::Closed`].
    pub async fn close(self) {
        let ended = self.writer_ended.lock().unwrap_or_else(PoisonError::into_inner).take();
        if self.queue.close().await
            && let Some(ended) = ended
        {
            // The runtime has reported a panic of the writer already.
            let _ = ended.await;
        }
    }

    pub(crate) fn sync(&self) -> &Arc<Synchronizer> {
        &self.parts.sync
    }

    #[cfg(test)]
    pub(crate) fn replica(&self) -> &Arc<Replica> {
        &self.parts.replica
    }
}
