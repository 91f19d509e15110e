//! Repository of sign-ins in progress at OAuth providers: [`insert`], [`claim`], [`remember`] the identity, and [`delete`]. Each can be
//! completed once.

use bespoke_core::Timestamp;
use bespoke_core::entity::oauth::{LIFE_MS, OauthIdentity, OauthState, Provider};
use rusqlite::named_params;
use uuid::Uuid;

use crate::connection::{Columns, Db};
use crate::error::Result;

const TABLE: &str = "oauth_states";

/// Inserts a sign-in that begins.
///
/// # Errors
/// [`crate::Error`] when the row cannot be written.
pub fn insert(db: &Db<'_>, state: &OauthState) -> Result<()> {
    let vault = db.vault.row(TABLE, state.uuid);
    db.insert(
        "INSERT INTO oauth_states (uuid, provider, language, verifier, claimed, created_at)
         VALUES (:uuid, :provider, :language, :verifier, 0, :created_at)",
        named_params! {
            ":uuid": state.uuid,
            ":provider": state.provider.name(),
            ":language": state.language.code(),
            ":verifier": vault.seal("verifier", &state.verifier),
            ":created_at": state.created_at.as_millis(),
        },
    )?;
    Ok(())
}

/// Returns the sign-in with that UUID, even if it has expired.
///
/// # Errors
/// [`crate::Error`] when the row cannot be read.
pub fn by_uuid(db: &Db<'_>, uuid: Uuid) -> Result<Option<OauthState>> {
    db.first(
        "SELECT uuid, provider, language, verifier, returned, created_at FROM oauth_states WHERE uuid = ?1",
        [uuid],
        from_row,
    )
}

/// Claims the sign-in, so that only one request queries the provider. Returns false if it was claimed before.
///
/// # Errors
/// [`crate::Error`] when the row cannot be written.
pub fn claim(db: &Db<'_>, uuid: Uuid) -> Result<bool> {
    let changed = db.run(
        "UPDATE oauth_states SET claimed = 1 WHERE uuid = ?1 AND claimed = 0",
        [uuid],
    )?;
    Ok(changed > 0)
}

/// Stores the identity that the provider returned.
///
/// # Errors
/// [`crate::Error`] when the row cannot be written.
pub fn remember(db: &Db<'_>, uuid: Uuid, identity: &OauthIdentity) -> Result<()> {
    let sealed = db.vault.row(TABLE, uuid).seal_json("returned", identity);
    db.run("UPDATE oauth_states SET returned = ?2 WHERE uuid = ?1", (uuid, sealed))?;
    Ok(())
}

/// Deletes a completed sign-in.
///
/// # Errors
/// [`crate::Error`] when the row cannot be removed.
pub fn delete(db: &Db<'_>, uuid: Uuid) -> Result<()> {
    db.run("DELETE FROM oauth_states WHERE uuid = ?1", [uuid])?;
    Ok(())
}

/// Deletes expired sign-ins. Returns their number.
///
/// # Errors
/// [`crate::Error`] when a row cannot be removed.
pub fn purge(db: &Db<'_>, now: Timestamp) -> Result<usize> {
    db.run(
        "DELETE FROM oauth_states WHERE created_at <= ?1",
        [now.plus_ms(-LIFE_MS).as_millis()],
    )
}

fn from_row(db: &Db<'_>, row: &mut Columns<'_>) -> Result<OauthState> {
    let uuid = row.take()?;
    let vault = db.vault.row(TABLE, uuid);
    Ok(OauthState {
        uuid,
        provider: Provider::from_name(&row.take::<String>()?).ok_or_else(|| vault.undecodable("provider"))?,
        language: row
            .take::<String>()?
            .parse()
            .map_err(|_| vault.undecodable("language"))?,
        verifier: vault.open("verifier", row)?,
        returned: vault
            .maybe_open("returned", row)?
            .map(|json| serde_json::from_str(&json).map_err(|_| vault.undecodable("returned")))
            .transpose()?,
        created_at: row.timestamp()?,
    })
}
