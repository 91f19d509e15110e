//! API keys.

use bespoke_core::entity::api_key::ApiKey;
use bespoke_core::entity::user::Standing;
use bespoke_core::{Level, SecretDigest};
use rusqlite::{Row, named_params};
use uuid::Uuid;

use crate::row::{maybe_timestamp, timestamp};
use crate::users::{STANDING, standing_from_row};
use crate::{Db, Result};

const TABLE: &str = "api_keys";

fn select(condition: &str) -> String {
    format!(
        "SELECT api_keys.*, {STANDING} FROM api_keys JOIN users ON users.id = api_keys.user_id \
         WHERE {condition} ORDER BY api_keys.id"
    )
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

/// A key and the standing of its owner: all that a call by key has to know, in one query.
///
/// # Errors
/// [`crate::Error`] when the row cannot be read.
pub fn with_owner(db: &Db<'_>, uuid: Uuid) -> Result<Option<(ApiKey, Standing)>> {
    db.first(&select("api_keys.uuid = ?1"), [uuid], |db, row| {
        Ok((from_row(db, row)?, standing_from_row(db, row)?))
    })
}

/// The key with that UUID.
///
/// # Errors
/// [`crate::Error`] when the row cannot be read.
pub fn by_uuid(db: &Db<'_>, uuid: Uuid) -> Result<Option<ApiKey>> {
    db.first(&select("api_keys.uuid = ?1"), [uuid], from_row)
}

/// All keys of an account, oldest first.
///
/// # Errors
/// [`crate::Error`] when a row cannot be read.
pub fn by_user(db: &Db<'_>, user_id: i64) -> Result<Vec<ApiKey>> {
    db.all(&select("api_keys.user_id = ?1"), [user_id], from_row)
}

/// Ends a key.
///
/// # Errors
/// [`crate::Error`] when the row cannot be removed.
pub fn delete(db: &Db<'_>, uuid: Uuid) -> Result<()> {
    db.run("DELETE FROM api_keys WHERE uuid = ?1", [uuid])?;
    Ok(())
}

fn from_row(db: &Db<'_>, row: &Row<'_>) -> Result<ApiKey> {
    let uuid = row.get("uuid")?;
    let vault = db.vault.row(TABLE, uuid);
    Ok(ApiKey {
        uuid,
        user_id: row.get("user_id")?,
        user_uuid: row.get("owner_uuid")?,
        name: vault.open_json("name", row.get_ref("name")?.as_blob().unwrap_or_default())?,
        level: Level::new(row.get("level")?).ok_or_else(|| vault.unknown("level"))?,
        secret: SecretDigest::from_bytes(row.get("secret")?),
        instance: row.get("instance")?,
        calls: row.get("calls")?,
        created_at: timestamp(row, "created_at")?,
        expires_at: timestamp(row, "expires_at")?,
        last_seen: maybe_timestamp(row, "last_seen")?,
    })
}
