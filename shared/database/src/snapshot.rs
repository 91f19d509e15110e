//! Copies of the complete database in a file, as of one moment.

use std::path::Path;
use std::sync::Arc;

use bespoke_storage::Error as StorageError;
use rusqlite::{Connection, OpenFlags};

use crate::{Database, Db, Error, Freshness, Result, Vault, Version, guard, installation};

/// The maximum number of problems that one check of a file lists.
const PROBLEMS_MAX: u32 = 100;

/// A copy that was opened for reading.
pub struct Snapshot {
    pub(crate) connection: Connection,
    vault: Arc<Vault>,
}

impl Database {
    /// Copies the current database into a file. Returns the version of the copy. Fields stay encrypted.
    ///
    /// # Errors
    /// [`Error::Storage`] when the database cannot be read or the file cannot be written.
    pub async fn snapshot(&self, file: &Path) -> Result<Version> {
        let copy = |db: &Db<'_>| {
            // The local copy changes only between reads, so this copy is consistent.
            let local = db.connection.path().unwrap_or_default();
            std::fs::copy(local, file)
                .map(drop)
                .map_err(|error| Error::Storage(StorageError::Local(error)))
        };
        let vault = &*self.vault;
        let read = self.engine.read(Freshness::Strict, |connection| {
            copy(&Db {
                connection,
                vault,
                read_cache: None,
            })
            .map_err(crate::Caller)
        });
        Ok(read.await.map_err(|crate::Caller(error)| error)?.version)
    }

    /// Opens a copy with the keys of this process.
    ///
    /// # Errors
    /// [`Error::Sqlite`] when the file is not a database; [`Error::OtherKeys`] when it was created with other keys.
    pub fn open_snapshot(&self, file: &Path) -> Result<Snapshot> {
        Snapshot::open(file, Arc::clone(&self.vault))
    }
}

impl Snapshot {
    /// Opens a copy without an installation.
    ///
    /// # Errors
    /// As [`Database::open_snapshot`].
    pub fn open(file: &Path, vault: Arc<Vault>) -> Result<Self> {
        let connection = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        let snapshot = Self { connection, vault };
        snapshot.read(installation::check)?.ok_or(Error::OtherKeys)?;
        Ok(snapshot)
    }

    /// Checks that the copy was not made while a backup was being restored.
    ///
    /// # Errors
    /// [`Error::Incomplete`] if it is.
    pub fn check_complete(&self) -> Result<()> {
        self.read(guard::check_complete)
    }

    /// Reads from the copy.
    ///
    /// # Errors
    /// Those of `f`.
    pub fn read<T>(&self, f: impl FnOnce(&Db<'_>) -> Result<T>) -> Result<T> {
        f(&Db {
            connection: &self.connection,
            vault: &self.vault,
            read_cache: None,
        })
    }

    /// Returns the problems that SQLite finds: damaged pages and indexes, and dangling references.
    ///
    /// # Errors
    /// [`Error::Sqlite`] when the file cannot be read at all.
    pub fn problems(&self) -> Result<Vec<String>> {
        let mut statement = self
            .connection
            .prepare(&format!("PRAGMA integrity_check({PROBLEMS_MAX})"))?;
        let rows = statement.query_map([], |row| row.get::<_, String>(0))?;
        let mut problems = rows.collect::<rusqlite::Result<Vec<_>>>()?;
        problems.retain(|problem| problem != "ok");
        let mut statement = self.connection.prepare("PRAGMA foreign_key_check")?;
        let rows = statement.query_map([], |row| {
            let (table, row, parent): (String, Option<i64>, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
            Ok(format!(
                "row {} of {table} refers to nothing in {parent}",
                row.unwrap_or_default()
            ))
        })?;
        for problem in rows.take(PROBLEMS_MAX as usize) {
            problems.push(problem?);
        }
        Ok(problems)
    }
}
