//! [`DatabaseCopy`]: a copy of the complete database in a file, as of one moment.

use std::path::Path;
use std::sync::Arc;

use rusqlite::{Connection, OpenFlags};

use super::restore::{self, Rows};
use crate::connection::{Db, Vault};
use crate::error::{Error, Result};
use crate::keys::installation;

/// The maximum number of problems that one check of a file lists.
const PROBLEMS_MAX: u32 = 100;

/// A copy that was opened for reading.
pub struct DatabaseCopy {
    connection: Connection,
    vault: Arc<Vault>,
}

impl DatabaseCopy {
    /// Opens a copy without an installation.
    ///
    /// # Errors
    /// As [`crate::Database::open_copy`].
    pub fn open(file: &Path, vault: Arc<Vault>) -> Result<Self> {
        let connection = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        let copy = Self { connection, vault };
        copy.read(installation::check)?.ok_or(Error::OtherKeys)?;
        Ok(copy)
    }

    /// Checks that the copy was not made while a backup was being restored.
    ///
    /// # Errors
    /// [`Error::Incomplete`] if it was.
    pub fn check_complete(&self) -> Result<()> {
        self.read(restore::check_complete)
    }

    /// Reads from the copy.
    ///
    /// # Errors
    /// The errors of `f`.
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

impl DatabaseCopy {
    /// Returns the names of the tables to restore. A table follows those that it refers to.
    ///
    /// # Errors
    /// [`Error::Sqlite`] when it cannot be read.
    pub fn tables(&self) -> Result<Vec<String>> {
        restore::tables(&self.connection)
    }

    /// Returns at most `limit` rows of a table after the first `offset` rows. The order is stable, because the file does
    /// not change.
    ///
    /// # Errors
    /// [`Error::Sqlite`] when they cannot be read.
    pub fn rows(&self, table: &str, offset: i64, limit: usize) -> Result<Rows> {
        let sql = format!("SELECT * FROM {table} LIMIT {limit} OFFSET {offset}");
        let mut statement = self.connection.prepare_cached(&sql)?;
        let columns: Vec<_> = statement.column_names().map(str::to_owned).collect();
        let rows = statement.query_map([], |row| (0..columns.len()).map(|at| row.get(at)).collect())?;
        Ok(Rows {
            table: table.to_owned(),
            offset,
            rows: rows.collect::<rusqlite::Result<_>>()?,
            columns,
        })
    }

    /// Returns the number of rows of all these tables.
    ///
    /// # Errors
    /// [`Error::Sqlite`] when it cannot be read.
    pub fn count(&self) -> Result<u64> {
        let mut count = 0;
        for table in self.tables()? {
            let sql = format!("SELECT COUNT(*) FROM {table}");
            count += self
                .connection
                .query_row(&sql, [], |row| row.get::<_, i64>(0))?
                .unsigned_abs();
        }
        Ok(count)
    }

    /// Returns the highest integer id that was assigned, by table.
    ///
    /// # Errors
    /// [`Error::Sqlite`] when it cannot be read.
    pub fn counters(&self) -> Result<Vec<(String, i64)>> {
        let mut statement = self.connection.prepare("SELECT name, seq FROM sqlite_sequence")?;
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }
}
