//! Repository of option packs: insertion, lookup by id, lists of all or of a design, update, image and deletion.

use bespoke_core::entity::option_pack::{OptionPack, OptionPackContent};
use bespoke_core::entity::texts::Texts;
use bespoke_core::{EntityId, Timestamp};
use rusqlite::named_params;
use uuid::Uuid;

use crate::connection::{Columns, Db, Page, json};
use crate::error::Result;

const TABLE: &str = "option_packs";
/// Columns in the order in which `from_row` reads them.
const SELECT: &str = "SELECT id, uuid, created_at, updated_at, design, names, notes, tags, info, options, img \
     FROM option_packs";

/// Inserts a new option pack. Returns its integer id.
///
/// # Errors
/// [`crate::Error`] when the row cannot be written.
pub fn insert(db: &Db<'_>, uuid: Uuid, content: &OptionPackContent, now: Timestamp) -> Result<i64> {
    db.insert(
        "INSERT INTO option_packs (uuid, design, names, notes, tags, info, options, img, created_at, updated_at)
         VALUES (:uuid, :design, :names, :notes, :tags, :info, :options, :img, :now, :now)",
        named_params! {
            ":uuid": uuid,
            ":design": content.design,
            ":names": json(&content.texts.names),
            ":notes": json(&content.texts.notes),
            ":tags": json(&content.texts.tags),
            ":info": content.texts.info,
            ":options": json(&content.options),
            ":img": content.img,
            ":now": now.as_millis(),
        },
    )
}

/// Returns the option pack with that id.
///
/// # Errors
/// [`crate::Error`] when the row cannot be read.
pub fn by_id(db: &Db<'_>, id: EntityId) -> Result<Option<OptionPack>> {
    db.first_by_id(SELECT, TABLE, id, from_row)
}

/// Returns option packs of one design or of all, in the order of their creation.
///
/// # Errors
/// [`crate::Error`] when a row cannot be read.
pub fn list(db: &Db<'_>, design: Option<&str>, page: Page) -> Result<Vec<OptionPack>> {
    let (after, limit) = (db.after(TABLE, page)?, page.limit());
    match design {
        Some(design) => db.all(
            &format!("{SELECT} WHERE design = ?1 AND id > ?2 ORDER BY id LIMIT ?3"),
            (design, after, limit),
            from_row,
        ),
        None => db.all(
            &format!("{SELECT} WHERE id > ?1 ORDER BY id LIMIT ?2"),
            (after, limit),
            from_row,
        ),
    }
}

/// Updates the content of an option pack. Its design and its image do not change.
///
/// # Errors
/// [`crate::Error`] when the row cannot be written.
pub fn update(db: &Db<'_>, id: i64, content: &OptionPackContent, now: Timestamp) -> Result<()> {
    db.run(
        "UPDATE option_packs SET names = :names, notes = :notes, tags = :tags, info = :info, options = :options,
           updated_at = :now WHERE id = :id",
        named_params! {
            ":id": id,
            ":names": json(&content.texts.names),
            ":notes": json(&content.texts.notes),
            ":tags": json(&content.texts.tags),
            ":info": content.texts.info,
            ":options": json(&content.options),
            ":now": now.as_millis(),
        },
    )?;
    Ok(())
}

/// Sets the image of an option pack. Returns whether the option pack exists.
///
/// # Errors
/// [`crate::Error`] when the row cannot be written.
pub fn set_image(db: &Db<'_>, id: i64, img: &str, now: Timestamp) -> Result<bool> {
    let changed = db.run(
        "UPDATE option_packs SET img = ?2, updated_at = ?3 WHERE id = ?1",
        (id, img, now.as_millis()),
    )?;
    Ok(changed > 0)
}

/// Deletes an option pack.
///
/// # Errors
/// [`crate::Error`] when the row cannot be removed.
pub fn delete(db: &Db<'_>, id: i64) -> Result<()> {
    db.run("DELETE FROM option_packs WHERE id = ?1", [id])?;
    Ok(())
}

fn from_row(db: &Db<'_>, row: &mut Columns<'_>) -> Result<OptionPack> {
    let (id, uuid) = (row.take()?, row.take()?);
    let vault = db.vault.row(TABLE, uuid);
    Ok(OptionPack {
        id,
        uuid,
        created_at: row.timestamp()?,
        updated_at: row.timestamp()?,
        content: OptionPackContent {
            design: row.take()?,
            texts: Texts {
                names: vault.json("names", row)?,
                notes: vault.json("notes", row)?,
                tags: vault.json("tags", row)?,
                info: row.take()?,
            },
            options: vault.json("options", row)?,
            img: row.take()?,
        },
    })
}
