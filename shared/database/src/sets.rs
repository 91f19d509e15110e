//! Measurement sets.

use std::sync::Arc;

use bespoke_core::entity::set::{MeasurementSet, SetContent};
use bespoke_core::measurement::StoredMeasurements;
use bespoke_core::{EntityId, Timestamp};
use rusqlite::named_params;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use crate::recent::Stored;
use crate::row::Columns;
use crate::{Db, Page, Result};

const TABLE: &str = "sets";
/// In the order in which `from_row` takes them.
const SELECT: &str = "SELECT sets.id, sets.uuid, sets.user_id, users.uuid, sets.created_at, sets.updated_at, sets.name, \
     sets.notes, sets.imperial, sets.public, sets.measies, sets.img \
     FROM sets JOIN users ON users.id = sets.user_id";

/// A set whose measurements are only passed on.
pub type StoredSet = Stored<MeasurementSet<StoredMeasurements>>;

/// Stores a new set of an account; gives its integer id.
///
/// # Errors
/// [`crate::Error`] when the row cannot be written.
pub fn insert(db: &Db<'_>, uuid: Uuid, user_id: i64, content: &SetContent, now: Timestamp) -> Result<i64> {
    let vault = db.vault.row(TABLE, uuid);
    db.insert(
        "INSERT INTO sets (uuid, user_id, name, notes, measies, imperial, public, img, created_at, updated_at)
         VALUES (:uuid, :user_id, :name, :notes, :measies, :imperial, :public, :img, :now, :now)",
        named_params! {
            ":uuid": uuid,
            ":user_id": user_id,
            ":name": vault.seal("name", &content.name),
            ":notes": vault.seal("notes", &content.notes),
            ":measies": vault.seal_json("measies", &content.measies),
            ":imperial": content.imperial,
            ":public": content.public,
            ":img": content.img,
            ":now": now.as_millis(),
        },
    )
}

/// The set with that id.
///
/// # Errors
/// [`crate::Error`] when the row cannot be read.
pub fn by_id(db: &Db<'_>, id: EntityId) -> Result<Option<MeasurementSet>> {
    db.first_by_id(SELECT, TABLE, id, from_row)
}

/// The same, for whoever only passes its measurements on.
///
/// # Errors
/// [`crate::Error`] when the row cannot be read.
pub fn stored_by_id(db: &Db<'_>, id: EntityId) -> Result<Option<Arc<StoredSet>>> {
    let read = || Ok(db.first_by_id(SELECT, TABLE, id, from_row)?.map(Stored::from));
    match id {
        EntityId::Integer(id) => db.recent(|recent| &recent.sets, id, read),
        EntityId::Uuid(uuid) => db.recent(|recent| &recent.sets_by_uuid, uuid, read),
    }
}

/// Whether anybody may read the set; `None` when there is none.
///
/// # Errors
/// [`crate::Error`] when the row cannot be read.
pub fn is_public(db: &Db<'_>, id: i64) -> Result<Option<bool>> {
    db.first("SELECT public FROM sets WHERE id = ?1", [id], |_, row| Ok(row.take()?))
}

/// Stores which image a set has.
///
/// # Errors
/// [`crate::Error`] when the row cannot be written.
pub fn set_image(db: &Db<'_>, id: i64, img: &str, now: Timestamp) -> Result<()> {
    db.run(
        "UPDATE sets SET img = ?2, updated_at = ?3 WHERE id = ?1",
        (id, img, now.as_millis()),
    )?;
    Ok(())
}

/// The account that owns the set with that UUID.
///
/// # Errors
/// [`crate::Error`] when the row cannot be read.
pub fn owner_of(db: &Db<'_>, uuid: Uuid) -> Result<Option<i64>> {
    db.first("SELECT user_id FROM sets WHERE uuid = ?1", [uuid], |_, row| {
        Ok(row.take()?)
    })
}

/// The UUID of the set with that id.
///
/// # Errors
/// [`crate::Error`] when the row cannot be read.
pub fn uuid_of(db: &Db<'_>, id: EntityId) -> Result<Option<Uuid>> {
    match id {
        EntityId::Uuid(uuid) => Ok(Some(uuid)),
        EntityId::Integer(_) => db.first_by_id("SELECT uuid FROM sets", TABLE, id, |_, row| Ok(row.take()?)),
    }
}

/// Sets of an account, in the order in which they were made.
///
/// # Errors
/// [`crate::Error`] when a row cannot be read.
pub fn by_user(db: &Db<'_>, user_id: i64, page: Page) -> Result<Vec<MeasurementSet<StoredMeasurements>>> {
    db.all(
        &format!("{SELECT} WHERE sets.user_id = ?1 AND sets.id > ?2 ORDER BY sets.id LIMIT ?3"),
        (user_id, db.after(TABLE, page)?, page.limit()),
        from_row,
    )
}

/// Integer id and name of each set of an account, in the order in which they were made.
///
/// # Errors
/// [`crate::Error`] when a row cannot be read.
pub fn names(db: &Db<'_>, user_id: i64) -> Result<Vec<(i64, String)>> {
    db.all(
        "SELECT id, uuid, name FROM sets WHERE user_id = ?1 ORDER BY id",
        [user_id],
        |db, row| Ok((row.take()?, db.vault.row(TABLE, row.take()?).open("name", row)?)),
    )
}

/// Stores what a set says now.
///
/// # Errors
/// [`crate::Error`] when the row cannot be written.
pub fn update(db: &Db<'_>, id: i64, uuid: Uuid, content: &SetContent, now: Timestamp) -> Result<()> {
    let vault = db.vault.row(TABLE, uuid);
    db.run(
        "UPDATE sets SET name = :name, notes = :notes, measies = :measies, imperial = :imperial, public = :public,
           img = :img, updated_at = :now WHERE id = :id",
        named_params! {
            ":id": id,
            ":name": vault.seal("name", &content.name),
            ":notes": vault.seal("notes", &content.notes),
            ":measies": vault.seal_json("measies", &content.measies),
            ":imperial": content.imperial,
            ":public": content.public,
            ":img": content.img,
            ":now": now.as_millis(),
        },
    )?;
    Ok(())
}

/// Removes a set.
///
/// # Errors
/// [`crate::Error`] when the row cannot be removed.
pub fn delete(db: &Db<'_>, id: i64) -> Result<()> {
    db.run("DELETE FROM sets WHERE id = ?1", [id])?;
    Ok(())
}

fn from_row<M: DeserializeOwned>(db: &Db<'_>, row: &mut Columns<'_>) -> Result<MeasurementSet<M>> {
    let (id, uuid) = (row.take()?, row.take()?);
    let vault = db.vault.row(TABLE, uuid);
    Ok(MeasurementSet {
        id,
        uuid,
        user_id: row.take()?,
        user_uuid: row.take()?,
        created_at: row.timestamp()?,
        updated_at: row.timestamp()?,
        content: SetContent {
            name: vault.open("name", row)?,
            notes: vault.open("notes", row)?,
            imperial: row.take()?,
            public: row.take()?,
            measies: vault.open_json("measies", row)?,
            img: row.take()?,
        },
    })
}
