//! Mails that wait to be delivered. A row is written in the same commit as what it tells about, and removed once the
//! mail has gone.

use bespoke_core::entity::mail::{OutboxMail, Template};
use rusqlite::named_params;
use serde_json::Value;
use uuid::Uuid;

use crate::row::Columns;
use crate::{Db, Result};

const TABLE: &str = "outbox";

/// Puts a mail into the outbox.
///
/// # Errors
/// [`crate::Error`] when the row cannot be written.
pub fn insert(db: &Db<'_>, mail: &OutboxMail) -> Result<()> {
    let vault = db.vault.row(TABLE, mail.uuid);
    db.insert(
        "INSERT INTO outbox (uuid, user_id, template, recipient, language, action_url, unsubscribe_url, created_at)
         VALUES (:uuid, (SELECT id FROM users WHERE email_index = :email_index), :template, :recipient, :language, :action_url, :unsubscribe_url, :created_at)",
        named_params! {
            ":uuid": mail.uuid,
            ":email_index": db.vault.index().email(&mail.to),
            ":template": serde_json::to_value(mail.template).expect("a plain name").as_str(),
            ":recipient": vault.seal("recipient", &mail.to),
            ":language": mail.language.code(),
            ":action_url": mail.action_url.as_deref().map(|url| vault.seal("action_url", url)),
            ":unsubscribe_url": mail.unsubscribe_url.as_deref().map(|url| vault.seal("unsubscribe_url", url)),
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
    let sql = "SELECT uuid, template, recipient, language, action_url, unsubscribe_url, created_at FROM outbox \
         WHERE id > 0 ORDER BY id LIMIT ?1";
    db.all(sql, [limit], from_row)
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

fn from_row(db: &Db<'_>, row: &mut Columns<'_>) -> Result<OutboxMail> {
    let uuid = row.take()?;
    let vault = db.vault.row(TABLE, uuid);
    let template = Value::String(row.take()?);
    Ok(OutboxMail {
        uuid,
        template: serde_json::from_value::<Template>(template).map_err(|_| vault.unknown("template"))?,
        to: vault.open("recipient", row)?,
        language: row.take::<String>()?.parse().map_err(|_| vault.unknown("language"))?,
        action_url: vault.maybe_open("action_url", row)?,
        unsubscribe_url: vault.maybe_open("unsubscribe_url", row)?,
        created_at: row.timestamp()?,
    })
}
