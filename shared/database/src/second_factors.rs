//! Second factors: the secret that an authenticator app has too, and scratch codes.

use bespoke_core::entity::user::AccountStatus;
use bespoke_core::{BlindIndex, ScratchCode, TotpSecret};
use uuid::Uuid;

use crate::{Db, Result};

const TABLE: &str = "second_factors";

/// A second factor.
#[derive(Debug, Clone)]
pub struct SecondFactor {
    /// The secret.
    pub secret: TotpSecret,
    /// The step of the last one-time password that signed in; -1 when none has.
    pub last_step: i64,
}

/// Stores a new secret; an older one and its scratch codes are void from now on.
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

/// The second factor of an account, whether it is asked for or only set up.
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

/// Notes that the one-time password of that step has signed in. False when it, or a later one, had before.
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

/// Uses up a scratch code. False when there is none like it any more.
///
/// # Errors
/// [`crate::Error`] when the row cannot be removed.
pub fn use_scratch_code(db: &Db<'_>, owner: &AccountStatus, code: &ScratchCode) -> Result<bool> {
    let mut deleted = 0;
    for index in db.vault.indexes() {
        deleted += db.run(
            "DELETE FROM scratch_codes WHERE user_id = ?1 AND digest = ?2",
            (owner.id, digest(index, owner.uuid, code)),
        )?;
    }
    Ok(deleted > 0)
}

/// Forgets the secret and the scratch codes of an account.
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
