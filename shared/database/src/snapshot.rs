//! A copy of the whole database in a file of its own, as it was at one moment.

use std::path::Path;
use std::sync::Arc;

use bespoke_storage::Error as StorageError;
use rusqlite::{Connection, OpenFlags};

use crate::{Database, Db, Error, Freshness, Result, Vault, Version, guard, installation};

/// Problems that one look at a file lists at most.
const PROBLEMS_MAX: u32 = 100;

/// A copy that was opened, to be read only.
pub struct Snapshot {
    pub(crate) connection: Connection,
    vault: Arc<Vault>,
}

impl Database {
    /// Copies the database as it is now into a file; gives the state that it holds. Fields stay encrypted.
    ///
    /// # Errors
    /// [`Error::Storage`] when it cannot be read or the file not be written.
    pub async fn snapshot(&self, file: &Path) -> Result<Version> {
        let copy = |db: &Db<'_>| {
            // The file moves only between reads, so that this copy is whole.
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
                recent: None,
            })
            .map_err(crate::Caller)
        });
        Ok(read.await.map_err(|crate::Caller(error)| error)?.version)
    }

    /// Opens such a file, with the keys of this process.
    ///
    /// # Errors
    /// [`Error::Sqlite`] when it is none; [`Error::OtherKeys`] when it was made with other keys.
    pub fn open_snapshot(&self, file: &Path) -> Result<Snapshot> {
        Snapshot::open(file, Arc::clone(&self.vault))
    }
}

impl Snapshot {
    /// Opens such a file, without the installation that it was made of.
    ///
    /// # Errors
    /// As [`Database::open_snapshot`].
    pub fn open(file: &Path, vault: Arc<Vault>) -> Result<Self> {
        let connection = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        let snapshot = Self { connection, vault };
        snapshot.read(installation::check)?.ok_or(Error::OtherKeys)?;
        Ok(snapshot)
    }

    /// Makes sure that the copy is not of a database into which a backup was being put back.
    ///
    /// # Errors
    /// [`Error::Incomplete`] if it is.
    pub fn check_complete(&self) -> Result<()> {
        self.read(guard::check_complete)
    }

    /// Reads from it.
    ///
    /// # Errors
    /// What `f` gives.
    pub fn read<T>(&self, f: impl FnOnce(&Db<'_>) -> Result<T>) -> Result<T> {
        f(&Db {
            connection: &self.connection,
            vault: &self.vault,
            recent: None,
        })
    }

    /// What SQLite finds wrong with it: damaged pages and indexes, and rows that refer to what is not there.
    ///
    /// # Errors
    /// [`Error::Sqlite`] when it cannot be read at all.
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
