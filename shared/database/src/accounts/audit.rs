//! Repository of the audit log of administrators: [`insert`] and [`newest`]. Rows are never changed.

use bespoke_core::entity::audit::AuditRow;
use bespoke_core::{EntityId, Timestamp};
use rusqlite::named_params;
use serde_json::Value;
use uuid::Uuid;

use crate::connection::{Columns, Db, Page};
use crate::error::Result;

const TABLE: &str = "audit";

/// An audit entry to insert.
#[derive(Debug, Clone)]
pub struct NewAuditEntry {
    /// UUID of the row.
    pub uuid: Uuid,
    /// When the action happened.
    pub created_at: Timestamp,
    /// The action, for example `users.update`.
    pub action: &'static str,
    /// The record that the action concerns, for example `users/7`.
    pub target: Option<String>,
    /// The changed fields before the action.
    pub before: Value,
    /// The changed fields after the action. If the action changes nothing, the parameters of the request.
    pub after: Value,
}

/// Inserts an audit entry for an action of the account `actor`, in the transaction of the action itself.
///
/// # Errors
/// [`crate::Error`] when the row cannot be written.
pub fn insert(db: &Db<'_>, actor: i64, entry: &NewAuditEntry) -> Result<()> {
    let vault = db.vault.row(TABLE, entry.uuid);
    db.insert(
        "INSERT INTO audit (uuid, created_at, actor, action, target, before, after)
         VALUES (:uuid, :created_at, :actor, :action, :target, :before, :after)",
        named_params! {
            ":uuid": entry.uuid,
            ":created_at": entry.created_at.as_millis(),
            ":actor": actor,
            ":action": entry.action,
            ":target": entry.target,
            ":before": vault.seal_json("before", &entry.before),
            ":after": vault.seal_json("after", &entry.after),
        },
    )?;
    Ok(())
}

/// Returns audit entries, newest first.
///
/// # Errors
/// [`crate::Error`] when a row cannot be read.
pub fn newest(db: &Db<'_>, page: Page) -> Result<Vec<AuditRow>> {
    let before = match page.after {
        None => i64::MAX,
        Some(EntityId::Integer(id)) => id,
        Some(_) => db.after(TABLE, page)?,
    };
    db.all(
        "SELECT id, uuid, created_at, actor, action, target, before, after FROM audit WHERE id < ?1 ORDER BY id DESC LIMIT ?2",
        (before, page.limit()),
        from_row,
    )
}

fn from_row(db: &Db<'_>, row: &mut Columns<'_>) -> Result<AuditRow> {
    let (id, uuid) = (row.take()?, row.take()?);
    let vault = db.vault.row(TABLE, uuid);
    Ok(AuditRow {
        id,
        uuid,
        created_at: row.timestamp()?,
        actor: row.take()?,
        action: row.take()?,
        target: row.take()?,
        before: vault.open_json("before", row)?,
        after: vault.open_json("after", row)?,
    })
}
