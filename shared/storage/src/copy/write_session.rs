//! [`WriteSession`]: the write connection, and SQLite's write-ahead log.
//!
//! The log is the staging area: a local COMMIT leaves its pages in the log. If the store accepts the commit, a
//! checkpoint moves them into the file. Otherwise the log is deleted.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use crate::clock::StorageClock;
use crate::copy::authorizer::WriteAuthorizer;
use crate::copy::deadline::Deadline;
use crate::copy::local_copy::LocalCopy;
use crate::copy::readers::enable_stable_plans;
use crate::copy::row_changes::ChangeRecorder;
use crate::error::Error;
use crate::limits::{PAGE_CACHE_KIB, STATEMENTS_CACHED};

/// An open connection to one generation of the local copy.
pub(crate) struct WriteConnection {
    pub(crate) connection: Connection,
    pub(crate) authorizer: Arc<WriteAuthorizer>,
    pub(crate) changes: ChangeRecorder,
    pub(crate) deadline: Deadline,
    generation: u64,
}

/// At most one write connection to the local copy. It is reopened if anything else has changed the file.
pub(crate) struct WriteSession {
    open: Option<WriteConnection>,
    log: PathBuf,
    clock: Arc<dyn StorageClock>,
}

impl WriteSession {
    pub(crate) fn new(clock: Arc<dyn StorageClock>) -> Self {
        Self {
            open: None,
            log: PathBuf::new(),
            clock,
        }
    }

    /// Returns a connection to the current generation, with an empty log.
    pub(crate) fn connect(&mut self, local: &LocalCopy) -> Result<&mut WriteConnection, Error> {
        let is_current = self
            .open
            .as_ref()
            .is_some_and(|open| open.generation == local.generation);
        if !is_current || self.log_bytes() > 0 {
            // Both the log of the previous file and a log next to the new one are deleted.
            self.discard()?;
            self.log = log_path(&local.path);
            self.discard()?;
            self.open = Some(WriteConnection::open(&local.path, local.generation, &self.clock)?);
        }
        self.open.as_mut().ok_or(Error::Closed)
    }

    /// Closes the connection and deletes the log. The file itself is unchanged.
    pub(crate) fn discard(&mut self) -> Result<(), Error> {
        self.open = None;
        if self.log.as_os_str().is_empty() {
            return Ok(());
        }
        match fs::remove_file(&self.log) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// Reads the log.
    pub(crate) fn read_log(&self) -> Result<Bytes, Error> {
        Ok(fs::read(&self.log)?.into())
    }

    /// Moves the log into the file. The connection stays open, because it made the change itself.
    pub(crate) fn checkpoint(&mut self, next_generation: u64) -> Result<(), Error> {
        let open = self.open.as_mut().ok_or(Error::Closed)?;
        let (busy, frames, moved_frames): (i64, i64, i64) =
            open.connection
                .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| {
                    Ok((row.get(0)?, row.get(1)?, row.get(2)?))
                })?;
        if busy != 0 || frames != moved_frames {
            return Err(std::io::Error::other("the checkpoint did not finish").into());
        }
        open.generation = next_generation;
        Ok(())
    }

    fn log_bytes(&self) -> u64 {
        fs::metadata(&self.log).map_or(0, |data| data.len())
    }
}

impl WriteConnection {
    fn open(path: &Path, generation: u64, clock: &Arc<dyn StorageClock>) -> Result<Self, Error> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut connection = Connection::open_with_flags(path, flags)?;
        enable_stable_plans(&connection)?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS_CACHED);
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
        connection.execute_batch(&format!(
            "PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0;
             PRAGMA synchronous = OFF; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -{PAGE_CACHE_KIB};"
        ))?;
        let authorizer = WriteAuthorizer::install(&mut connection)?;
        let changes = ChangeRecorder::install(&mut connection)?;
        let deadline = Deadline::install(&mut connection, Arc::clone(clock))?;
        Ok(Self {
            connection,
            authorizer,
            changes,
            deadline,
            generation,
        })
    }
}

fn log_path(path: &Path) -> PathBuf {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    log.into()
}
