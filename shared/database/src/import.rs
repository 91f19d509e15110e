//! Rows that are moved in from a database of the original, with their ids, and how far that has come.
//!
//! Every batch notes in its own commit how far it went, so that an import that was interrupted goes on behind it, and one that is
//! finished is never repeated.

mod accounts;
mod content;
mod record;

use bespoke_core::Timestamp;

pub use content::Sealed;
pub use record::{Batch, Note, Progress, Record, Row, Verdict};

use crate::{Db, Error, Result, seeds};

/// An import that was begun: SHA-256 of its file, and when it was finished.
///
/// # Errors
/// [`crate::Error`] when the row cannot be read.
pub fn begun(db: &Db<'_>) -> Result<Option<([u8; 32], Option<Timestamp>)>> {
    db.first("SELECT source, finished_at FROM imports WHERE id = 1", [], |_, row| {
        Ok((row.take()?, row.maybe_timestamp()?))
    })
}

/// Begins an import of the file with that SHA-256. Curated sets of the beginning that nobody has changed make room, where
/// `replaces_seeds`. `counters` says for tables of ours which integer ids were given away in the original: none of those is given
/// to anybody else, now or later.
///
/// # Errors
/// [`Error::Taken`] when one was begun, [`Error::NotEmpty`] when there are accounts.
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

/// How far each table has come.
///
/// # Errors
/// [`crate::Error`] when a row cannot be read.
pub fn progress(db: &Db<'_>) -> Result<Vec<Progress>> {
    // In the order in which they were begun.
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

/// The oldest of what is to be said of rows, at most `limit`.
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
                // Only these are ever written.
                verdict: Verdict::ALL
                    .into_iter()
                    .find(|known| known.name() == verdict)
                    .unwrap_or(Verdict::SetAside),
                reason: row.take()?,
            })
        },
    )
}

/// Stores a batch. A row that cannot be is set aside. Gives how many were stored.
///
/// # Errors
/// [`Error::NoSuchPlace`] when the table has come further, or not so far: another process imports too.
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
            Err(error) => note(db, batch.table, &row.id, Verdict::SetAside, &refusal(error)?)?,
        }
    }
    db.run(
        "INSERT INTO import_tables (name, last_row, rows, stored) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (name) DO UPDATE SET last_row = ?2, rows = rows + ?3, stored = stored + ?4",
        (batch.table, batch.last, batch.rows.len() as i64, stored as i64),
    )?;
    Ok(stored)
}

/// Ends the import.
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

/// Stores a record; says what had to be changed about it.
fn insert(db: &Db<'_>, record: &Record, now: Timestamp) -> Result<Option<&'static str>> {
    match record {
        Record::User { user, totp } => return accounts::user(db, user, totp.as_ref(), now),
        Record::ApiKey(key) => accounts::api_key(db, key),
        Record::Confirmation(confirmation) => accounts::confirmation(db, confirmation),
        Record::Suggestion(suggestion) => crate::suggestions::insert(db, suggestion),
        Record::Subscriber { subscriber, updated_at } => accounts::subscriber(db, subscriber, *updated_at),
        Record::Set(set) => content::sealed(db, &Sealed::set(db.vault, set.as_ref().clone())),
        Record::Pattern(pattern) => content::sealed(db, &Sealed::pattern(db.vault, pattern.as_ref().clone())),
        Record::Sealed(sealed) => content::sealed(db, sealed),
        Record::Bookmark(bookmark) => content::bookmark(db, bookmark),
        Record::CuratedSet(set) => content::curated_set(db, set),
        Record::OptionPack(pack) => content::option_pack(db, pack),
    }?;
    Ok(None)
}

/// Why a row was not stored; an error that is none of the row's goes on.
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
            Ok("its account is not there, or was set aside".to_owned())
        }
        Error::Sqlite(rusqlite::Error::SqliteFailure(failure, _))
            if failure.code == rusqlite::ErrorCode::ConstraintViolation =>
        {
            Ok("another row has the same id".to_owned())
        }
        error => Err(error),
    }
}
