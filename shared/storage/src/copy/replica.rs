//! The [`Replica`]: the local copy of the database, and the newest known `head`. The readers, the writer and the syncs of
//! a process share it.

use std::io;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use arc_swap::{ArcSwap, Guard};
use rusqlite::Connection;

use crate::clock::StorageClock;
use crate::copy::backend::CopyBackend;
use crate::copy::deadline::Deadline;
use crate::copy::file_builder::FileBuilder;
use crate::copy::known_head::KnownHead;
use crate::copy::local_copy::LocalCopy;
use crate::copy::readers::ReaderPool;
use crate::error::Error;
use crate::format::delta::Delta;
use crate::version::Version;

/// The result of a read that did not fail.
pub(crate) enum ReadAttempt<T> {
    /// The value, and the version that was read.
    Read(T, Version),
    /// The copy is dirty. It must be replaced before the next attempt.
    Dirty,
}

/// The local copy of one process, shared by its readers, its writer and its syncs.
pub(crate) struct Replica {
    readers: ReaderPool,
    /// The newest known `head`. The copy is at least as new, because `head` is published after the copy has changed.
    /// Only a dirty copy may be older.
    head: ArcSwap<KnownHead>,
    copy: RwLock<LocalCopy>,
    clock: Arc<dyn StorageClock>,
    /// Milliseconds.
    read_timeout_ms: u64,
    /// Declared last, so that the connections are closed before the folder is removed.
    backend: Box<dyn CopyBackend>,
}

impl Replica {
    /// Creates a replica without a copy, at `head`.
    pub(crate) fn new(
        backend: Box<dyn CopyBackend>,
        head: Arc<KnownHead>,
        clock: Arc<dyn StorageClock>,
        read_timeout_ms: u64,
    ) -> Self {
        Self {
            readers: ReaderPool::default(),
            head: ArcSwap::new(head),
            copy: RwLock::new(LocalCopy::empty()),
            clock,
            read_timeout_ms,
            backend,
        }
    }

    /// Borrows the newest known `head` for a short time.
    pub(crate) fn head(&self) -> Guard<Arc<KnownHead>> {
        self.head.load()
    }

    /// Returns the newest known `head`.
    pub(crate) fn head_arc(&self) -> Arc<KnownHead> {
        self.head.load_full()
    }

    pub(crate) fn version(&self) -> Version {
        self.head.load().version()
    }

    /// Sets the known `head`, unless a newer one is known already.
    pub(crate) fn publish(&self, head: &Arc<KnownHead>) {
        self.head.rcu(|current| {
            let is_current = head.version() >= current.version();
            Arc::clone(if is_current { head } else { current })
        });
    }

    /// Locks the copy for reading. A poisoned lock needs no treatment, because a panic during a change leaves the copy
    /// dirty.
    pub(crate) fn copy(&self) -> RwLockReadGuard<'_, LocalCopy> {
        self.copy.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Locks the copy for a change. It blocks until the current reads have ended, so it must not run on an async
    /// worker.
    pub(crate) fn copy_mut(&self) -> RwLockWriteGuard<'_, LocalCopy> {
        self.copy.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Closes the idle read connections. It must be called before the file changes.
    pub(crate) fn close_readers(&self) {
        self.readers.clear();
    }

    /// Creates an empty database file next to the copy.
    pub(crate) fn create_file(&self, page_size: u32) -> io::Result<FileBuilder> {
        FileBuilder::create(&*self.backend, page_size)
    }

    /// Runs `closure` on the local copy, for at most the read timeout.
    pub(crate) fn read<T, E: From<Error>>(
        &self,
        closure: &mut impl FnMut(&Connection, Version) -> Result<T, E>,
    ) -> Result<ReadAttempt<T>, E> {
        let copy = self.copy();
        if copy.dirty {
            return Ok(ReadAttempt::Dirty);
        }
        let reader = match self.readers.take(&copy.path, &self.clock) {
            Ok(reader) => reader,
            Err(_) if copy.is_lost() => return Ok(ReadAttempt::Dirty),
            Err(error) => return Err(Error::from(error).into()),
        };
        self.set_deadline(&reader.deadline);
        let result = closure(&reader.connection, copy.version);
        let was_stopped = reader.deadline.has_stopped();
        self.readers.give_back(reader);
        if was_stopped {
            return Err(Error::ReadTimeout {
                limit_ms: self.read_timeout_ms,
            }
            .into());
        }
        result.map(|value| ReadAttempt::Read(value, copy.version))
    }

    /// Reads the complete database file. Only for simulations.
    pub(crate) fn read_bytes(&self) -> Result<ReadAttempt<Vec<u8>>, Error> {
        let copy = self.copy();
        if copy.dirty {
            return Ok(ReadAttempt::Dirty);
        }
        let bytes = copy.bytes(self.head.load().head.json.page_size)?;
        Ok(ReadAttempt::Read(bytes, copy.version))
    }

    /// Applies `deltas` to the copy if it is at `from`, so that it reaches `target`. Blocks.
    ///
    /// Returns `false` if the copy is dirty or has changed meanwhile, or if the result does not match `target`. After a
    /// mismatch the copy is dirty.
    pub(crate) fn apply(&self, deltas: Vec<Delta>, from: Version, target: &Arc<KnownHead>) -> io::Result<bool> {
        let mut copy = self.copy_mut();
        if copy.dirty || copy.version != from {
            return Ok(false);
        }
        self.close_readers();
        if let Some(delta) = Delta::merge(deltas) {
            copy.apply(&delta)?;
        }
        if !copy.matches(target.head.json.page_count, target.head.json.checksum) {
            tracing::warn!(version = %target.version(), "the local copy does not match `head`; it will be replaced");
            copy.dirty = true;
            return Ok(false);
        }
        copy.version = target.version();
        self.publish(target);
        Ok(true)
    }

    /// Replaces the copy with `file`, which contains `target` and has the checksum `sum`. Blocks.
    ///
    /// Returns `true` if the copy is now at `target`, or was clean and newer already. Returns `false` if the copy is
    /// older than the known `head`, and `target` is, too: commits advance `head` but not a dirty copy, so `file` lacks
    /// them.
    pub(crate) fn replace(&self, file: FileBuilder, sum: u64, target: &Arc<KnownHead>) -> bool {
        let mut copy = self.copy_mut();
        if !copy.dirty && copy.version > target.version() {
            return true;
        }
        if self.version() > target.version() {
            return false;
        }
        self.close_readers();
        copy.replace(file, target.version(), sum);
        self.publish(target);
        true
    }

    /// Removes the file of a dirty copy, so that the new file does not need additional disk space. Blocks.
    pub(crate) fn remove_dirty_file(&self) {
        let mut copy = self.copy_mut();
        if copy.dirty {
            self.close_readers();
            copy.remove_file();
        }
    }

    fn set_deadline(&self, deadline: &Deadline) {
        deadline.set(
            self.clock
                .monotonic_us()
                .saturating_add(self.read_timeout_ms.saturating_mul(1_000)),
        );
    }
}
