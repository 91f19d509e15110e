//! Repository of the subscribers of the newsletter: insertion, lookups by UUID, address and keyed hash, update and deletion.

use bespoke_core::Timestamp;
use bespoke_core::entity::subscriber::Subscriber;
use bespoke_core::validate::Language;
use rusqlite::named_params;
use uuid::Uuid;

use crate::connection::{Columns, Db, Page};
use crate::error::Result;

/// How long an unconfirmed subscription is kept after its last request, in milliseconds.
pub const UNCONFIRMED_MS: i64 = 7 * 24 * 60 * 60 * 1000;

const TABLE: &str = "subscribers";
/// Columns in the order in which `from_row` reads them.
const SELECT: &str = "SELECT uuid, email_index, email, language, active, created_at FROM subscribers";

/// Inserts a new subscriber, who has yet to confirm.
///
/// # Errors
/// [`crate::Error::Taken`] when the address is subscribed already.
pub fn insert(db: &Db<'_>, uuid: Uuid, email: &str, language: Language, now: Timestamp) -> Result<()> {
    db.insert(
        "INSERT INTO subscribers (uuid, email_index, email, language, active, created_at, updated_at)
         VALUES (:uuid, :email_index, :email, :language, 0, :now, :now)",
        named_params! {
            ":uuid": uuid,
            ":email_index": db.vault.index().email(email),
            ":email": db.vault.row(TABLE, uuid).seal("email", email),
            ":language": language.code(),
            ":now": now.as_millis(),
        },
    )?;
    Ok(())
}

/// Deletes subscriptions that were not confirmed in time. Unsubscribing deletes a row, so inactive ones were never confirmed.
pub(crate) fn purge(db: &Db<'_>, now: Timestamp) -> Result<usize> {
    db.run(
        "DELETE FROM subscribers WHERE active = 0 AND updated_at <= ?1",
        [now.plus_ms(-UNCONFIRMED_MS).as_millis()],
    )
}

/// Returns the subscriber with that UUID.
///
/// # Errors
/// [`crate::Error`] when the row cannot be read.
pub fn by_uuid(db: &Db<'_>, uuid: Uuid) -> Result<Option<Subscriber>> {
    db.first(&format!("{SELECT} WHERE uuid = ?1"), [uuid], from_row)
}

/// Returns the subscriber with that address.
///
/// # Errors
/// [`crate::Error`] when the row cannot be read.
pub fn by_email(db: &Db<'_>, email: &str) -> Result<Option<Subscriber>> {
    for hash in db.vault.email_hashes(email) {
        let subscriber = by_index(db, hash)?;
        if subscriber.is_some() {
            return Ok(subscriber);
        }
    }
    Ok(None)
}

/// Returns the subscriber whose address has that keyed hash, 64 hexadecimal digits.
///
/// # Errors
/// [`crate::Error`] when the row cannot be read.
pub fn by_ehash(db: &Db<'_>, ehash: &str) -> Result<Option<Subscriber>> {
    match unhex(ehash) {
        Some(index) => by_index(db, index),
        None => Ok(None),
    }
}

/// Returns the confirmed subscribers, oldest first.
///
/// # Errors
/// [`crate::Error`] when a row cannot be read.
pub fn active(db: &Db<'_>, page: Page) -> Result<Vec<Subscriber>> {
    db.all(
        &format!("{SELECT} WHERE active = 1 AND id > ?1 ORDER BY id LIMIT ?2"),
        (db.after(TABLE, page)?, page.limit()),
        from_row,
    )
}

/// Sets the language and the state of a subscriber.
///
/// # Errors
/// [`crate::Error`] when the row cannot be written.
pub fn update(db: &Db<'_>, uuid: Uuid, language: Language, active: bool, now: Timestamp) -> Result<()> {
    db.run(
        "UPDATE subscribers SET language = ?2, active = ?3, updated_at = ?4 WHERE uuid = ?1",
        (uuid, language.code(), active, now.as_millis()),
    )?;
    Ok(())
}

/// Deletes a subscriber.
///
/// # Errors
/// [`crate::Error`] when the row cannot be removed.
pub fn delete(db: &Db<'_>, uuid: Uuid) -> Result<()> {
    db.run("DELETE FROM subscribers WHERE uuid = ?1", [uuid])?;
    Ok(())
}

fn by_index(db: &Db<'_>, index: [u8; 32]) -> Result<Option<Subscriber>> {
    db.first(&format!("{SELECT} WHERE email_index = ?1"), [index], from_row)
}

fn unhex(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if text.len() != 2 * bytes.len() || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    for (byte, digits) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    }
    Some(bytes)
}

fn from_row(db: &Db<'_>, row: &mut Columns<'_>) -> Result<Subscriber> {
    let uuid = row.take()?;
    let vault = db.vault.row(TABLE, uuid);
    let index: [u8; 32] = row.take()?;
    Ok(Subscriber {
        uuid,
        ehash: index.iter().map(|byte| format!("{byte:02x}")).collect(),
        email: vault.open("email", row)?,
        language: row
            .take::<String>()?
            .parse()
            .map_err(|_| vault.undecodable("language"))?,
        active: row.take()?,
        created_at: row.timestamp()?,
    })
}
