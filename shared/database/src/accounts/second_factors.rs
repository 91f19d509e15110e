//! Repository of second factors: the secret that is shared with an authenticator app ([`SecondFactor`]), and scratch codes, each of which
//! can be used once.

use bespoke_core::entity::user::AccountStatus;
use bespoke_core::{BlindIndex, ScratchCode, TotpSecret};
use uuid::Uuid;

use crate::connection::Db;
use crate::error::Result;

const TABLE: &str = "second_factors";

/// A second factor.
#[derive(Debug, Clone)]
pub struct SecondFactor {
    /// The secret.
    pub secret: TotpSecret,
    /// The time step of the last accepted one-time password; -1 if there is none.
    pub last_step: i64,
}

/// Stores a new secret. An older one and its scratch codes become invalid.
///
/// # Errors
/// [`crate::Error`] when the row cannot be written.
pub fn insert(db: &Db<'_>, owner: &AccountStatus, secret: &TotpSecret) -> Result<()> {
    delete(db, owner.id)?;
    let sealed = db.vault.row(TABLE, owner.uuid).seal("secret", secret.expose());
    db.insert(
        "INSERT INTO second_factors (user_id, secret, last_step) VALUES (?1, ?2, -1)",
        (owner.id, sealed),
    )?;
    Ok(())
}

/// Returns the second factor of an account, whether it is enabled or only set up.
///
/// # Errors
/// [`crate::Error`] when the row cannot be read.
pub fn of(db: &Db<'_>, owner: &AccountStatus) -> Result<Option<SecondFactor>> {
    db.first(
        "SELECT secret, last_step FROM second_factors WHERE user_id = ?1",
        [owner.id],
        |db, row| {
            Ok(SecondFactor {
                secret: TotpSecret::from_stored(db.vault.row(TABLE, owner.uuid).open("secret", row)?),
                last_step: row.take()?,
            })
        },
    )
}

/// Records that the one-time password of that step was used. Returns false if it or a later one was used before.
///
/// # Errors
/// [`crate::Error`] when the row cannot be written.
pub fn use_step(db: &Db<'_>, owner_id: i64, step: i64) -> Result<bool> {
    let changed = db.run(
        "UPDATE second_factors SET last_step = ?2 WHERE user_id = ?1 AND last_step < ?2",
        (owner_id, step),
    )?;
    Ok(changed > 0)
}

/// Stores scratch codes.
///
/// # Errors
/// [`crate::Error`] when a row cannot be written.
pub fn insert_scratch_codes(db: &Db<'_>, owner: &AccountStatus, codes: &[ScratchCode]) -> Result<()> {
    for code in codes {
        db.insert(
            "INSERT INTO scratch_codes (user_id, digest) VALUES (?1, ?2)",
            (owner.id, digest(db.vault.index(), owner.uuid, code)),
        )?;
    }
    Ok(())
}

/// Consumes a scratch code. Returns false if the account has no such code.
///
/// # Errors
/// [`crate::Error`] when the row cannot be removed.
pub fn use_scratch_code(db: &Db<'_>, owner: &AccountStatus, code: &ScratchCode) -> Result<bool> {
    let mut deleted = 0;
    for index in db.vault.index_keys() {
        deleted += db.run(
            "DELETE FROM scratch_codes WHERE user_id = ?1 AND digest = ?2",
            (owner.id, digest(index, owner.uuid, code)),
        )?;
    }
    Ok(deleted > 0)
}

/// Deletes the secret and the scratch codes of an account.
///
/// # Errors
/// [`crate::Error`] when the rows cannot be removed.
pub fn delete(db: &Db<'_>, owner_id: i64) -> Result<()> {
    db.run("DELETE FROM second_factors WHERE user_id = ?1", [owner_id])?;
    db.run("DELETE FROM scratch_codes WHERE user_id = ?1", [owner_id])?;
    Ok(())
}

fn digest(index: &BlindIndex, owner: Uuid, code: &ScratchCode) -> [u8; 32] {
    index.entry("scratch code", &format!("{owner} {}", code.plain()))
}
