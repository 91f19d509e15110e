//! Repository of API keys: insertion, lookups by id and account, rotation, revocation, and the credential that a call is checked against.

use std::sync::Arc;

use bespoke_core::entity::api_key::ApiKey;
use bespoke_core::{ImportedHash, KeySecret, Level, Networks, Scopes, SecretDigest, StoredSecret, Timestamp};
use rusqlite::named_params;
use uuid::Uuid;

use super::users::account_status_from_row;
pub use crate::cache::Credential;
use crate::connection::{Columns, Db, Page, RowVault};
use crate::error::Result;

const TABLE: &str = "api_keys";
/// How long revoked keys are remembered, in milliseconds.
pub const REVOKED_KEPT_MS: i64 = 90 * 24 * 60 * 60 * 1000;

/// Columns in the order in which `from_row` reads them.
const SELECT: &str = "SELECT api_keys.uuid, api_keys.user_id, users.uuid, api_keys.name, api_keys.level, api_keys.secret, \
     api_keys.grace_until, api_keys.scopes, api_keys.cidr, api_keys.instance, api_keys.calls, api_keys.created_at, api_keys.expires_at, api_keys.last_seen \
     FROM api_keys JOIN users ON users.id = api_keys.user_id";

/// The maximum number of expired keys of an account. They do not count for the account's limit of keys, so without this one an account could
/// store any number, and its lists of keys would have any length.
pub const MAX_EXPIRED_KEYS: u32 = 1_000;

/// Stores a new key.
///
/// # Errors
/// [`crate::Error`] when the row cannot be written.
pub fn insert(db: &Db<'_>, key: &ApiKey) -> Result<()> {
    db.insert(
        "INSERT INTO api_keys (uuid, user_id, name, level, secret, scopes, cidr, instance, calls, created_at, expires_at)
         VALUES (:uuid, :user_id, :name, :level, :secret, :scopes, :cidr, :instance, 0, :created_at, :expires_at)",
        named_params! {
            ":uuid": key.uuid,
            ":user_id": key.user_id,
            ":name": db.vault.row(TABLE, key.uuid).seal_json("name", &key.name),
            ":level": key.level.number(),
            ":secret": key.secret.to_bytes(),
            ":scopes": key.scopes.as_ref().map(Scopes::to_string),
            ":cidr": key.cidr.as_ref().map(Networks::to_string),
            ":instance": key.instance,
            ":created_at": key.created_at.as_millis(),
            ":expires_at": key.expires_at.as_millis(),
        },
    )?;
    Ok(())
}

/// Deletes the oldest of the expired keys of an account if it has more than [`MAX_EXPIRED_KEYS`].
///
/// # Errors
/// [`crate::Error`] when the rows cannot be removed.
pub fn prune_expired(db: &Db<'_>, user_id: i64, now: Timestamp) -> Result<()> {
    db.run(
        "DELETE FROM api_keys WHERE id IN (SELECT id FROM api_keys
           WHERE user_id = ?1 AND expires_at <= ?2 ORDER BY id DESC LIMIT -1 OFFSET ?3)",
        (user_id, now.as_millis(), MAX_EXPIRED_KEYS),
    )?;
    Ok(())
}

/// Returns the data that authenticates a request with this key. The query decrypts no columns.
///
/// # Errors
/// [`crate::Error`] when the row cannot be read.
pub fn credential(db: &Db<'_>, uuid: Uuid) -> Result<Option<Arc<Credential>>> {
    db.cached(|cache| &cache.credentials, uuid, || read_credential(db, uuid))
}

fn read_credential(db: &Db<'_>, uuid: Uuid) -> Result<Option<Credential>> {
    let sql = "SELECT api_keys.secret, api_keys.old_secret, api_keys.grace_until, api_keys.scopes, api_keys.cidr, \
         users.quota, api_keys.level, api_keys.instance, api_keys.expires_at, users.id, users.uuid, users.role, users.status, users.consent, users.created_at, users.tokens_from \
         FROM api_keys JOIN users ON users.id = api_keys.user_id WHERE api_keys.uuid = ?1";
    db.first(sql, [uuid], |db, row| {
        Ok(Credential {
            secret: stored_secret(row, &db.vault.row(TABLE, uuid))?,
            old_secret: old_secret(row, &db.vault.row(TABLE, uuid))?,
            scopes: scopes(row, &db.vault.row(TABLE, uuid))?,
            cidr: networks(row, &db.vault.row(TABLE, uuid))?,
            quota: row.take()?,
            level: Level::new(row.take()?).ok_or_else(|| db.vault.row(TABLE, uuid).undecodable("level"))?,
            instance: row.take()?,
            expires_at: row.timestamp()?,
            owner: account_status_from_row(db, row)?,
        })
    })
}

/// Returns the imported hashes of the key's secrets that have not been replaced by digests yet.
///
/// # Errors
/// [`crate::Error`] when the row cannot be read.
pub fn imported_hashes(db: &Db<'_>, uuid: Uuid) -> Result<Vec<ImportedHash>> {
    let Some(credential) = credential(db, uuid)? else {
        return Ok(Vec::new());
    };
    let old = credential.old_secret.clone().map(|(secret, _)| secret);
    let imported = |secret| match secret {
        StoredSecret::Imported(hash) => Some(hash),
        StoredSecret::Digest(_) => None,
    };
    Ok([Some(credential.secret.clone()), old]
        .into_iter()
        .flatten()
        .filter_map(imported)
        .collect())
}

/// Replaces an imported hash of a secret by the digest of that secret.
///
/// # Errors
/// [`crate::Error`] when the row cannot be written.
pub fn replace_imported(db: &Db<'_>, uuid: Uuid, hash: &ImportedHash, digest: &SecretDigest) -> Result<()> {
    for column in ["secret", "old_secret"] {
        db.run(
            &format!("UPDATE api_keys SET {column} = ?3 WHERE uuid = ?1 AND {column} = ?2"),
            (uuid, hash.as_text().as_bytes(), digest.as_bytes()),
        )?;
    }
    Ok(())
}

/// Returns the key with that UUID.
///
/// # Errors
/// [`crate::Error`] when the row cannot be read.
pub fn by_uuid(db: &Db<'_>, uuid: Uuid) -> Result<Option<ApiKey>> {
    db.first(&format!("{SELECT} WHERE api_keys.uuid = ?1"), [uuid], from_row)
}

/// Returns the keys of an account, oldest first.
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

/// Replaces the secret of a key. The old secret remains valid until `grace_until`.
///
/// # Errors
/// [`crate::Error`] when the row cannot be written.
pub fn rotate(db: &Db<'_>, uuid: Uuid, secret: &SecretDigest, grace_until: Timestamp) -> Result<()> {
    db.run(
        "UPDATE api_keys SET old_secret = secret, grace_until = ?3, secret = ?2 WHERE uuid = ?1",
        (uuid, secret.as_bytes(), grace_until.as_millis()),
    )?;
    Ok(())
}

/// Revokes a key. For [`REVOKED_KEPT_MS`], a holder of its secret can be told that it was revoked.
///
/// # Errors
/// [`crate::Error`] when the row cannot be removed.
pub fn revoke(db: &Db<'_>, uuid: Uuid, now: Timestamp) -> Result<()> {
    db.run(
        "INSERT INTO revoked_keys (uuid, secret, revoked_at) SELECT uuid, secret, ?2 FROM api_keys WHERE uuid = ?1",
        (uuid, now.as_millis()),
    )?;
    db.run("DELETE FROM api_keys WHERE uuid = ?1", [uuid])?;
    Ok(())
}

/// Revokes all keys of an account.
///
/// # Errors
/// [`crate::Error`] when the rows cannot be removed.
pub fn revoke_all(db: &Db<'_>, user_id: i64, now: Timestamp) -> Result<()> {
    for key in by_user(db, user_id, Page::ALL)? {
        revoke(db, key.uuid, now)?;
    }
    Ok(())
}

/// Returns whether a key with that secret existed and was revoked.
///
/// # Errors
/// [`crate::Error`] when the row cannot be read.
pub fn was_revoked(db: &Db<'_>, uuid: Uuid, secret: &KeySecret) -> Result<bool> {
    let stored = db.first("SELECT secret FROM revoked_keys WHERE uuid = ?1", [uuid], |_, row| {
        Ok(StoredSecret::from_bytes(&row.take::<Vec<u8>>()?))
    })?;
    Ok(stored.flatten().is_some_and(|stored| stored.matches(secret)))
}

/// Deletes the records of keys that were revoked more than [`REVOKED_KEPT_MS`] ago.
///
/// # Errors
/// [`crate::Error`] when the rows cannot be removed.
pub fn purge_revoked(db: &Db<'_>, now: Timestamp) -> Result<()> {
    db.run(
        "DELETE FROM revoked_keys WHERE revoked_at < ?1",
        [now.plus_ms(-REVOKED_KEPT_MS).as_millis()],
    )?;
    Ok(())
}

fn stored_secret(row: &mut Columns<'_>, vault: &RowVault<'_>) -> Result<StoredSecret> {
    let bytes: Vec<u8> = row.take()?;
    StoredSecret::from_bytes(&bytes).ok_or_else(|| vault.undecodable("secret"))
}

fn old_secret(row: &mut Columns<'_>, vault: &RowVault<'_>) -> Result<Option<(StoredSecret, Timestamp)>> {
    let (bytes, until): (Option<Vec<u8>>, _) = (row.take()?, row.maybe_timestamp()?);
    let parse = |bytes: Vec<u8>| StoredSecret::from_bytes(&bytes).ok_or_else(|| vault.undecodable("old_secret"));
    Ok(bytes.map(parse).transpose()?.zip(until))
}

fn scopes(row: &mut Columns<'_>, vault: &RowVault<'_>) -> Result<Option<Scopes>> {
    let text: Option<String> = row.take()?;
    let parse = |text: String| Scopes::parse(text.split(' ')).map_err(|_| vault.undecodable("scopes"));
    text.map(parse).transpose()
}

fn networks(row: &mut Columns<'_>, vault: &RowVault<'_>) -> Result<Option<Networks>> {
    let text: Option<String> = row.take()?;
    let parse = |text: String| Networks::parse(text.split(' ')).map_err(|_| vault.undecodable("cidr"));
    text.map(parse).transpose()
}

fn from_row(db: &Db<'_>, row: &mut Columns<'_>) -> Result<ApiKey> {
    let uuid = row.take()?;
    let vault = db.vault.row(TABLE, uuid);
    Ok(ApiKey {
        uuid,
        user_id: row.take()?,
        user_uuid: row.take()?,
        name: vault.open_json("name", row)?,
        level: Level::new(row.take()?).ok_or_else(|| vault.undecodable("level"))?,
        secret: stored_secret(row, &vault)?,
        grace_until: row.maybe_timestamp()?,
        scopes: scopes(row, &vault)?,
        cidr: networks(row, &vault)?,
        instance: row.take()?,
        calls: row.take()?,
        created_at: row.timestamp()?,
        expires_at: row.timestamp()?,
        last_seen: row.maybe_timestamp()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{NOW, with_account};

    #[test]
    fn number_of_expired_keys_is_limited() {
        with_account(|db, user_id| {
            let insert = |number: u128, life_ms| {
                let key = ApiKey {
                    uuid: Uuid::from_u128(number),
                    user_id,
                    user_uuid: Uuid::nil(),
                    name: "key".into(),
                    level: Level::USER,
                    secret: StoredSecret::Digest(SecretDigest::from_bytes([0; 32])),
                    grace_until: None,
                    scopes: None,
                    cidr: None,
                    instance: String::new(),
                    calls: 0,
                    created_at: NOW,
                    expires_at: NOW.plus_ms(life_ms),
                    last_seen: None,
                };
                super::insert(db, &key).unwrap();
            };
            insert(1, 1);
            (2..=u128::from(MAX_EXPIRED_KEYS) + 3).for_each(|number| insert(number, 0));
            prune_expired(db, user_id, NOW).unwrap();
            let kept = by_user(db, user_id, Page::ALL).unwrap();
            assert_eq!(kept.len(), MAX_EXPIRED_KEYS as usize + 1);
            assert_eq!(
                (kept[0].uuid, kept[1].uuid),
                (Uuid::from_u128(1), Uuid::from_u128(4)),
                "live keys stay, and the oldest expired ones are deleted"
            );
        });
    }
}
