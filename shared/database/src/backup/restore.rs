//! Restores the rows of a database copy ([`Rows`]) into a new installation, table by table, in any number of commits ([`begin`],
//! [`store`], [`finish`]). Each commit records its progress, so that an interrupted restore can continue.

use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};

use crate::connection::Db;
use crate::content::seeds;
use crate::error::{Error, Result};

/// Tables that are not restored: those of SQLite and of the engine, the mark of the keys in use, the progress of the
/// restore, and the counts that triggers rebuild.
const NOT_RESTORED: &str = "name LIKE 'sqlite\\_%' ESCAPE '\\' OR name LIKE '\\_%' ESCAPE '\\' OR name IN ('installation', 'refills', 'account_storage')";

/// The tables of attempts. They are emptied before a restore, and then get the rows of the backup.
const ATTEMPT_TABLES: [&str; 2] = ["failed_signins", "strangers_mails"];

/// Consecutive rows of one table.
pub struct Rows {
    /// Name of the table.
    pub table: String,
    /// Number of rows of the table before these.
    pub offset: i64,
    pub(super) columns: Vec<String>,
    pub(super) rows: Vec<Vec<Value>>,
}

impl Rows {
    /// Number of rows.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Returns whether there are no rows, because the end of the table was reached.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}

/// Returns the restore that was begun, if any: SHA-256 of its file, the current table, and the number of its restored
/// rows.
///
/// # Errors
/// [`crate::Error`] when the row cannot be read.
pub fn begun(db: &Db<'_>) -> Result<Option<([u8; 32], String, i64)>> {
    db.first("SELECT source, name, rows FROM refills WHERE id = 1", [], |_, row| {
        Ok((row.take()?, row.take()?, row.take()?))
    })
}

/// Returns whether a restore was begun.
pub(crate) fn is_begun(connection: &Connection) -> rusqlite::Result<bool> {
    connection
        .prepare_cached("SELECT 1 FROM refills WHERE id = 1")?
        .exists([])
}

/// Checks that no restore of a backup is in progress or was interrupted.
///
/// # Errors
/// [`Error::Incomplete`] if a restore of a backup is not complete.
pub(crate) fn check_complete(db: &Db<'_>) -> Result<()> {
    match begun(db)? {
        None => Ok(()),
        Some((backup, ..)) => Err(Error::Incomplete {
            backup: backup.iter().map(|byte| format!("{byte:02x}")).collect(),
        }),
    }
}

/// Begins a restore in a new installation. Rejects an installation with rows of its own, because such rows would collide
/// with rows of the backup and abort the restore half-way.
///
/// # Errors
/// [`Error::NotEmpty`] when there are accounts, [`Error::InUse`] when there are other rows, [`Error::Taken`] when a
/// restore was begun before.
pub fn begin(db: &Db<'_>, source: &[u8; 32], table: &str) -> Result<()> {
    if db
        .first("SELECT 1 FROM users ORDER BY id LIMIT 1", [], |_, _| Ok(()))?
        .is_some()
    {
        return Err(Error::NotEmpty);
    }
    seeds::clear(db)?;
    for table in ATTEMPT_TABLES {
        db.connection.execute(&format!("DELETE FROM {table}"), [])?;
    }
    for table in tables(db.connection)? {
        let any = format!("SELECT 1 FROM {table} LIMIT 1");
        if db.connection.prepare(&any)?.exists([])? {
            return Err(Error::InUse(table));
        }
    }
    db.insert(
        "INSERT INTO refills (id, source, name, rows) VALUES (1, ?1, ?2, 0)",
        (source, table),
    )?;
    Ok(())
}

/// Inserts rows, and records the progress.
///
/// # Errors
/// [`Error::NoSuchPlace`] when the progress is not `rows.offset`, because another process restores too.
pub fn store(db: &Db<'_>, rows: &Rows) -> Result<()> {
    let Some((_, table, stored_rows)) = begun(db)? else {
        return Err(Error::NoSuchPlace);
    };
    if (table == rows.table && stored_rows != rows.offset) || (table != rows.table && rows.offset != 0) {
        return Err(Error::NoSuchPlace);
    }
    let placeholders = vec!["?"; rows.columns.len()].join(", ");
    let sql = format!(
        "INSERT INTO {} ({}) VALUES ({placeholders})",
        rows.table,
        rows.columns.join(", ")
    );
    for row in &rows.rows {
        db.insert(&sql, params_from_iter(row))?;
    }
    db.run(
        "UPDATE refills SET name = ?1, rows = ?2 WHERE id = 1",
        (&rows.table, rows.offset + rows.rows.len() as i64),
    )?;
    Ok(())
}

/// Completes the restore; `counters` are [`super::DatabaseCopy::counters`].
///
/// # Errors
/// [`crate::Error`] when a row cannot be written.
pub fn finish(db: &Db<'_>, counters: &[(String, i64)]) -> Result<()> {
    for (table, highest) in counters {
        db.raise_counter(table, *highest)?;
    }
    db.run("DELETE FROM refills WHERE id = 1", [])?;
    Ok(())
}

pub(super) fn tables(connection: &Connection) -> Result<Vec<String>> {
    let sql = format!("SELECT name FROM sqlite_schema WHERE type = 'table' AND NOT ({NOT_RESTORED}) ORDER BY rowid");
    let mut statement = connection.prepare(&sql)?;
    let names = statement.query_map([], |row| row.get(0))?;
    Ok(names.collect::<rusqlite::Result<_>>()?)
}
