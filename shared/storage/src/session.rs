//! The one connection that writes, and its write-ahead log: the staging area between a local COMMIT and the store's answer.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use crate::change::Changes;
use crate::environment::Clock;
use crate::error::Error;
use crate::guard::{Deadline, Guard};
use crate::limits::{PAGE_CACHE_KIB, STATEMENTS_CACHED};
use crate::local::LocalCopy;
use crate::reader::keep_plans;

/// An open connection to one generation of the local copy.
pub(crate) struct WriteConnection {
    pub(crate) connection: Connection,
    pub(crate) guard: Arc<Guard>,
    pub(crate) changes: Changes,
    pub(crate) deadline: Deadline,
    generation: u64,
}

/// The writing side of the local copy: at most one connection, reopened whenever the file moved.
pub(crate) struct Session {
    open: Option<WriteConnection>,
    log: PathBuf,
    clock: Arc<dyn Clock>,
}

impl Session {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            open: None,
            log: PathBuf::new(),
            clock,
        }
    }

    /// A connection with an empty log on the present generation.
    pub(crate) fn on(&mut self, local: &LocalCopy) -> Result<&mut WriteConnection, Error> {
        let fits = self
            .open
            .as_ref()
            .is_some_and(|open| open.generation == local.generation);
        if !fits || self.log_bytes() > 0 {
            self.forget()?;
            self.log = log_of(&local.path);
            self.forget()?;
            self.open = Some(WriteConnection::open(&local.path, local.generation, &self.clock)?);
        }
        self.open.as_mut().ok_or(Error::Closed)
    }

    /// Forgets everything that the store has not accepted: the file is exactly what it was.
    pub(crate) fn forget(&mut self) -> Result<(), Error> {
        self.open = None;
        if self.log.as_os_str().is_empty() {
            return Ok(());
        }
        match fs::remove_file(&self.log) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// What the last local COMMIT staged.
    pub(crate) fn log(&self) -> Result<Bytes, Error> {
        Ok(fs::read(&self.log)?.into())
    }

    /// Moves what was staged into the file, and goes on from there without reopening: this connection made the change.
    pub(crate) fn move_log(&mut self, next_generation: u64) -> Result<(), Error> {
        let open = self.open.as_mut().ok_or(Error::Closed)?;
        let (busy, frames, moved): (i64, i64, i64) =
            open.connection
                .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| {
                    Ok((row.get(0)?, row.get(1)?, row.get(2)?))
                })?;
        if busy != 0 || frames != moved {
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
    fn open(path: &Path, generation: u64, clock: &Arc<dyn Clock>) -> Result<Self, Error> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut connection = Connection::open_with_flags(path, flags)?;
        keep_plans(&connection)?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS_CACHED);
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
        connection.execute_batch(&format!(
            "PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0;
             PRAGMA synchronous = OFF; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -{PAGE_CACHE_KIB};"
        ))?;
        let guard = Guard::install(&mut connection)?;
        let changes = Changes::install(&mut connection)?;
        let deadline = Deadline::install(&mut connection, Arc::clone(clock))?;
        Ok(Self {
            connection,
            guard,
            changes,
            deadline,
            generation,
        })
    }
}

fn log_of(path: &Path) -> PathBuf {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    log.into()
}
