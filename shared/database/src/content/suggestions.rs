//! Repository of suggestions to curators: insertion, lookup by UUID, lists by kind or account, count by account, and deletion.

use bespoke_core::entity::suggestion::{Suggestion, SuggestionKind};
use rusqlite::named_params;
use uuid::Uuid;

use crate::connection::{Columns, Db, Page};
use crate::error::Result;

const TABLE: &str = "suggestions";
/// Columns in the order in which `from_row` reads them.
const SELECT: &str = "SELECT suggestions.uuid, suggestions.kind, suggestions.user_id, users.uuid, suggestions.data, \
     suggestions.created_at FROM suggestions JOIN users ON users.id = suggestions.user_id";

/// Inserts a new suggestion.
///
/// # Errors
/// [`crate::Error`] when the row cannot be written.
pub fn insert(db: &Db<'_>, suggestion: &Suggestion) -> Result<()> {
    db.insert(
        "INSERT INTO suggestions (uuid, user_id, kind, data, created_at)
         VALUES (:uuid, :user_id, :kind, :data, :created_at)",
        named_params! {
            ":uuid": suggestion.uuid,
            ":user_id": suggestion.user_id,
            ":kind": suggestion.kind.name(),
            ":data": db.vault.row(TABLE, suggestion.uuid).seal_json("data", &suggestion.data),
            ":created_at": suggestion.created_at.as_millis(),
        },
    )?;
    Ok(())
}

/// Returns the suggestion with that UUID.
///
/// # Errors
/// [`crate::Error`] when the row cannot be read.
pub fn by_uuid(db: &Db<'_>, uuid: Uuid) -> Result<Option<Suggestion>> {
    db.first(&format!("{SELECT} WHERE suggestions.uuid = ?1"), [uuid], from_row)
}

/// Returns the suggestions of one kind, oldest first.
///
/// # Errors
/// [`crate::Error`] when a row cannot be read.
pub fn by_kind(db: &Db<'_>, kind: SuggestionKind, page: Page) -> Result<Vec<Suggestion>> {
    db.all(
        &format!("{SELECT} WHERE suggestions.kind = ?1 AND suggestions.id > ?2 ORDER BY suggestions.id LIMIT ?3"),
        (kind.name(), db.after(TABLE, page)?, page.limit()),
        from_row,
    )
}

/// Calls `each` for each suggestion of an account in turn, oldest first, so that only one is in memory.
///
/// # Errors
/// [`crate::Error`] when a row cannot be read, and the first error of `each`.
pub fn each_by_user<E: From<crate::Error>>(
    db: &Db<'_>,
    user_id: i64,
    each: impl FnMut(Suggestion) -> Result<(), E>,
) -> Result<(), E> {
    db.each(
        &format!("{SELECT} WHERE suggestions.user_id = ?1 ORDER BY suggestions.id"),
        [user_id],
        from_row,
        each,
    )
}

/// Returns the number of suggestions of an account. All of them are open, because a decision deletes its suggestion.
///
/// # Errors
/// [`crate::Error`] when the rows cannot be counted.
pub fn count_by_user(db: &Db<'_>, user_id: i64) -> Result<i64> {
    let count = db.first(
        "SELECT COUNT(*) FROM suggestions WHERE user_id = ?1",
        [user_id],
        |_, row| Ok(row.take()?),
    )?;
    Ok(count.unwrap_or_default())
}

/// Deletes a suggestion.
///
/// # Errors
/// [`crate::Error`] when the row cannot be removed.
pub fn delete(db: &Db<'_>, uuid: Uuid) -> Result<()> {
    db.run("DELETE FROM suggestions WHERE uuid = ?1", [uuid])?;
    Ok(())
}

fn from_row(db: &Db<'_>, row: &mut Columns<'_>) -> Result<Suggestion> {
    let uuid = row.take()?;
    let vault = db.vault.row(TABLE, uuid);
    Ok(Suggestion {
        uuid,
        kind: SuggestionKind::from_name(&row.take::<String>()?).ok_or_else(|| vault.undecodable("kind"))?,
        user_id: row.take()?,
        user_uuid: row.take()?,
        data: vault.open_json("data", row)?,
        created_at: row.timestamp()?,
    })
}
