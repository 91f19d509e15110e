//! Repository of measurement sets, with an index of their names for lookups by name.

use std::sync::Arc;

use bespoke_core::entity::set::{MeasurementSet, SetContent};
use bespoke_core::measurement::StoredMeasurements;
use bespoke_core::validate::{folded_name, normal_name};
use bespoke_core::{BlindIndex, EntityId, Timestamp};
use rusqlite::named_params;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use crate::cache::CachedRecord;
pub use crate::cache::CachedSet;
use crate::connection::{Columns, Db, Page};
use crate::error::Result;

const TABLE: &str = "sets";
/// Columns in the order in which `from_row` reads them.
const SELECT: &str = "SELECT sets.id, sets.uuid, sets.user_id, users.uuid, sets.created_at, sets.updated_at, sets.name, \
     sets.notes, sets.imperial, sets.public, sets.measies, sets.img \
     FROM sets JOIN users ON users.id = sets.user_id";

/// Inserts a new set of an account. Returns its integer id.
///
/// # Errors
/// [`crate::Error`] when the row cannot be written.
pub fn insert(db: &Db<'_>, uuid: Uuid, user_id: i64, content: &SetContent, now: Timestamp) -> Result<i64> {
    let vault = db.vault.row(TABLE, uuid);
    db.insert(
        "INSERT INTO sets (uuid, user_id, name, name_index, notes, measies, imperial, public, img, created_at, updated_at)
         VALUES (:uuid, :user_id, :name, :name_index, :notes, :measies, :imperial, :public, :img, :now, :now)",
        named_params! {
            ":name_index": name_entry(db.vault.index(), user_id, &content.name),
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

/// Returns the set with that id.
///
/// # Errors
/// [`crate::Error`] when the row cannot be read.
pub fn by_id(db: &Db<'_>, id: EntityId) -> Result<Option<MeasurementSet>> {
    db.first_by_id(SELECT, TABLE, id, from_row)
}

/// Returns the set with this id from the cache if possible. Its measurements are not decoded, so it suits callers that
/// only send them to a client.
///
/// # Errors
/// [`crate::Error`] when the row cannot be read.
pub fn stored_by_id(db: &Db<'_>, id: EntityId) -> Result<Option<Arc<CachedSet>>> {
    let id = match id {
        EntityId::Integer(id) => id,
        EntityId::Uuid(uuid) => match db.cached(|cache| &cache.set_ids, uuid, || id_of(db, uuid))? {
            Some(id) => *id,
            None => return Ok(None),
        },
    };
    let read = || {
        Ok(db
            .first_by_id(SELECT, TABLE, EntityId::Integer(id), from_row)?
            .map(CachedRecord::from))
    };
    db.cached(|cache| &cache.sets, id, read)
}

fn id_of(db: &Db<'_>, uuid: Uuid) -> Result<Option<i64>> {
    let sql = "SELECT id FROM sets WHERE uuid = ?1";
    db.first(sql, [uuid], |_, row| Ok(row.take()?))
}

/// Returns whether the image `img` is public because it belongs to a public set. `id` is the id of the set, which is part
/// of the name of the image. The row must name the image, too, because after a restore another set can get the same id.
///
/// # Errors
/// [`crate::Error`] when the row cannot be read.
pub fn shows_image(db: &Db<'_>, id: i64, img: &str) -> Result<bool> {
    let sql = "SELECT public AND img = ?2 FROM sets WHERE id = ?1";
    let is_shown: Option<Option<bool>> = db.first(sql, (id, img), |_, row| Ok(row.take()?))?;
    Ok(is_shown.flatten().unwrap_or_default())
}

/// Sets the image of a set. Returns whether the set exists.
///
/// # Errors
/// [`crate::Error`] when the row cannot be written.
pub fn set_image(db: &Db<'_>, id: i64, img: &str, now: Timestamp) -> Result<bool> {
    let changed = db.run(
        "UPDATE sets SET img = ?2, updated_at = ?3 WHERE id = ?1",
        (id, img, now.as_millis()),
    )?;
    Ok(changed > 0)
}

/// Returns the account that owns the set with that UUID.
///
/// # Errors
/// [`crate::Error`] when the row cannot be read.
pub fn owner_of(db: &Db<'_>, uuid: Uuid) -> Result<Option<i64>> {
    db.first("SELECT user_id FROM sets WHERE uuid = ?1", [uuid], |_, row| {
        Ok(row.take()?)
    })
}

/// Returns the UUID of the set with that id.
///
/// # Errors
/// [`crate::Error`] when the row cannot be read.
pub fn uuid_of(db: &Db<'_>, id: EntityId) -> Result<Option<Uuid>> {
    match id {
        EntityId::Uuid(uuid) => Ok(Some(uuid)),
        EntityId::Integer(_) => db.first_by_id("SELECT uuid FROM sets", TABLE, id, |_, row| Ok(row.take()?)),
    }
}

/// Returns the sets of an account, in the order of their creation.
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

/// Calls `each` for each set of an account in turn, so that only one is in memory.
///
/// # Errors
/// [`crate::Error`] when a row cannot be read, and the first error of `each`.
pub fn each_by_user<E: From<crate::Error>>(
    db: &Db<'_>,
    user_id: i64,
    each: impl FnMut(MeasurementSet<StoredMeasurements>) -> Result<(), E>,
) -> Result<(), E> {
    db.each(
        &format!("{SELECT} WHERE sets.user_id = ?1 ORDER BY sets.id"),
        [user_id],
        from_row,
        each,
    )
}

/// The maximum number of sets whose names a lookup decrypts. The index ignores letter case, so each set that it finds
/// has to be decrypted, and an imported account may have any number of sets of one name.
const MAX_OF_A_NAME: u32 = 1_000;

/// Returns the integer ids of the sets of an account that have exactly that name, in the order of their creation. If
/// there are none, those that have the name in another letter case.
///
/// # Errors
/// [`crate::Error`] when a row cannot be read.
pub fn by_name(db: &Db<'_>, user_id: i64, name: &str) -> Result<Vec<i64>> {
    let mut found = Vec::new();
    for index in db.vault.index_keys() {
        found.extend(db.all(
            "SELECT id, uuid, name FROM sets WHERE user_id = ?1 AND name_index = ?2 ORDER BY id LIMIT ?3",
            (user_id, name_entry(index, user_id, name), MAX_OF_A_NAME),
            id_and_name,
        )?);
    }
    let folded = folded_name(name);
    let unindexed = db.all(
        "SELECT id, uuid, name FROM sets WHERE user_id = ?1 AND name_index IS NULL",
        [user_id],
        id_and_name,
    )?;
    found.extend(unindexed.into_iter().filter(|(_, other)| folded_name(other) == folded));
    found.sort_unstable();
    let exact_name = normal_name(name);
    let (exact, others): (Vec<_>, Vec<_>) = found
        .into_iter()
        .partition(|(_, other)| normal_name(other) == exact_name);
    let matches = if exact.is_empty() { others } else { exact };
    Ok(matches.into_iter().map(|(id, _)| id).collect())
}

/// Fills the index of names for at most `limit` sets that lack it. Returns their number.
///
/// # Errors
/// [`crate::Error`] when a row cannot be read or written.
pub fn index_names(db: &Db<'_>, limit: u32) -> Result<usize> {
    let sql = "SELECT id, user_id, uuid, name FROM sets INDEXED BY sets_without_name_index
         WHERE name_index IS NULL AND id > 0 ORDER BY id LIMIT ?1";
    let sets: Vec<(i64, i64, String)> = db.all(sql, [limit], |db, row| {
        let (id, user_id) = (row.take()?, row.take()?);
        Ok((id, user_id, db.vault.row(TABLE, row.take()?).open("name", row)?))
    })?;
    for (id, user_id, name) in &sets {
        set_name_index(db, *id, &name_entry(db.vault.index(), *user_id, name))?;
    }
    Ok(sets.len())
}

/// Returns the keyed hash for the name of a set.
pub(crate) fn name_entry(index: &BlindIndex, user_id: i64, name: &str) -> [u8; 32] {
    index.entry("set name", &format!("{user_id} {}", folded_name(name)))
}

/// Sets the keyed hash of a set's name. It must be called after every write of the name: a trigger clears the hash then,
/// because older code does not update it.
pub(crate) fn set_name_index(db: &Db<'_>, id: i64, entry: &[u8; 32]) -> Result<()> {
    db.run("UPDATE sets SET name_index = ?2 WHERE id = ?1", (id, entry))?;
    Ok(())
}

fn id_and_name(db: &Db<'_>, row: &mut Columns<'_>) -> Result<(i64, String)> {
    Ok((row.take()?, db.vault.row(TABLE, row.take()?).open("name", row)?))
}

/// Updates the content of a set.
///
/// # Errors
/// [`crate::Error`] when the row cannot be written.
pub fn update(db: &Db<'_>, set: &MeasurementSet, now: Timestamp) -> Result<()> {
    let MeasurementSet { id, uuid, content, .. } = set;
    let vault = db.vault.row(TABLE, *uuid);
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
    set_name_index(db, *id, &name_entry(db.vault.index(), set.user_id, &content.name))
}

/// Deletes a set.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stored_bytes;
    use crate::testing::{NOW, with_account};

    fn content(name: &str) -> SetContent {
        SetContent {
            name: name.to_owned(),
            notes: String::new(),
            imperial: false,
            public: false,
            measies: Default::default(),
            img: None,
        }
    }

    fn add(db: &Db<'_>, user_id: i64, name: &str) -> i64 {
        let uuid = Uuid::from_u128(name.bytes().map(u128::from).sum());
        insert(db, uuid, user_id, &content(name), NOW).unwrap()
    }

    #[test]
    fn name_is_found_by_its_index() {
        with_account(|db, user_id| {
            let (jane, lower, jorg) = (
                add(db, user_id, "Jane"),
                add(db, user_id, "jane"),
                add(db, user_id, "J\u{f6}rg"),
            );
            let found = |name: &str| by_name(db, user_id, name).unwrap();
            assert_eq!((found("Jane"), found("JANE")), (vec![jane], vec![jane, lower]));
            assert_eq!(found("JO\u{308}RG"), [jorg]);
            assert_eq!(
                (found("Jo"), by_name(db, user_id + 1, "Jane").unwrap()),
                (vec![], vec![])
            );
            let unindexed = "SELECT count(*) FROM sets WHERE name_index IS NULL";
            let unindexed = || -> i64 { db.connection.query_row(unindexed, [], |row| row.get(0)).unwrap() };
            let mut set: MeasurementSet = by_id(db, EntityId::Integer(jane)).unwrap().unwrap();
            set.content.name = "Jo".to_owned();
            update(db, &set, NOW).unwrap();
            assert_eq!((found("Jo"), found("JANE"), unindexed()), (vec![jane], vec![lower], 0));
        });
    }

    #[test]
    fn sets_of_older_code_are_found_and_indexed() {
        with_account(|db, user_id| {
            let ids = ["Jane", "Jo", "Ada"].map(|name| add(db, user_id, name));
            let found = |name: &str| by_name(db, user_id, name).unwrap();
            // Older code writes only the name, and the keyed hash of the previous name must not remain.
            let sealed = db
                .vault
                .row(TABLE, uuid_of(db, EntityId::Integer(ids[0])).unwrap().unwrap())
                .seal("name", "Renamed");
            let rename = "UPDATE sets SET name = ?2 WHERE id = ?1";
            db.connection.execute(rename, (ids[0], sealed)).unwrap();
            assert_eq!((found("Jane"), found("renamed")), (vec![], vec![ids[0]]));
            db.connection.execute("UPDATE sets SET name_index = NULL", []).unwrap();
            assert_eq!(found("jo"), [ids[1]]);
            let steps: Vec<_> = (0..3).map(|_| index_names(db, 2).unwrap()).collect();
            assert_eq!(steps, [2, 1, 0]);
            assert_eq!((found("RENAMED"), found("Ada")), (vec![ids[0]], vec![ids[2]]));
        });
    }

    #[test]
    fn size_of_list_is_counted_up_to_limit() {
        with_account(|db, user_id| {
            for name in ["a", "b", "c"] {
                add(db, user_id, name);
            }
            let bytes = |page, most| stored_bytes(db, TABLE, user_id, page, most).unwrap();
            let all = bytes(Page::ALL, u64::MAX);
            let one = Page {
                limit: Some(1),
                after: None,
            };
            assert_eq!(bytes(one, u64::MAX) * 3, all);
            assert_eq!(bytes(Page::ALL, 1) * 3, all, "the first row is already more");
        });
    }
}
