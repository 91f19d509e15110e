//! Repository of curated sets: insertion, lookup by id, the list by height, update and deletion.

use bespoke_core::entity::curated_set::{CuratedSet, CuratedSetContent};
use bespoke_core::entity::texts::Texts;
use bespoke_core::measurement::StoredMeasurements;
use bespoke_core::{EntityId, Timestamp};
use rusqlite::named_params;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use crate::connection::{Columns, Db, Page, json};
use crate::error::Result;

const TABLE: &str = "curated_sets";
/// Columns in the order in which `from_row` reads them.
const SELECT: &str = "SELECT id, uuid, created_at, updated_at, height, names, notes, tags, info, measies, published \
     FROM curated_sets";

/// Inserts a new curated set. Returns its integer id.
///
/// # Errors
/// [`crate::Error`] when the row cannot be written.
pub fn insert(db: &Db<'_>, uuid: Uuid, content: &CuratedSetContent, now: Timestamp) -> Result<i64> {
    db.insert(
        "INSERT INTO curated_sets (uuid, height, names, notes, tags, info, measies, published, created_at, updated_at)
         VALUES (:uuid, :height, :names, :notes, :tags, :info, :measies, :published, :now, :now)",
        named_params! {
            ":uuid": uuid,
            ":height": content.height,
            ":names": json(&content.texts.names),
            ":notes": json(&content.texts.notes),
            ":tags": json(&content.texts.tags),
            ":info": content.texts.info,
            ":measies": json(&content.measies),
            ":published": content.published,
            ":now": now.as_millis(),
        },
    )
}

/// Returns the curated set with that id.
///
/// # Errors
/// [`crate::Error`] when the row cannot be read.
pub fn by_id(db: &Db<'_>, id: EntityId) -> Result<Option<CuratedSet>> {
    db.first_by_id(SELECT, TABLE, id, from_row)
}

/// Returns curated sets ordered by height, published or not.
///
/// # Errors
/// [`crate::Error`] when a row cannot be read; [`crate::Error::NoSuchPlace`] when the set that `page` begins after
/// does not exist.
pub fn by_height(db: &Db<'_>, page: Page) -> Result<Vec<CuratedSet<StoredMeasurements>>> {
    let (after_height, after_id) = match page.after {
        None => (i64::MIN, 0),
        Some(id) => by_id(db, id)?
            .map(|set| (set.content.height, set.id))
            .ok_or(crate::Error::NoSuchPlace)?,
    };
    db.all(
        &format!("{SELECT} WHERE (height, id) > (?1, ?2) ORDER BY height, id LIMIT ?3"),
        (after_height, after_id, page.limit()),
        from_row,
    )
}

/// Updates the content of a curated set.
///
/// # Errors
/// [`crate::Error`] when the row cannot be written.
pub fn update(db: &Db<'_>, id: i64, content: &CuratedSetContent, now: Timestamp) -> Result<()> {
    db.run(
        "UPDATE curated_sets SET height = :height, names = :names, notes = :notes, tags = :tags, info = :info,
           measies = :measies, published = :published, updated_at = :now WHERE id = :id",
        named_params! {
            ":id": id,
            ":height": content.height,
            ":names": json(&content.texts.names),
            ":notes": json(&content.texts.notes),
            ":tags": json(&content.texts.tags),
            ":info": content.texts.info,
            ":measies": json(&content.measies),
            ":published": content.published,
            ":now": now.as_millis(),
        },
    )?;
    Ok(())
}

/// Sets the time of the last change of a curated set, for example after its image changed. Returns whether the set
/// exists.
///
/// # Errors
/// [`crate::Error`] when the row cannot be written.
pub fn touch(db: &Db<'_>, id: i64, now: Timestamp) -> Result<bool> {
    let changed = db.run(
        "UPDATE curated_sets SET updated_at = ?2 WHERE id = ?1",
        (id, now.as_millis()),
    )?;
    Ok(changed > 0)
}

/// Deletes a curated set.
///
/// # Errors
/// [`crate::Error`] when the row cannot be removed.
pub fn delete(db: &Db<'_>, id: i64) -> Result<()> {
    db.run("DELETE FROM curated_sets WHERE id = ?1", [id])?;
    Ok(())
}

fn from_row<M: DeserializeOwned>(db: &Db<'_>, row: &mut Columns<'_>) -> Result<CuratedSet<M>> {
    let (id, uuid) = (row.take()?, row.take()?);
    let vault = db.vault.row(TABLE, uuid);
    Ok(CuratedSet {
        id,
        uuid,
        created_at: row.timestamp()?,
        updated_at: row.timestamp()?,
        content: CuratedSetContent {
            height: row.take()?,
            texts: Texts {
                names: vault.json("names", row)?,
                notes: vault.json("notes", row)?,
                tags: vault.json("tags", row)?,
                info: row.take()?,
            },
            measies: vault.json("measies", row)?,
            published: row.take()?,
        },
    })
}
