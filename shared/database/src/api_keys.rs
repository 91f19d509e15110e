//! API keys.

use bespoke_core::entity::api_key::ApiKey;
use bespoke_core::entity::user::Standing;
use bespoke_core::{Level, SecretDigest, Timestamp};
use rusqlite::named_params;
use uuid::Uuid;

use crate::row::Columns;
use crate::users::standing_from_row;
use crate::{Db, Page, Result};

const TABLE: &str = "api_keys";

/// In the order in which `from_row` takes them.
const SELECT: &str = "SELECT api_keys.uuid, api_keys.user_id, users.uuid, api_keys.name, api_keys.level, api_keys.secret, \
     api_keys.instance, api_keys.calls, api_keys.created_at, api_keys.expires_at, api_keys.last_seen \
     FROM api_keys JOIN users ON users.id = api_keys.user_id";

/// What a call by key has to know: the key without its name, and the standing of its owner.
#[derive(Debug)]
pub struct Credential {
    /// SHA-256 of the secret.
    pub secret: SecretDigest,
    /// Highest level of the key.
    pub level: Level,
    /// The instance that the key was made on.
    pub instance: String,
    /// From this moment on it is refused.
    pub expires_at: Timestamp,
    /// The owner.
    pub owner: Standing,
}

/// Stores a new key.
///
/// # Errors
/// [`crate::Error`] when the row cannot be written.
pub fn insert(db: &Db<'_>, key: &ApiKey) -> Result<()> {
    db.insert(
        "INSERT INTO api_keys (uuid, user_id, name, level, secret, instance, calls, created_at, expires_at, last_seen)
         VALUES (:uuid, :user_id, :name, :level, :secret, :instance, 0, :created_at, :expires_at, NULL)",
        named_params! {
            ":uuid": key.uuid,
            ":user_id": key.user_id,
            ":name": db.vault.row(TABLE, key.uuid).seal_json("name", &key.name),
            ":level": key.level.number(),
            ":secret": key.secret.as_bytes(),
            ":instance": key.instance,
            ":created_at": key.created_at.as_millis(),
            ":expires_at": key.expires_at.as_millis(),
        },
    )?;
    Ok(())
}

/// What a call by that key has to know, in one query that opens nothing.
///
/// # Errors
/// [`crate::Error`] when the row cannot be read.
pub fn credential(db: &Db<'_>, uuid: Uuid) -> Result<Option<Credential>> {
    let sql = "SELECT api_keys.secret, api_keys.level, api_keys.instance, api_keys.expires_at, \
         users.id, users.uuid, users.role, users.status, users.consent, users.created_at \
         FROM api_keys JOIN users ON users.id = api_keys.user_id WHERE api_keys.uuid = ?1";
    db.first(sql, [uuid], |db, row| {
        Ok(Credential {
            secret: SecretDigest::from_bytes(row.take()?),
            level: Level::new(row.take()?).ok_or_else(|| db.vault.row(TABLE, uuid).unknown("level"))?,
            instance: row.take()?,
            expires_at: row.timestamp()?,
            owner: standing_from_row(db, row)?,
        })
    })
}

/// The key with that UUID.
///
/// # Errors
/// [`crate::Error`] when the row cannot be read.
pub fn by_uuid(db: &Db<'_>, uuid: Uuid) -> Result<Option<ApiKey>> {
    db.first(&format!("{SELECT} WHERE api_keys.uuid = ?1"), [uuid], from_row)
}

/// Keys of an account, oldest first.
///
/// # Errors
/// [`crate::Error`] when a row cannot be read.
pub fn by_user(db: &Db<'_>, user_id: i64, page: Page) -> Result<Vec<ApiKey>> {
    db.all(
        &format!("{SELECT} WHERE api_keys.user_id = ?1 AND api_keys.id > ?2 ORDER BY api_keys.id LIMIT ?3"),
        (user_id, db.after(TABLE, page)?, page.limit()),
        from_row,
    )
}

/// Ends a key.
///
/// # Errors
/// [`crate::Error`] when the row cannot be removed.
pub fn delete(db: &Db<'_>, uuid: Uuid) -> Result<()> {
    db.run("DELETE FROM api_keys WHERE uuid = ?1", [uuid])?;
    Ok(())
}

fn from_row(db: &Db<'_>, row: &mut Columns<'_>) -> Result<ApiKey> {
    let uuid = row.take()?;
    let vault = db.vault.row(TABLE, uuid);
    Ok(ApiKey {
        uuid,
        user_id: row.take()?,
        user_uuid: row.take()?,
        name: vault.open_json("name", row)?,
        level: Level::new(row.take()?).ok_or_else(|| vault.unknown("level"))?,
        secret: SecretDigest::from_bytes(row.take()?),
        instance: row.take()?,
        calls: row.take()?,
        created_at: row.timestamp()?,
        expires_at: row.timestamp()?,
        last_seen: row.maybe_timestamp()?,
    })
}
