//! Public columns of accounts: [`Profile`] and [`ProfileName`]. Callers without an account can read many of them in a short time, so only those
//! columns are decrypted that a response contains.

use bespoke_core::EntityId;
use bespoke_core::entity::user::AccountStatus;
use bespoke_core::validate::fold_username;

use super::users::{account_status_from_row, stored_names};
use crate::connection::{Columns, Db};
use crate::error::Result;

const TABLE: &str = "users";
/// Columns in the order in which `name_from_row` reads them.
const SELECT_NAME: &str = "SELECT id, uuid, role, status, consent, created_at, tokens_from, username, ihash FROM users";
/// Columns in the order in which `from_row` reads them.
const SELECT: &str =
    "SELECT id, uuid, role, status, consent, created_at, tokens_from, username, ihash, patron, bio FROM users";

/// The name and the image of an account.
#[derive(Debug, Clone)]
pub struct ProfileName {
    /// Identity, role and status.
    pub account_status: AccountStatus,
    /// User name.
    pub username: String,
    /// Name of the account's image.
    pub ihash: String,
}

/// The profile of an account.
#[derive(Debug, Clone)]
pub struct Profile {
    /// Name and image.
    pub name: ProfileName,
    /// Tier of patronage.
    pub patron: i64,
    /// Description that the owner has written.
    pub bio: String,
}

/// Returns the profile of the account with that id or user name.
///
/// # Errors
/// [`crate::Error`] when the row cannot be read.
pub fn by_id_or_name(db: &Db<'_>, text: &str) -> Result<Option<Profile>> {
    if let Some(id) = EntityId::parse(text.trim()) {
        return db.first_by_id(SELECT, TABLE, id, from_row);
    }
    for name in stored_names(fold_username(text)) {
        let found = db.first(&format!("{SELECT} WHERE lusername = ?1"), [name], from_row)?;
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

/// Returns the name of the account with that id.
///
/// # Errors
/// [`crate::Error`] when the row cannot be read.
pub fn name_by_id(db: &Db<'_>, id: EntityId) -> Result<Option<ProfileName>> {
    db.first_by_id(SELECT_NAME, TABLE, id, name_from_row)
}

/// Returns the accounts whose lower-case user name begins with that text, at most `limit`.
///
/// # Errors
/// [`crate::Error`] when the table cannot be read.
pub fn names_by_prefix(db: &Db<'_>, prefix: &str, limit: u32) -> Result<Vec<ProfileName>> {
    // The last character of Unicode is not assigned, so no name contains it.
    let found = "lusername >= ?1 AND lusername < ?1 || char(0x10ffff) ORDER BY lusername LIMIT ?2";
    db.all(&format!("{SELECT_NAME} WHERE {found}"), (prefix, limit), name_from_row)
}

fn name_from_row(db: &Db<'_>, row: &mut Columns<'_>) -> Result<ProfileName> {
    Ok(ProfileName {
        account_status: account_status_from_row(db, row)?,
        username: row.take()?,
        ihash: row.take()?,
    })
}

fn from_row(db: &Db<'_>, row: &mut Columns<'_>) -> Result<Profile> {
    let name = name_from_row(db, row)?;
    Ok(Profile {
        patron: row.take()?,
        bio: db.vault.row(TABLE, name.account_status.uuid).open("bio", row)?,
        name,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{with_account, with_other_keys};

    #[test]
    fn names_are_found_without_decryption() {
        with_account(|db, id| {
            with_other_keys(db, |db| {
                let by_prefix = names_by_prefix(db, "user-", 10).unwrap();
                let by_id = name_by_id(db, EntityId::Integer(id)).unwrap();
                let names: Vec<_> = by_prefix.into_iter().chain(by_id).map(|found| found.username).collect();
                assert_eq!(names, [format!("user-{id}"), format!("user-{id}")]);
                assert!(names_by_prefix(db, "user-x", 10).unwrap().is_empty());
            });
        });
    }

    #[test]
    fn profile_needs_no_other_encrypted_column_than_bio() {
        with_account(|db, id| {
            let damage = "UPDATE users SET email = x'00', data = x'00', initial = x'00' WHERE id = ?1";
            db.run(damage, [id]).unwrap();
            for text in [id.to_string(), format!("user-{id}"), format!(" USER-{id} ")] {
                let found = by_id_or_name(db, &text).unwrap().unwrap();
                assert_eq!(
                    (found.name.account_status.id, found.bio.as_str(), found.patron),
                    (id, "", 0)
                );
            }
            assert!(by_id_or_name(db, "nobody").unwrap().is_none());
        });
    }
}
