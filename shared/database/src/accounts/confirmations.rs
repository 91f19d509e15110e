//! Repository of confirmations (pending sign-ups, changes of e-mail addresses, and sign-in links): insertion, lookups by UUID and
//! account, and deletion by kind.

use bespoke_core::entity::confirmation::{Confirmation, ConfirmationKind};
use rusqlite::named_params;
use uuid::Uuid;

use crate::connection::{Columns, Db};
use crate::error::Result;

const TABLE: &str = "confirmations";

/// The maximum number of confirmations of one kind per account. A further one replaces the oldest.
const MAX_OF_A_KIND: u32 = 16;

/// Inserts a new confirmation. Older ones of its kind stay valid, because people may use the first of two mails, and
/// because the request of a stranger must not invalidate the link that the owner requested. [`delete_kind`] removes all
/// of them when one is used.
///
/// # Errors
/// [`crate::Error`] when the row cannot be written.
pub fn insert(db: &Db<'_>, confirmation: &Confirmation) -> Result<()> {
    add(db, confirmation)?;
    db.run(
        "DELETE FROM confirmations WHERE user_id = ?1 AND kind = ?2 AND id IN (SELECT id FROM confirmations
           WHERE user_id = ?1 AND kind = ?2 ORDER BY id DESC LIMIT -1 OFFSET ?3)",
        (confirmation.user_id, confirmation.kind.name(), MAX_OF_A_KIND),
    )?;
    Ok(())
}

/// Inserts a confirmation without removing others of its kind.
pub(crate) fn add(db: &Db<'_>, confirmation: &Confirmation) -> Result<()> {
    let vault = db.vault.row(TABLE, confirmation.uuid);
    db.insert(
        "INSERT INTO confirmations (uuid, user_id, kind, secret, data, created_at)
         VALUES (:uuid, :user_id, :kind, :secret, :data, :created_at)",
        named_params! {
            ":uuid": confirmation.uuid,
            ":user_id": confirmation.user_id,
            ":kind": confirmation.kind.name(),
            ":secret": vault.seal("secret", &confirmation.check),
            ":data": vault.seal_json("data", &confirmation.data),
            ":created_at": confirmation.created_at.as_millis(),
        },
    )?;
    Ok(())
}

/// Returns the confirmation with that UUID, even if it has expired.
///
/// # Errors
/// [`crate::Error`] when the row cannot be read.
pub fn by_uuid(db: &Db<'_>, uuid: Uuid) -> Result<Option<Confirmation>> {
    db.first(
        "SELECT uuid, kind, user_id, secret, data, created_at FROM confirmations WHERE uuid = ?1",
        [uuid],
        from_row,
    )
}

/// Returns all confirmations of an account, oldest first.
///
/// # Errors
/// [`crate::Error`] when a row cannot be read.
pub fn by_user(db: &Db<'_>, user_id: i64) -> Result<Vec<Confirmation>> {
    db.all(
        "SELECT uuid, kind, user_id, secret, data, created_at FROM confirmations WHERE user_id = ?1 ORDER BY id",
        [user_id],
        from_row,
    )
}

/// Compares a code with that of a confirmation. A wrong code is counted in the row. Returns `false` if it is wrong, or after too many wrong ones.
///
/// # Errors
/// [`crate::Error`] when the row cannot be read or written.
pub fn enter_code(db: &Db<'_>, uuid: Uuid, code: &str) -> Result<bool> {
    let Some(mut confirmation) = by_uuid(db, uuid)? else {
        return Ok(false);
    };
    let before = confirmation.data.clone();
    let is_right = confirmation.enter_code(code).is_some();
    if confirmation.data != before {
        let sealed = db.vault.row(TABLE, uuid).seal_json("data", &confirmation.data);
        db.run("UPDATE confirmations SET data = ?2 WHERE uuid = ?1", (uuid, sealed))?;
    }
    Ok(is_right)
}

/// Deletes all confirmations of one kind of an account, because one of them was used.
///
/// # Errors
/// [`crate::Error`] when the rows cannot be removed.
pub fn delete_kind(db: &Db<'_>, user_id: i64, kind: ConfirmationKind) -> Result<()> {
    db.run(
        "DELETE FROM confirmations WHERE user_id = ?1 AND kind = ?2",
        (user_id, kind.name()),
    )?;
    Ok(())
}

fn from_row(db: &Db<'_>, row: &mut Columns<'_>) -> Result<Confirmation> {
    let uuid = row.take()?;
    let vault = db.vault.row(TABLE, uuid);
    Ok(Confirmation {
        uuid,
        kind: ConfirmationKind::from_name(&row.take::<String>()?).ok_or_else(|| vault.undecodable("kind"))?,
        user_id: row.take()?,
        check: vault.open("secret", row)?,
        data: vault.open_json("data", row)?,
        created_at: row.timestamp()?,
    })
}
