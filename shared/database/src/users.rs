//! Accounts.

use bespoke_core::entity::user::{Consent, Standing, Status, User};
use bespoke_core::validate::{Language, clean_email, fold_username};
use bespoke_core::{EntityId, Role, Timestamp};
use rusqlite::{Row, named_params};
use uuid::Uuid;

use crate::row::{maybe_timestamp, timestamp};
use crate::{Db, Result};

const TABLE: &str = "users";
const SELECT: &str = "SELECT * FROM users";
pub(crate) const STANDING: &str = "users.id AS owner_id, users.uuid AS owner_uuid, users.role AS owner_role, users.status AS owner_status, \
     users.consent AS owner_consent";

/// What a new account starts with; the rest has defaults.
#[derive(Debug, Clone)]
pub struct NewUser {
    /// UUID.
    pub uuid: Uuid,
    /// The address, cleaned.
    pub email: String,
    /// Random name of the account's image.
    pub ihash: String,
    /// Stored password; text that is no hash never verifies.
    pub password: String,
    /// Role.
    pub role: Role,
    /// Language.
    pub language: Language,
    /// When.
    pub created_at: Timestamp,
}

/// Stores a new account, inactive and without consent, under a user name `user-<id>`; when somebody already has that,
/// its UUID. Gives the integer id.
///
/// # Errors
/// [`crate::Error::Taken`] when the address has an account.
pub fn insert(db: &Db<'_>, new: &NewUser) -> Result<i64> {
    let vault = db.vault.row(TABLE, new.uuid);
    let placeholder = new.uuid.to_string();
    let id = db.insert(
        "INSERT INTO users (uuid, username, lusername, email_index, email, initial, bio, data, ihash, password, role,
           status, consent, control, compare, imperial, newsletter, language, patron, mfa_enabled, jwt_calls,
           key_calls, last_seen, created_at, updated_at)
         VALUES (:uuid, :username, :username, :email_index, :email, :initial, :bio, :data, :ihash, :password, :role,
           0, 0, 1, 1, 0, 0, :language, 0, 0, 0, 0, NULL, :now, :now)",
        named_params! {
            ":uuid": new.uuid,
            ":username": placeholder,
            ":email_index": db.vault.index().email(&new.email),
            ":email": vault.seal("email", &new.email),
            ":initial": vault.seal("initial", &new.email),
            ":bio": vault.seal("bio", ""),
            ":data": vault.seal_json("data", &serde_json::Map::new()),
            ":ihash": new.ihash,
            ":password": new.password,
            ":role": new.role.name(),
            ":language": new.language.code(),
            ":now": new.created_at.as_millis(),
        },
    )?;
    let username = format!("user-{id}");
    if !username_taken(db, &username, id)? {
        db.run(
            "UPDATE users SET username = ?2, lusername = ?2 WHERE id = ?1",
            (id, username),
        )?;
    }
    Ok(id)
}

/// The account with that id.
///
/// # Errors
/// [`crate::Error`] when the row cannot be read.
pub fn by_id(db: &Db<'_>, id: EntityId) -> Result<Option<User>> {
    db.first_by_id(SELECT, TABLE, id, from_row)
}

/// The account that has that address.
///
/// # Errors
/// [`crate::Error`] when the row cannot be read.
pub fn by_email(db: &Db<'_>, address: &str) -> Result<Option<User>> {
    db.first(
        "SELECT * FROM users WHERE email_index = ?1",
        [db.vault.index().email(address)],
        from_row,
    )
}

/// The account that somebody means who types a user name, an address or an id (contract-2023 section 3.0). The kinds
/// cannot be mistaken for each other, so there is at most one.
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
        db.first("SELECT * FROM users WHERE lusername = ?1", [cleaned], from_row)
    }
}

/// What decides at each call what the owner of the account may do; nothing is decrypted.
///
/// # Errors
/// [`crate::Error`] when the row cannot be read.
pub fn standing(db: &Db<'_>, id: i64) -> Result<Option<Standing>> {
    db.first(
        "SELECT id AS owner_id, uuid AS owner_uuid, role AS owner_role, status AS owner_status,
           consent AS owner_consent FROM users WHERE id = ?1",
        [id],
        |db, row| standing_from_row(db, row),
    )
}

/// Whether another account than `except_id` has that user name, in any letter case.
///
/// # Errors
/// [`crate::Error`] when the table cannot be read.
pub fn username_taken(db: &Db<'_>, username: &str, except_id: i64) -> Result<bool> {
    let sql = "SELECT 1 FROM users WHERE lusername = ?1 AND id <> ?2";
    Ok(db
        .first(sql, (fold_username(username), except_id), |_, _| Ok(()))?
        .is_some())
}

/// Stores everything that can change about an account.
///
/// # Errors
/// [`crate::Error::Taken`] when the user name or the address belongs to another account.
pub fn update(db: &Db<'_>, user: &User) -> Result<()> {
    let vault = db.vault.row(TABLE, user.standing.uuid);
    db.run(
        "UPDATE users SET username = :username, lusername = :lusername, email_index = :email_index, email = :email,
           bio = :bio, data = :data, password = :password, role = :role, status = :status, consent = :consent,
           control = :control, compare = :compare, imperial = :imperial, newsletter = :newsletter,
           language = :language, patron = :patron, mfa_enabled = :mfa_enabled, updated_at = :updated_at
         WHERE id = :id",
        named_params! {
            ":id": user.standing.id,
            ":username": user.username,
            ":lusername": user.lusername,
            ":email_index": db.vault.index().email(&user.email),
            ":email": vault.seal("email", &user.email),
            ":bio": vault.seal("bio", &user.bio),
            ":data": vault.seal_json("data", &user.data),
            ":password": user.password,
            ":role": user.standing.role.name(),
            ":status": user.standing.status as i64,
            ":consent": user.standing.consent as i64,
            ":control": user.control,
            ":compare": user.compare,
            ":imperial": user.imperial,
            ":newsletter": user.newsletter,
            ":language": user.language.code(),
            ":patron": user.patron,
            ":mfa_enabled": user.mfa_enabled,
            ":updated_at": user.updated_at.as_millis(),
        },
    )?;
    Ok(())
}

/// Stores a password that was hashed anew.
///
/// # Errors
/// [`crate::Error`] when the row cannot be written.
pub fn set_password(db: &Db<'_>, id: i64, password: &str) -> Result<()> {
    db.run("UPDATE users SET password = ?2 WHERE id = ?1", (id, password))?;
    Ok(())
}

/// Reads the columns that [`STANDING`] selects.
pub(crate) fn standing_from_row(db: &Db<'_>, row: &Row<'_>) -> Result<Standing> {
    let uuid = row.get("owner_uuid")?;
    let unknown = |column| db.vault.row(TABLE, uuid).unknown(column);
    Ok(Standing {
        id: row.get("owner_id")?,
        uuid,
        role: Role::from_name(row.get_ref("owner_role")?.as_str().map_err(|_| unknown("role"))?),
        status: Status::from_number(row.get("owner_status")?).ok_or_else(|| unknown("status"))?,
        consent: Consent::from_number(row.get("owner_consent")?).ok_or_else(|| unknown("consent"))?,
    })
}

fn from_row(db: &Db<'_>, row: &Row<'_>) -> Result<User> {
    let uuid = row.get("uuid")?;
    let vault = db.vault.row(TABLE, uuid);
    let text = |column: &'static str| vault.open(column, row.get_ref(column)?.as_blob().unwrap_or_default());
    let data = vault.open_json("data", row.get_ref("data")?.as_blob().unwrap_or_default())?;
    Ok(User {
        standing: Standing {
            id: row.get("id")?,
            uuid,
            role: Role::from_name(&row.get::<_, String>("role")?),
            status: Status::from_number(row.get("status")?).ok_or_else(|| vault.unknown("status"))?,
            consent: Consent::from_number(row.get("consent")?).ok_or_else(|| vault.unknown("consent"))?,
        },
        bio: text("bio")?,
        compare: row.get("compare")?,
        control: row.get("control")?,
        created_at: timestamp(row, "created_at")?,
        email: text("email")?,
        data,
        ihash: row.get("ihash")?,
        initial: text("initial")?,
        imperial: row.get("imperial")?,
        jwt_calls: row.get("jwt_calls")?,
        key_calls: row.get("key_calls")?,
        language: row
            .get::<_, String>("language")?
            .parse()
            .map_err(|_| vault.unknown("language"))?,
        last_seen: maybe_timestamp(row, "last_seen")?,
        mfa_enabled: row.get("mfa_enabled")?,
        newsletter: row.get("newsletter")?,
        patron: row.get("patron")?,
        updated_at: timestamp(row, "updated_at")?,
        username: row.get("username")?,
        lusername: row.get("lusername")?,
        password: row.get("password")?,
    })
}
