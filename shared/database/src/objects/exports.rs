//! Repository of the exports of accounts, which are files in the bucket: [`insert`], [`exists`], [`delete`] and [`purge`] of their names.

use bespoke_core::Timestamp;

use crate::connection::Db;
use crate::error::Result;

/// Records an export of that name before its file is stored. Only the newest `kept` exports of the account remain.
///
/// # Errors
/// [`crate::Error`] when the row cannot be written.
pub fn insert(db: &Db<'_>, name: &str, user_id: i64, kept: u32, now: Timestamp) -> Result<()> {
    db.insert(
        "INSERT INTO exports (name, user_id, created_at) VALUES (?1, ?2, ?3)",
        (name, user_id, now.as_millis()),
    )?;
    db.run(
        "DELETE FROM exports WHERE user_id = ?1 AND id NOT IN
           (SELECT id FROM exports WHERE user_id = ?1 ORDER BY id DESC LIMIT ?2)",
        (user_id, kept),
    )?;
    Ok(())
}

/// Deletes the record of an export whose file could not be stored.
///
/// # Errors
/// [`crate::Error`] when the row cannot be removed.
pub fn delete(db: &Db<'_>, name: &str) -> Result<()> {
    db.run("DELETE FROM exports WHERE name = ?1", [name])?;
    Ok(())
}

/// Returns whether an export of that name exists.
///
/// # Errors
/// [`crate::Error`] when the row cannot be read.
pub fn exists(db: &Db<'_>, name: &str) -> Result<bool> {
    let found = db.first("SELECT 1 FROM exports WHERE name = ?1", [name], |_, _| Ok(()))?;
    Ok(found.is_some())
}

/// Deletes the exports that were made before that moment.
///
/// # Errors
/// [`crate::Error`] when the rows cannot be removed.
pub fn purge(db: &Db<'_>, before: Timestamp) -> Result<()> {
    db.run("DELETE FROM exports WHERE created_at < ?1", [before.as_millis()])?;
    Ok(())
}
