//! Mails that wait to be delivered. A row is written in the same commit as what it tells about, and removed once the
//! mail has gone.

use bespoke_core::entity::mail::{OutboxMail, Template};
use rusqlite::{Row, named_params};
use serde_json::Value;
use uuid::Uuid;

use crate::row::timestamp;
use crate::{Db, Result};

const TABLE: &str = "outbox";

/// Puts a mail into the outbox.
///
/// # Errors
/// [`crate::Error`] when the row cannot be written.
pub fn insert(db: &Db<'_>, mail: &OutboxMail) -> Result<()> {
    let vault = db.vault.row(TABLE, mail.uuid);
    db.insert(
        "INSERT INTO outbox (uuid, template, recipient, language, action_url, created_at)
         VALUES (:uuid, :template, :recipient, :language, :action_url, :created_at)",
        named_params! {
            ":uuid": mail.uuid,
            ":template": serde_json::to_value(mail.template).expect("a plain name").as_str(),
            ":recipient": vault.seal("recipient", &mail.to),
            ":language": mail.language.code(),
            ":action_url": mail.action_url.as_deref().map(|url| vault.seal("action_url", url)),
            ":created_at": mail.created_at.as_millis(),
        },
    )?;
    Ok(())
}

/// The oldest mails that wait, at most `limit`.
///
/// # Errors
/// [`crate::Error`] when a row cannot be read.
pub fn oldest(db: &Db<'_>, limit: u32) -> Result<Vec<OutboxMail>> {
    db.all("SELECT * FROM outbox ORDER BY id LIMIT ?1", [limit], from_row)
}

/// Removes mails that have gone.
///
/// # Errors
/// [`crate::Error`] when a row cannot be removed.
pub fn delete(db: &Db<'_>, uuids: &[Uuid]) -> Result<()> {
    for uuid in uuids {
        db.run("DELETE FROM outbox WHERE uuid = ?1", [uuid])?;
    }
    Ok(())
}

fn from_row(db: &Db<'_>, row: &Row<'_>) -> Result<OutboxMail> {
    let uuid = row.get("uuid")?;
    let vault = db.vault.row(TABLE, uuid);
    let template = Value::String(row.get("template")?);
    let action_url = match row.get_ref("action_url")? {
        rusqlite::types::ValueRef::Blob(field) => Some(vault.open("action_url", field)?),
        _ => None,
    };
    Ok(OutboxMail {
        uuid,
        template: serde_json::from_value::<Template>(template).map_err(|_| vault.unknown("template"))?,
        to: vault.open("recipient", row.get_ref("recipient")?.as_blob().unwrap_or_default())?,
        language: row
            .get::<_, String>("language")?
            .parse()
            .map_err(|_| vault.unknown("language"))?,
        action_url,
        created_at: timestamp(row, "created_at")?,
    })
}
