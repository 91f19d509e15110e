//! Repository of patterns: insertion, lookup by id, lists of an account, update, image and deletion.

use bespoke_core::entity::pattern::{Pattern, PatternContent};
use bespoke_core::{EntityId, Timestamp};
use rusqlite::named_params;
use uuid::Uuid;

use crate::connection::{Columns, Db, Page};
use crate::error::Result;

const TABLE: &str = "patterns";
/// Columns in the order in which `from_row` reads them.
const SELECT: &str = "SELECT patterns.id, patterns.uuid, patterns.user_id, users.uuid, patterns.created_at, \
     patterns.updated_at, patterns.design, patterns.name, patterns.notes, patterns.data, patterns.settings, \
     patterns.public, patterns.img FROM patterns JOIN users ON users.id = patterns.user_id";

/// Inserts a new pattern of an account. Returns its integer id.
///
/// # Errors
/// [`crate::Error`] when the row cannot be written.
pub fn insert(db: &Db<'_>, uuid: Uuid, user_id: i64, content: &PatternContent, now: Timestamp) -> Result<i64> {
    let vault = db.vault.row(TABLE, uuid);
    db.insert(
        "INSERT INTO patterns (uuid, user_id, design, name, notes, data, settings, public, img, created_at, updated_at)
         VALUES (:uuid, :user_id, :design, :name, :notes, :data, :settings, :public, :img, :now, :now)",
        named_params! {
            ":uuid": uuid,
            ":user_id": user_id,
            ":design": content.design,
            ":name": vault.seal("name", &content.name),
            ":notes": vault.seal("notes", &content.notes),
            ":data": vault.seal_json("data", &content.data),
            ":settings": vault.seal_json("settings", &content.settings),
            ":public": content.public,
            ":img": content.img,
            ":now": now.as_millis(),
        },
    )
}

/// Returns the pattern with that id.
///
/// # Errors
/// [`crate::Error`] when the row cannot be read.
pub fn by_id(db: &Db<'_>, id: EntityId) -> Result<Option<Pattern>> {
    db.first_by_id(SELECT, TABLE, id, from_row)
}

/// Returns the account that owns the pattern with that UUID. Nothing is decrypted.
///
/// # Errors
/// [`crate::Error`] when the row cannot be read.
pub fn owner_of(db: &Db<'_>, uuid: Uuid) -> Result<Option<i64>> {
    db.first("SELECT user_id FROM patterns WHERE uuid = ?1", [uuid], |_, row| {
        Ok(row.take()?)
    })
}

/// Returns whether the image `img` is public because it belongs to a public pattern. `id` is the id of the pattern, which
/// is part of the name of the image. The row must name the image, too, because after a restore another pattern can get
/// the same id.
///
/// # Errors
/// [`crate::Error`] when the row cannot be read.
pub fn shows_image(db: &Db<'_>, id: i64, img: &str) -> Result<bool> {
    let sql = "SELECT public AND img = ?2 FROM patterns WHERE id = ?1";
    let is_shown: Option<Option<bool>> = db.first(sql, (id, img), |_, row| Ok(row.take()?))?;
    Ok(is_shown.flatten().unwrap_or_default())
}

/// Returns the patterns of an account, in the order of their creation.
///
/// # Errors
/// [`crate::Error`] when a row cannot be read.
pub fn by_user(db: &Db<'_>, user_id: i64, page: Page) -> Result<Vec<Pattern>> {
    db.all(
        &format!("{SELECT} WHERE patterns.user_id = ?1 AND patterns.id > ?2 ORDER BY patterns.id LIMIT ?3"),
        (user_id, db.after(TABLE, page)?, page.limit()),
        from_row,
    )
}

/// Calls `each` for each pattern of an account in turn, so that only one is in memory.
///
/// # Errors
/// [`crate::Error`] when a row cannot be read, and the first error of `each`.
pub fn each_by_user<E: From<crate::Error>>(
    db: &Db<'_>,
    user_id: i64,
    each: impl FnMut(Pattern) -> Result<(), E>,
) -> Result<(), E> {
    db.each(
        &format!("{SELECT} WHERE patterns.user_id = ?1 ORDER BY patterns.id"),
        [user_id],
        from_row,
        each,
    )
}

/// Updates the content of a pattern. Its design and its image do not change.
///
/// # Errors
/// [`crate::Error`] when the row cannot be written.
pub fn update(db: &Db<'_>, id: i64, uuid: Uuid, content: &PatternContent, now: Timestamp) -> Result<()> {
    let vault = db.vault.row(TABLE, uuid);
    db.run(
        "UPDATE patterns SET name = :name, notes = :notes, data = :data, settings = :settings, public = :public,
           updated_at = :now WHERE id = :id",
        named_params! {
            ":id": id,
            ":name": vault.seal("name", &content.name),
            ":notes": vault.seal("notes", &content.notes),
            ":data": vault.seal_json("data", &content.data),
            ":settings": vault.seal_json("settings", &content.settings),
            ":public": content.public,
            ":now": now.as_millis(),
        },
    )?;
    Ok(())
}

/// Sets the image of a pattern. Returns whether the pattern exists.
///
/// # Errors
/// [`crate::Error`] when the row cannot be written.
pub fn set_image(db: &Db<'_>, id: i64, img: &str, now: Timestamp) -> Result<bool> {
    let changed = db.run(
        "UPDATE patterns SET img = ?2, updated_at = ?3 WHERE id = ?1",
        (id, img, now.as_millis()),
    )?;
    Ok(changed > 0)
}

/// Deletes a pattern.
///
/// # Errors
/// [`crate::Error`] when the row cannot be removed.
pub fn delete(db: &Db<'_>, id: i64) -> Result<()> {
    db.run("DELETE FROM patterns WHERE id = ?1", [id])?;
    Ok(())
}

fn from_row(db: &Db<'_>, row: &mut Columns<'_>) -> Result<Pattern> {
    let (id, uuid) = (row.take()?, row.take()?);
    let vault = db.vault.row(TABLE, uuid);
    Ok(Pattern {
        id,
        uuid,
        user_id: row.take()?,
        user_uuid: row.take()?,
        created_at: row.timestamp()?,
        updated_at: row.timestamp()?,
        content: PatternContent {
            design: row.take()?,
            name: vault.open("name", row)?,
            notes: vault.open("notes", row)?,
            data: vault.open_json("data", row)?,
            settings: vault.open_json("settings", row)?,
            public: row.take()?,
            img: row.take()?,
        },
    })
}

#[cfg(test)]
mod tests {
    use bespoke_core::StoredJson;
    use serde_json::json;

    use super::*;
    use crate::testing::{NOW, with_account, with_other_keys};

    #[test]
    fn owner_is_found_without_decryption() {
        with_account(|db, user_id| {
            let uuid = Uuid::from_u128(1);
            let content = PatternContent {
                design: "aaron".to_owned(),
                name: String::new(),
                notes: String::new(),
                data: StoredJson::from(&json!({})),
                settings: StoredJson::from(&json!({})),
                public: false,
                img: None,
            };
            insert(db, uuid, user_id, &content, NOW).unwrap();
            with_other_keys(db, |db| {
                assert!(by_id(db, EntityId::Uuid(uuid)).is_err());
                assert_eq!(owner_of(db, uuid).unwrap(), Some(user_id));
                assert_eq!(owner_of(db, Uuid::nil()).unwrap(), None);
            });
        });
    }
}
