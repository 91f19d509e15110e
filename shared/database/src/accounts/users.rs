//! Repository of accounts: sign-up, lookups, searches, changes and deletion.

use std::sync::Arc;

use bespoke_core::entity::confirmation::ConfirmationKind;
use bespoke_core::entity::user::{AccountStatus, Consent, Status, User};
use bespoke_core::validate::{
    Language, clean_email, fold_username, older_username_form, placeholder_username, username_skeletons,
};
use bespoke_core::{EntityId, Role, Timestamp};
use rusqlite::named_params;
use uuid::Uuid;

use super::confirmations;
use crate::connection::{Columns, Db};
use crate::error::Result;

const TABLE: &str = "users";
/// Columns in the order in which `from_row` reads them.
const SELECT: &str = "SELECT id, uuid, role, status, consent, created_at, tokens_from, bio, compare, control, email, data, ihash, \
     initial, imperial, jwt_calls, key_calls, language, last_seen, mfa_enabled, newsletter, patron, quota, updated_at, \
     username, lusername, password FROM users";

/// Fields of a new account. The others have defaults.
#[derive(Debug, Clone)]
pub struct NewUser {
    /// UUID.
    pub uuid: Uuid,
    /// The normalised address.
    pub email: String,
    /// Stored password. Text that is not a hash never verifies.
    pub password: String,
    /// Role.
    pub role: Role,
    /// Status.
    pub status: Status,
    /// Consent.
    pub consent: Consent,
    /// Language.
    pub language: Language,
    /// Time of creation.
    pub created_at: Timestamp,
}

pub(crate) const SECOND_MS: i64 = 1000;
/// Size of the random name of an account's image, in bytes.
pub(crate) const IHASH_BYTES: usize = 32;

/// Inserts a new account with the user name `user-<id>`, or its UUID if that name or one that looks like it is taken. Returns the integer id.
///
/// # Errors
/// [`crate::Error::Taken`] when the address belongs to another account.
pub fn insert(db: &Db<'_>, new: &NewUser) -> Result<i64> {
    let vault = db.vault.row(TABLE, new.uuid);
    let placeholder = new.uuid.to_string();
    let id = db.insert(
        "INSERT INTO users (uuid, username, lusername, email_index, email, initial, bio, data, ihash, password, role,
           status, consent, control, compare, imperial, newsletter, language, patron, mfa_enabled, jwt_calls,
           key_calls, last_seen, tokens_from, created_at, updated_at)
         VALUES (:uuid, :username, :username, :email_index, :email, :initial, :bio, :data, :ihash, :password, :role,
           :status, :consent, 1, 1, 0, 0, :language, 0, 0, 0, 0, NULL, :second, :now, :now)",
        named_params! {
            ":uuid": new.uuid,
            ":username": placeholder,
            ":email_index": db.vault.index().email(&new.email),
            ":email": vault.seal("email", &new.email),
            ":initial": vault.seal("initial", &new.email),
            ":bio": vault.seal("bio", ""),
            ":data": vault.seal_json("data", &serde_json::Map::new()),
            ":ihash": db.vault.random().hex::<IHASH_BYTES>(),
            ":password": new.password,
            ":role": new.role.name(),
            ":status": new.status as i64,
            ":consent": new.consent as i64,
            ":language": new.language.code(),
            ":now": new.created_at.as_millis(),
            ":second": new.created_at.as_seconds() * SECOND_MS,
        },
    )?;
    let mut username = placeholder_username(id);
    if !username_available(db, &username, id)? {
        username = placeholder;
    } else {
        db.run(
            "UPDATE users SET username = ?2, lusername = ?2 WHERE id = ?1",
            (id, &username),
        )?;
    }
    set_skeletons(db, id, &username)?;
    Ok(id)
}

/// Returns the account with that id.
///
/// # Errors
/// [`crate::Error`] when the row cannot be read.
pub fn by_id(db: &Db<'_>, id: EntityId) -> Result<Option<User>> {
    db.first_by_id(SELECT, TABLE, id, from_row)
}

/// Returns the account with that address.
///
/// # Errors
/// [`crate::Error`] when the row cannot be read.
pub fn by_email(db: &Db<'_>, address: &str) -> Result<Option<User>> {
    for hash in db.vault.email_hashes(address) {
        let user = db.first(&format!("{SELECT} WHERE email_index = ?1"), [hash], from_row)?;
        if user.is_some() {
            return Ok(user);
        }
    }
    Ok(None)
}

/// Returns the account with that user name, address or id. The three kinds cannot be confused, so at most one account
/// matches.
///
/// # Errors
/// [`crate::Error`] when the row cannot be read.
pub fn by_lookup(db: &Db<'_>, text: &str) -> Result<Option<User>> {
    let cleaned = clean_email(text);
    if cleaned.contains('@') {
        by_email(db, &cleaned)
    } else if let Some(id) = EntityId::parse(&cleaned) {
        by_id(db, id)
    } else {
        for name in stored_names(fold_username(text)) {
            let user = db.first(&format!("{SELECT} WHERE lusername = ?1"), [name], from_row)?;
            if user.is_some() {
                return Ok(user);
            }
        }
        Ok(None)
    }
}

/// Returns accounts with an integer id greater than `after`, at most `limit`.
///
/// # Errors
/// [`crate::Error`] when a row cannot be read.
pub fn list_after(db: &Db<'_>, after: i64, limit: u32) -> Result<Vec<User>> {
    db.all(
        &format!("{SELECT} WHERE id > ?1 ORDER BY id LIMIT ?2"),
        (after, limit),
        from_row,
    )
}

/// Returns the account whose image has that name.
///
/// # Errors
/// [`crate::Error`] when the row cannot be read.
pub fn by_ihash(db: &Db<'_>, ihash: &str) -> Result<Option<User>> {
    db.first(&format!("{SELECT} WHERE ihash = ?1"), [ihash], from_row)
}

/// Returns the integer ids of the accounts whose lower-case user name contains that text, at most `limit`.
///
/// # Errors
/// [`crate::Error`] when the table cannot be read.
pub fn with_username_part(db: &Db<'_>, part: &str, limit: u32) -> Result<Vec<i64>> {
    // Scans all names in their index. Only administrators may call this.
    db.all(
        "SELECT id FROM users WHERE lusername >= '' AND instr(lusername, ?1) > 0 ORDER BY lusername LIMIT ?2",
        (part, limit),
        |_, row| Ok(row.take()?),
    )
}

/// Returns the data that determine the permissions of the account's owner. Nothing is decrypted.
///
/// # Errors
/// [`crate::Error`] when the row cannot be read.
pub fn account_status(db: &Db<'_>, id: i64) -> Result<Option<Arc<AccountStatus>>> {
    db.cached(
        |cache| &cache.account_statuses,
        id,
        || {
            db.first(
                "SELECT id, uuid, role, status, consent, created_at, tokens_from FROM users WHERE id = ?1",
                [id],
                account_status_from_row,
            )
        },
    )
}

/// Returns whether another account than `except_id` has that user name, in any letter case.
pub(crate) fn username_taken(db: &Db<'_>, username: &str, except_id: i64) -> Result<bool> {
    let sql = "SELECT 1 FROM users WHERE lusername = ?1 AND id <> ?2";
    for name in stored_names(fold_username(username)) {
        if db.first(sql, (name, except_id), |_, _| Ok(()))?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Returns whether an account may get that new user name: whether no other account than `except_id` has it or a name that looks like it
/// (skeletons of UTS 39). Names that an older version has written are compared by their look only after [`fill_skeletons`].
///
/// # Errors
/// [`crate::Error`] when the table cannot be read.
pub fn username_available(db: &Db<'_>, username: &str, except_id: i64) -> Result<bool> {
    if username_taken(db, username, except_id)? {
        return Ok(false);
    }
    let [shown, folded] = username_skeletons(username);
    let sql = "SELECT 1 FROM users WHERE (skeleton IN (?1, ?2) OR folded_skeleton IN (?1, ?2)) AND id <> ?3";
    Ok(db.first(sql, (shown, folded, except_id), |_, _| Ok(()))?.is_none())
}

/// Sets the skeletons of an account's user name. It must be called after every write of the name: a trigger clears the skeletons then,
/// because older code does not update them.
pub(crate) fn set_skeletons(db: &Db<'_>, id: i64, username: &str) -> Result<()> {
    let [shown, folded] = username_skeletons(username);
    let sql = "UPDATE users SET skeleton = ?2, folded_skeleton = ?3 WHERE id = ?1 AND (skeleton, folded_skeleton) IS NOT (?2, ?3)";
    db.run(sql, (id, shown, folded))?;
    Ok(())
}

/// Fills the skeletons of at most `limit` user names that lack them. Returns the number of names.
///
/// # Errors
/// [`crate::Error`] when a row cannot be read or written.
pub fn fill_skeletons(db: &Db<'_>, limit: u32) -> Result<usize> {
    let sql = "SELECT id, username FROM users INDEXED BY users_without_skeleton
         WHERE skeleton IS NULL AND id > 0 ORDER BY id LIMIT ?1";
    let names: Vec<(i64, String)> = db.all(sql, [limit], |_, row| Ok((row.take()?, row.take()?)))?;
    for (id, username) in &names {
        set_skeletons(db, *id, username)?;
    }
    Ok(names.len())
}

/// Returns the forms in which a folded user name may be stored. Rows of earlier versions may contain another one.
pub(super) fn stored_names(folded: String) -> impl Iterator<Item = String> {
    let older = older_username_form(&folded);
    std::iter::once(folded).chain(older)
}

/// Updates all changeable fields of an account.
///
/// # Errors
/// [`crate::Error::Taken`] when the user name or the address belongs to another account.
pub fn update(db: &Db<'_>, user: &User) -> Result<()> {
    let vault = db.vault.row(TABLE, user.account_status.uuid);
    db.run(
        "UPDATE users SET username = :username, lusername = :lusername, email_index = :email_index, email = :email,
           bio = :bio, data = :data, password = :password, role = :role, status = :status, consent = :consent,
           control = :control, compare = :compare, imperial = :imperial, newsletter = :newsletter,
           language = :language, patron = :patron, quota = :quota, mfa_enabled = :mfa_enabled, updated_at = :updated_at
         WHERE id = :id",
        named_params! {
            ":id": user.account_status.id,
            ":username": user.username,
            ":lusername": user.lusername,
            ":email_index": db.vault.index().email(&user.email),
            ":email": vault.seal("email", &user.email),
            ":bio": vault.seal("bio", &user.bio),
            ":data": vault.seal_json("data", &user.data),
            ":password": user.password,
            ":role": user.account_status.role.name(),
            ":status": user.account_status.status as i64,
            ":consent": user.account_status.consent as i64,
            ":control": user.control,
            ":compare": user.compare,
            ":imperial": user.imperial,
            ":newsletter": user.newsletter,
            ":language": user.language.code(),
            ":patron": user.patron,
            ":quota": user.quota,
            ":mfa_enabled": user.mfa_enabled,
            ":updated_at": user.updated_at.as_millis(),
        },
    )?;
    set_skeletons(db, user.account_status.id, &user.username)
}

/// Stores a new hash of the same password, unless the password was changed in the meantime.
///
/// # Errors
/// [`crate::Error`] when the row cannot be written.
pub fn rehash_password(db: &Db<'_>, id: i64, old: &str, new: &str) -> Result<()> {
    db.run(
        "UPDATE users SET password = ?3 WHERE id = ?1 AND password = ?2",
        (id, old, new),
    )?;
    Ok(())
}

/// Revokes all tokens of the account that were signed until now, because its owner signed out everywhere or it was
/// blocked. Also deletes its links that sign in or change its address: a thief of the mailbox could otherwise sign in
/// again, and a link would work again after the block.
///
/// # Errors
/// [`crate::Error`] when the rows cannot be written.
pub fn revoke_tokens(db: &Db<'_>, id: i64, now: Timestamp) -> Result<()> {
    // Tokens have a resolution of one second. Those of the current second are revoked too; new ones start with the
    // next second.
    let next_second_ms = (now.as_seconds() + 1) * SECOND_MS;
    db.run(
        "UPDATE users SET tokens_from = max(?2, tokens_from + ?3) WHERE id = ?1",
        (id, next_second_ms, SECOND_MS),
    )?;
    for kind in [
        ConfirmationKind::SigninLink,
        ConfirmationKind::SignupActive,
        ConfirmationKind::EmailChange,
    ] {
        confirmations::delete_kind(db, id, kind)?;
    }
    Ok(())
}

/// Records that an administrator has deactivated the account, or has undone this.
///
/// # Errors
/// [`crate::Error`] when the row cannot be written.
pub fn set_deactivated(db: &Db<'_>, id: i64, deactivated: bool) -> Result<()> {
    db.run("UPDATE users SET deactivated = ?2 WHERE id = ?1", (id, deactivated))?;
    Ok(())
}

/// Returns whether the account is inactive because its owner has not activated it yet, and not because of an
/// administrator.
///
/// # Errors
/// [`crate::Error`] when the row cannot be read.
pub fn awaits_activation(db: &Db<'_>, id: i64) -> Result<bool> {
    let sql = "SELECT status = ?2 AND NOT deactivated FROM users WHERE id = ?1";
    let awaits_activation = db.first(sql, (id, Status::Inactive as i64), |_, row| Ok(row.take()?))?;
    Ok(awaits_activation.unwrap_or_default())
}

/// Deletes an account and all its records. Every table that refers to accounts declares that its rows are deleted too.
///
/// # Errors
/// [`crate::Error`] when the rows cannot be removed.
pub fn delete(db: &Db<'_>, id: i64) -> Result<()> {
    // Subscribers do not need an account, so their table does not refer to it.
    db.run(
        "DELETE FROM subscribers WHERE email_index = (SELECT email_index FROM users WHERE id = ?1)",
        [id],
    )?;
    if db.vault.is_rotating()
        && let Some(user) = by_id(db, EntityId::Integer(id))?
    {
        // The two hashes may have been made with different keys.
        for hash in db.vault.email_hashes(&user.email) {
            db.run("DELETE FROM subscribers WHERE email_index = ?1", [hash])?;
        }
    }
    db.run("DELETE FROM users WHERE id = ?1", [id])?;
    Ok(())
}

/// Reads the columns id, uuid, role, status, consent, created_at and tokens_from.
pub(crate) fn account_status_from_row(db: &Db<'_>, row: &mut Columns<'_>) -> Result<AccountStatus> {
    let (id, uuid) = (row.take()?, row.take()?);
    let vault = db.vault.row(TABLE, uuid);
    Ok(AccountStatus {
        id,
        uuid,
        role: Role::from_name(&row.take::<String>()?),
        status: Status::from_number(row.take()?).ok_or_else(|| vault.undecodable("status"))?,
        consent: Consent::from_number(row.take()?).ok_or_else(|| vault.undecodable("consent"))?,
        created_at: row.timestamp()?,
        tokens_from: row.timestamp()?,
    })
}

fn from_row(db: &Db<'_>, row: &mut Columns<'_>) -> Result<User> {
    let account_status = account_status_from_row(db, row)?;
    let vault = db.vault.row(TABLE, account_status.uuid);
    Ok(User {
        account_status,
        bio: vault.open("bio", row)?,
        compare: row.take()?,
        control: row.take()?,
        email: vault.open("email", row)?,
        data: vault.open_json("data", row)?,
        ihash: row.take()?,
        initial: vault.open("initial", row)?,
        imperial: row.take()?,
        jwt_calls: row.take()?,
        key_calls: row.take()?,
        language: row
            .take::<String>()?
            .parse()
            .map_err(|_| vault.undecodable("language"))?,
        last_seen: row.maybe_timestamp()?,
        mfa_enabled: row.take()?,
        newsletter: row.take()?,
        patron: row.take()?,
        quota: row.take()?,
        updated_at: row.timestamp()?,
        username: row.take()?,
        lusername: row.take()?,
        password: row.take()?,
    })
}

#[cfg(test)]
mod tests {
    use bespoke_core::validate::fold_username;

    use super::*;
    use crate::testing::{NOW, with_account};

    /// Adds an account. Returns its integer id.
    fn add(db: &Db<'_>, address: &str) -> i64 {
        let new = NewUser {
            uuid: Uuid::from_u128(u128::from(address.as_bytes()[0])),
            email: address.to_owned(),
            password: String::new(),
            role: Role::User,
            status: Status::Active,
            consent: Consent::None,
            language: Language::En,
            created_at: NOW,
        };
        insert(db, &new).unwrap()
    }

    /// Adds an account as older code does, which does not know skeletons.
    fn add_without_skeletons(db: &Db<'_>, address: &str, username: &str) -> i64 {
        let id = add(db, address);
        let rename = "UPDATE users SET username = ?2, lusername = ?3 WHERE id = ?1";
        db.run(rename, (id, username, fold_username(username))).unwrap();
        id
    }

    #[test]
    fn names_of_older_code_are_compared_after_maintenance() {
        with_account(|db, jane| {
            for (address, name) in [("a@b.de", "lone"), ("b@b.de", "Ada"), ("c@b.de", "Ida")] {
                add_without_skeletons(db, address, name);
            }
            let free = |name| username_available(db, name, jane).unwrap();
            assert!(free("1one") && !free("LONE"));
            let steps: Vec<_> = (0..3).map(|_| fill_skeletons(db, 2).unwrap()).collect();
            assert_eq!(steps, [2, 1, 0]);
            assert!(!free("1one") && !free("Ione") && !free("\u{410}da") && free("Eda"));
        });
    }

    #[test]
    fn imitated_account_gets_its_uuid_as_name() {
        with_account(|db, jane| {
            let imitated = jane + 2;
            let digits: String = imitated
                .to_string()
                .chars()
                .map(|c| char::from_u32(u32::from(c) + 0xFEE0).unwrap())
                .collect();
            add_without_skeletons(db, "a@b.de", &format!("user-{digits}"));
            fill_skeletons(db, 2).unwrap();
            let name_of = |id| by_id(db, EntityId::Integer(id)).unwrap().unwrap().username;
            assert_eq!(add(db, "b@b.de"), imitated);
            assert_eq!(name_of(imitated), Uuid::from_u128(u128::from(b'b')).to_string());
            let next = add(db, "c@b.de");
            assert_eq!(name_of(next), format!("user-{next}"));
        });
    }

    #[test]
    fn own_name_and_free_names_are_available() {
        with_account(|db, jane| {
            let mut user = by_id(db, EntityId::Integer(jane)).unwrap().unwrap();
            user.username = "Lone".to_owned();
            user.lusername = fold_username("Lone");
            update(db, &user).unwrap();
            assert_eq!(fill_skeletons(db, 2).unwrap(), 0);
            let another = jane + 1;
            assert!(username_available(db, "1one", jane).unwrap());
            assert!(!username_available(db, "1one", another).unwrap());
            user.username = "Jane".to_owned();
            user.lusername = fold_username("Jane");
            update(db, &user).unwrap();
            assert!(username_available(db, "1one", another).unwrap());
        });
    }
}
