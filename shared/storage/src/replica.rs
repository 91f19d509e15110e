//! One process's view of the database: the newest `head` it knows, the local copy, and the lock between readers and patches.

use std::future::Future;
use std::pin::pin;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::task::Poll;

use arc_swap::ArcSwap;
use rusqlite::Connection;

use crate::asking::{Asking, Moment};
use crate::change::OnChange;
use crate::engine::Ablation;
use crate::environment::{Clock, Random};
use crate::error::Error;
use crate::guard::Deadline;
use crate::head::{FullHead, HEAD_KEY, Head};
use crate::limits::{HEAD_TIMEOUT_MS, Tuning};
use crate::local::{Local, LocalCopy};
use crate::reader::Pool;
use crate::store::{ETag, Fetched, Object, ObjectStore, StoreError};
use crate::tasks::Tasks;
use crate::usage::{Frozen, UsageFold};
use crate::version::Version;

/// A `head` and what the store said about it.
#[derive(Debug)]
pub(crate) struct Known {
    pub(crate) head: FullHead,
    pub(crate) etag: ETag,
    /// By the store's clock. Milliseconds since 1970.
    pub(crate) last_modified_ms: u64,
}

impl Known {
    /// # Errors
    /// [`Error::Corrupt`] or [`Error::Unsupported`].
    pub(crate) fn read(object: &Object) -> Result<Arc<Self>, Error> {
        let head = FullHead::decode(&object.body)?;
        Ok(Arc::new(Self {
            head,
            etag: object.etag.clone(),
            last_modified_ms: object.last_modified_ms,
        }))
    }

    pub(crate) fn version(&self) -> Version {
        self.head.json.version()
    }
}

/// What readers, the writer and catching up share.
pub(crate) struct Replica {
    pub(crate) store: Arc<dyn ObjectStore>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Arc<dyn Random>,
    /// Milliseconds.
    pub(crate) read_timeout_ms: u64,
    /// The newest schema that this code knows.
    pub(crate) code_version: u32,
    pub(crate) ablation: Option<Ablation>,
    pub(crate) pool: Pool,
    /// Never ahead of the local copy, unless that is dirty.
    pub(crate) known: ArcSwap<Known>,
    local: RwLock<LocalCopy>,
    /// One catch-up at a time.
    pub(crate) catching_up: tokio::sync::Mutex<()>,
    /// One change of `head` at a time: writes and maintenance take turns, where else they would lose against each other.
    pub(crate) changing: tokio::sync::Mutex<()>,
    /// One compaction at a time.
    pub(crate) compacting: Arc<tokio::sync::Mutex<()>>,
    /// Whether compactions begin beside writes.
    pub(crate) compacts_by_itself: AtomicBool,
    pub(crate) tasks: Tasks,
    pub(crate) tuning: Tuning,
    pub(crate) usage_fold: Option<UsageFold>,
    pub(crate) on_change: Option<OnChange>,
    pub(crate) asking: Asking,
    /// Counts that this process has frozen.
    pub(crate) frozen: Frozen,
    /// Last, so that the connections are gone before the folder is.
    pub(crate) place: Box<dyn Local>,
}

/// What a replica is made of.
pub(crate) struct Parts {
    pub(crate) store: Arc<dyn ObjectStore>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Arc<dyn Random>,
    pub(crate) read_timeout_ms: u64,
    pub(crate) code_version: u32,
    pub(crate) local: Box<dyn Local>,
    pub(crate) tasks: Tasks,
    pub(crate) tuning: Tuning,
    pub(crate) ablation: Option<Ablation>,
    pub(crate) usage_fold: Option<UsageFold>,
    pub(crate) on_change: Option<OnChange>,
}

/// A read that found its copy of the database.
pub(crate) enum Looked<T> {
    /// What the closure returned, and what it saw.
    At(T, Version),
    /// The copy is dirty; fetch it anew and look again.
    Dirty,
}

impl Replica {
    /// A replica that knows `head` and has no copy yet.
    pub(crate) fn new(parts: Parts, known: Arc<Known>) -> Arc<Self> {
        let Parts {
            store,
            clock,
            random,
            read_timeout_ms,
            code_version,
            local,
            tasks,
            tuning,
            ablation,
            usage_fold,
            on_change,
        } = parts;
        Arc::new(Self {
            store,
            clock,
            random,
            read_timeout_ms,
            code_version,
            ablation,
            pool: Pool::default(),
            known: ArcSwap::new(known),
            local: RwLock::new(LocalCopy::none()),
            catching_up: tokio::sync::Mutex::new(()),
            changing: tokio::sync::Mutex::new(()),
            compacting: Arc::default(),
            compacts_by_itself: AtomicBool::new(false),
            tasks,
            tuning,
            usage_fold,
            on_change,
            asking: Asking::default(),
            frozen: Frozen::default(),
            place: local,
        })
    }

    /// The local copy, while nobody patches it. A panic while patching leaves it marked dirty, so poison says nothing new.
    pub(crate) fn local(&self) -> RwLockReadGuard<'_, LocalCopy> {
        self.local.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The local copy, while nobody reads it. Blocks until the reads under way are done; never on an async worker.
    pub(crate) fn local_mut(&self) -> RwLockWriteGuard<'_, LocalCopy> {
        self.local.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes note of a `head`, unless a newer one is known.
    pub(crate) fn publish(&self, known: &Arc<Known>) {
        self.known.rcu(|current| {
            let newer = known.version() >= current.version();
            Arc::clone(if newer { known } else { current })
        });
    }

    /// Asks for `head` in the time a call to it may take.
    pub(crate) async fn get_head(&self, if_none_match: Option<&ETag>) -> Result<Fetched, StoreError> {
        within(&*self.clock, HEAD_TIMEOUT_MS, self.store.get(HEAD_KEY, if_none_match)).await
    }

    /// The store's clock, where the store knows at once that the newest `head` is the one that is known here. Milliseconds since 1970.
    pub(crate) fn newest_at_once(&self) -> Option<u64> {
        self.store.is_still(HEAD_KEY, &self.known.load().etag)
    }

    /// Is at the newest `head` when it returns; returns the store's clock. Milliseconds since 1970.
    pub(crate) async fn refresh(self: &Arc<Self>) -> Result<u64, Error> {
        let asked = Moment::now(&*self.clock);
        let date_ms = match self.newest_at_once() {
            Some(date_ms) => date_ms,
            None => {
                let known = self.known.load_full();
                let fetched = self.get_head(Some(&known.etag)).await?;
                self.absorb(fetched).await?
            }
        };
        self.asking.was_newest(asked, date_ms);
        if self.local().is_lost() {
            self.repair().await?;
        }
        Ok(date_ms)
    }

    /// Refuses a database that this code is too old to read.
    pub(crate) fn check_readable(&self, head: &FullHead) -> Result<(), Error> {
        let (needed, known) = (head.json.min_reader, self.code_version);
        if needed > known {
            return Err(Error::Unsupported(format!(
                "it is read from schema {needed} on, this code knows {known}"
            )));
        }
        if head.json.database != self.known.load().head.json.database {
            return Err(Error::Refused(
                "the store holds another database than before: restart the process".to_owned(),
            ));
        }
        Ok(())
    }

    /// Refuses a database that this code is too old to write.
    pub(crate) fn check_writable(&self, head: &Head) -> Result<(), Error> {
        if head.min_writer > self.code_version {
            return Err(Error::Unsupported(format!(
                "it is written from schema {} on, this code knows {}",
                head.min_writer, self.code_version
            )));
        }
        Ok(())
    }

    /// Runs `closure` on the local copy, bounded in time.
    pub(crate) fn look<T, E: From<Error>>(
        &self,
        closure: &mut impl FnMut(&Connection, Version) -> Result<T, E>,
    ) -> Result<Looked<T>, E> {
        let local = self.local();
        if local.dirty {
            return Ok(Looked::Dirty);
        }
        let reader = match self.pool.take(&local.path, &self.clock) {
            Ok(reader) => reader,
            Err(_) if local.is_lost() => return Ok(Looked::Dirty),
            Err(error) => return Err(Error::from(error).into()),
        };
        self.set_deadline(&reader.deadline);
        let result = closure(&reader.connection, local.version);
        let stopped = reader.deadline.passed();
        self.pool.give_back(reader);
        if stopped {
            return Err(Error::ReadTimeout {
                limit_ms: self.read_timeout_ms,
            }
            .into());
        }
        result.map(|value| Looked::At(value, local.version))
    }

    /// The bytes of the local copy.
    pub(crate) fn look_at_bytes(&self) -> Result<Looked<Vec<u8>>, Error> {
        let local = self.local();
        if local.dirty {
            return Ok(Looked::Dirty);
        }
        let bytes = local.bytes(self.known.load().head.json.page_size)?;
        Ok(Looked::At(bytes, local.version))
    }

    fn set_deadline(&self, deadline: &Deadline) {
        deadline.set(
            self.clock
                .monotonic_us()
                .saturating_add(self.read_timeout_ms.saturating_mul(1_000)),
        );
    }
}

/// Waits for `work`, but not longer than `limit_ms`: then the outcome is unknown. Work that is done at once costs no timer.
pub(crate) async fn within<T>(
    clock: &dyn Clock,
    limit_ms: u64,
    work: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    let mut work = pin!(work);
    let mut timer = None;
    std::future::poll_fn(|context| {
        if let Poll::Ready(result) = work.as_mut().poll(context) {
            return Poll::Ready(result);
        }
        let timer = timer.get_or_insert_with(|| clock.sleep(limit_ms));
        match timer.as_mut().poll(context) {
            Poll::Ready(()) => Poll::Ready(Err(StoreError::Unknown(format!("no answer within {limit_ms} ms")))),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}
