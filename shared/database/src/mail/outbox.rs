//! Repository of the outbox: mails to be delivered. [`insert`] writes a row in the commit of the event that it reports, [`claim`] takes
//! due mails, and [`delete`] or [`failed`] records the result.

use bespoke_core::Timestamp;
use bespoke_core::entity::mail::{LEASE_MS, OutboxMail, PendingMail, Template, wait_after_ms};
use rusqlite::named_params;
use serde_json::Value;
use uuid::Uuid;

use crate::connection::{Columns, Db, Page, RowVault};
use crate::error::Result;

const TABLE: &str = "outbox";
/// How long undeliverable mails are kept, in milliseconds.
const KEPT_MS: i64 = 30 * 24 * 60 * 60 * 1000;

/// Inserts a mail into the outbox.
///
/// # Errors
/// [`crate::Error`] when the row cannot be written.
pub fn insert(db: &Db<'_>, mail: &OutboxMail) -> Result<()> {
    let vault = db.vault.row(TABLE, mail.uuid);
    let maybe = |column, text: &Option<String>| text.as_deref().map(|text| vault.seal(column, text));
    db.insert(
        "INSERT INTO outbox (uuid, user_id, template, recipient, language, action_url, unsubscribe_url, details, due_at, created_at)
         VALUES (:uuid, (SELECT id FROM users WHERE email_index = :email_index), :template, :recipient, :language, :action_url,
           :unsubscribe_url, :details, :created_at, :created_at)",
        named_params! {
            ":uuid": mail.uuid,
            ":email_index": db.vault.index().email(&mail.to),
            ":template": serde_json::to_value(mail.template).expect("a plain name").as_str(),
            ":recipient": vault.seal("recipient", &mail.to),
            ":language": mail.language.code(),
            ":action_url": maybe("action_url", &mail.action_url),
            ":unsubscribe_url": maybe("unsubscribe_url", &mail.unsubscribe_url),
            ":details": maybe("details", &mail.details),
            ":created_at": mail.created_at.as_millis(),
        },
    )?;
    Ok(())
}

/// Returns whether a mail is due.
///
/// # Errors
/// [`crate::Error`] when the table cannot be read.
pub fn is_any_due(db: &Db<'_>, now: Timestamp) -> Result<bool> {
    let sql = "SELECT 1 FROM outbox WHERE due_at <= ?1";
    Ok(db.first(sql, [now.as_millis()], |_, _| Ok(()))?.is_some())
}

/// Claims at most `limit` due mails for the calling process, oldest first, and returns their ids. No other process
/// gets them within [`LEASE_MS`]. The claim counts as an attempt.
///
/// # Errors
/// [`crate::Error`] when a row cannot be written.
pub fn claim(db: &Db<'_>, now: Timestamp, limit: u32) -> Result<Vec<i64>> {
    let due = "SELECT id FROM outbox WHERE due_at <= ?1 ORDER BY due_at, id LIMIT ?2";
    let ids: Vec<i64> = db.all(due, (now.as_millis(), limit), |_, row| Ok(row.take()?))?;
    for id in &ids {
        db.run(
            "UPDATE outbox SET tries = tries + 1, due_at = ?2, problem = NULL WHERE id = ?1",
            (id, now.plus_ms(LEASE_MS).as_millis()),
        )?;
    }
    Ok(ids)
}

/// Returns a mail and the number of attempts to send it.
///
/// # Errors
/// [`crate::Error`] when the row cannot be read.
pub fn by_id(db: &Db<'_>, id: i64) -> Result<Option<(OutboxMail, u32)>> {
    db.first(
        "SELECT uuid, template, recipient, language, action_url, unsubscribe_url, details, created_at, tries FROM outbox
         WHERE id = ?1",
        [id],
        from_row,
    )
}

/// Deletes mails that were sent.
///
/// # Errors
/// [`crate::Error`] when a row cannot be removed.
pub fn delete(db: &Db<'_>, uuids: &[Uuid]) -> Result<()> {
    for uuid in uuids {
        db.run("DELETE FROM outbox WHERE uuid = ?1", [uuid])?;
    }
    Ok(())
}

/// Records a failed attempt. The mail is retried later, unless a retry is `hopeless` or `tries` is too high; then it
/// is given up.
///
/// # Errors
/// [`crate::Error`] when the row cannot be written.
pub fn failed(db: &Db<'_>, uuid: Uuid, tries: u32, problem: &str, hopeless: bool, now: Timestamp) -> Result<()> {
    let wait_ms = wait_after_ms(tries).filter(|_| !hopeless);
    db.run(
        "UPDATE outbox SET due_at = ?2, problem = ?3 WHERE uuid = ?1",
        (uuid, wait_ms.map(|ms| now.plus_ms(ms).as_millis()), problem),
    )?;
    Ok(())
}

/// Makes a mail due that was given up or waits for its next attempt. Returns whether such a mail exists.
///
/// # Errors
/// [`crate::Error`] when the row cannot be written.
pub fn retry(db: &Db<'_>, id: i64, now: Timestamp) -> Result<bool> {
    // A mail that is being sent is not changed, because its lease is not a waiting time.
    let changed = db.run(
        "UPDATE outbox SET tries = 0, due_at = ?2 WHERE id = ?1 AND (due_at IS NULL OR problem IS NOT NULL)",
        (id, now.as_millis()),
    )?;
    Ok(changed > 0)
}

/// Returns all mails that have not been sent, oldest first.
///
/// # Errors
/// [`crate::Error`] when a row cannot be read.
pub fn waiting(db: &Db<'_>, page: Page) -> Result<Vec<PendingMail>> {
    let sql = "SELECT uuid, id, template, recipient, language, created_at, tries, due_at, problem FROM outbox
         WHERE id > ?1 ORDER BY id LIMIT ?2";
    db.all(sql, (db.after(TABLE, page)?, page.limit()), |db, row| {
        let uuid = row.take()?;
        let vault = db.vault.row(TABLE, uuid);
        Ok(PendingMail {
            uuid,
            id: row.take()?,
            template: template(&vault, row)?,
            to: vault.open("recipient", row)?,
            language: row
                .take::<String>()?
                .parse()
                .map_err(|_| vault.undecodable("language"))?,
            created_at: row.timestamp()?,
            tries: row.take()?,
            due_at: row.maybe_timestamp()?,
            problem: row.take()?,
        })
    })
}

/// Deletes mails that were given up more than `KEPT_MS` ago. Returns their number.
///
/// # Errors
/// [`crate::Error`] when a row cannot be removed.
pub fn purge(db: &Db<'_>, now: Timestamp) -> Result<usize> {
    db.run(
        "DELETE FROM outbox WHERE due_at IS NULL AND created_at <= ?1",
        [now.plus_ms(-KEPT_MS).as_millis()],
    )
}

fn template(vault: &RowVault<'_>, row: &mut Columns<'_>) -> Result<Template> {
    serde_json::from_value(Value::String(row.take()?)).map_err(|_| vault.undecodable("template"))
}

fn from_row(db: &Db<'_>, row: &mut Columns<'_>) -> Result<(OutboxMail, u32)> {
    let uuid = row.take()?;
    let vault = db.vault.row(TABLE, uuid);
    let mail = OutboxMail {
        uuid,
        template: template(&vault, row)?,
        to: vault.open("recipient", row)?,
        language: row
            .take::<String>()?
            .parse()
            .map_err(|_| vault.undecodable("language"))?,
        action_url: vault.maybe_open("action_url", row)?,
        unsubscribe_url: vault.maybe_open("unsubscribe_url", row)?,
        details: vault.maybe_open("details", row)?,
        created_at: row.timestamp()?,
    };
    Ok((mail, row.take()?))
}
