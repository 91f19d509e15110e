//! Imports records of the legacy database with their ids, and records the progress.
//!
//! Every batch records its last row in its own commit, so that an interrupted import continues after that row, and a
//! finished import is never repeated.

mod accounts;
mod content;
mod record;

use bespoke_core::Timestamp;

pub use content::EncryptedContent;
pub use record::{Batch, Note, Progress, Record, Row, Verdict};

use crate::connection::Db;
use crate::content::{seeds, suggestions};
use crate::error::{Error, Result};

/// Returns the import that was begun, if any: SHA-256 of its file, and the time when it was finished.
///
/// # Errors
/// [`crate::Error`] when the row cannot be read.
pub fn begun(db: &Db<'_>) -> Result<Option<([u8; 32], Option<Timestamp>)>> {
    db.first("SELECT source, finished_at FROM imports WHERE id = 1", [], |_, row| {
        Ok((row.take()?, row.maybe_timestamp()?))
    })
}

/// Begins an import of the file with that SHA-256. If `replaces_seeds` is set, unchanged seeded curated sets are
/// deleted. `counters` contains the highest integer id of each table in the legacy database, so that none of those ids
/// is assigned again.
///
/// # Errors
/// [`Error::Taken`] when an import was begun before, [`Error::NotEmpty`] when there are accounts.
pub fn begin(db: &Db<'_>, source: &[u8; 32], replaces_seeds: bool, counters: &[(&'static str, i64)]) -> Result<()> {
    let anybody = db.first("SELECT 1 FROM users ORDER BY id LIMIT 1", [], |_, _| Ok(()))?;
    if anybody.is_some() {
        return Err(Error::NotEmpty);
    }
    db.insert("INSERT INTO imports (id, source) VALUES (1, ?1)", [source])?;
    if replaces_seeds {
        seeds::clear(db)?;
    }
    for (table, highest) in counters {
        db.raise_counter(table, *highest)?;
    }
    Ok(())
}

/// Returns the progress of each table.
///
/// # Errors
/// [`crate::Error`] when a row cannot be read.
pub fn progress(db: &Db<'_>) -> Result<Vec<Progress>> {
    // Tables in the order in which their import began.
    db.all(
        "SELECT name, last_row, rows, stored FROM import_tables WHERE rowid > 0 ORDER BY rowid",
        [],
        |_, row| {
            Ok(Progress {
                table: row.take()?,
                last_row: row.take()?,
                rows: row.take()?,
                stored: row.take()?,
            })
        },
    )
}

/// Returns the oldest issues of records, at most `limit`.
///
/// # Errors
/// [`crate::Error`] when a row cannot be read.
pub fn notes(db: &Db<'_>, limit: u32) -> Result<Vec<Note>> {
    db.all(
        "SELECT name, row, verdict, reason FROM import_notes WHERE id > 0 ORDER BY id LIMIT ?1",
        [limit],
        |_, row| {
            let (table, id, verdict): (_, _, String) = (row.take()?, row.take()?, row.take()?);
            Ok(Note {
                table,
                id,
                // No other values are written.
                verdict: Verdict::ALL
                    .into_iter()
                    .find(|known| known.name() == verdict)
                    .unwrap_or(Verdict::Rejected),
                reason: row.take()?,
            })
        },
    )
}

/// Stores a batch. Records that cannot be stored are set aside with an issue. Returns the number of stored records.
///
/// # Errors
/// [`Error::NoSuchPlace`] when the progress of the table is not `batch.after`, because another process imports too.
pub fn store(db: &Db<'_>, batch: &Batch, now: Timestamp) -> Result<usize> {
    let reached = db.first(
        "SELECT last_row FROM import_tables WHERE name = ?1",
        [batch.table],
        |_, row| Ok(row.take::<i64>()?),
    )?;
    if reached.unwrap_or_default() != batch.after {
        return Err(Error::NoSuchPlace);
    }
    let mut stored = 0;
    for row in &batch.rows {
        for (verdict, reason) in &row.notes {
            note(db, batch.table, &row.id, *verdict, reason)?;
        }
        let Some(record) = &row.record else { continue };
        match insert(db, record, now) {
            Ok(None) => stored += 1,
            Ok(Some(change)) => {
                stored += 1;
                note(db, batch.table, &row.id, Verdict::Changed, change)?;
            }
            Err(error) => note(db, batch.table, &row.id, Verdict::Rejected, &refusal(error)?)?,
        }
    }
    db.run(
        "INSERT INTO import_tables (name, last_row, rows, stored) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (name) DO UPDATE SET last_row = ?2, rows = rows + ?3, stored = stored + ?4",
        (batch.table, batch.last, batch.rows.len() as i64, stored as i64),
    )?;
    Ok(stored)
}

/// Marks the import as finished.
///
/// # Errors
/// [`crate::Error`] when the row cannot be written.
pub fn finish(db: &Db<'_>, now: Timestamp) -> Result<()> {
    db.run("UPDATE imports SET finished_at = ?1 WHERE id = 1", [now.as_millis()])?;
    Ok(())
}

fn note(db: &Db<'_>, table: &str, id: &str, verdict: Verdict, reason: &str) -> Result<()> {
    db.insert(
        "INSERT INTO import_notes (name, row, verdict, reason) VALUES (?1, ?2, ?3, ?4)",
        (table, id, verdict.name(), reason),
    )?;
    Ok(())
}

/// Inserts a record. Returns the change that was necessary, if any.
fn insert(db: &Db<'_>, record: &Record, now: Timestamp) -> Result<Option<&'static str>> {
    match record {
        Record::User { user, totp } => return accounts::user(db, user, totp.as_ref(), now),
        Record::ApiKey(key) => accounts::api_key(db, key),
        Record::Confirmation(confirmation) => accounts::confirmation(db, confirmation),
        Record::Suggestion(suggestion) => suggestions::insert(db, suggestion),
        Record::Subscriber { subscriber, updated_at } => accounts::subscriber(db, subscriber, *updated_at),
        Record::Set(set) => content::insert_encrypted(db, &EncryptedContent::set(db.vault, set.as_ref().clone())),
        Record::Pattern(pattern) => {
            content::insert_encrypted(db, &EncryptedContent::pattern(db.vault, pattern.as_ref().clone()))
        }
        Record::Encrypted(content) => content::insert_encrypted(db, content),
        Record::Bookmark(bookmark) => content::bookmark(db, bookmark),
        Record::CuratedSet(set) => content::curated_set(db, set),
        Record::OptionPack(pack) => content::option_pack(db, pack),
    }?;
    Ok(None)
}

/// Returns the reason why a record was not stored. Errors that the record did not cause are passed on.
fn refusal(error: Error) -> Result<String> {
    match error {
        Error::Taken(column) => Ok(match column.as_str() {
            "users.email_index" => "another account has this address".to_owned(),
            "subscribers.email_index" => "this address is subscribed already".to_owned(),
            column => format!("another row has the same {column}"),
        }),
        Error::Sqlite(rusqlite::Error::SqliteFailure(failure, _))
            if failure.extended_code == rusqlite::ffi::SQLITE_CONSTRAINT_FOREIGNKEY =>
        {
            Ok("its account does not exist, or was set aside".to_owned())
        }
        Error::Sqlite(rusqlite::Error::SqliteFailure(failure, _))
            if failure.code == rusqlite::ErrorCode::ConstraintViolation =>
        {
            Ok("another row has the same id".to_owned())
        }
        error => Err(error),
    }
}
