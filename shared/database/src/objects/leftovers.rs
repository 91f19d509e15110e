//! Repository of the objects in the bucket that must be deleted, because their row was deleted ([`Leftover`]).
//! Triggers of the schema record an object in the commit that deletes its row, so that the object is deleted even if
//! the process dies after the commit.

use bespoke_core::entity::image::ImageId;
use rusqlite::types::{FromSql, Value};

use crate::connection::{Columns, Db};
use crate::error::Result;

/// An object that no row refers to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Leftover {
    /// An image.
    Image(ImageId),
    /// The export of that name.
    Export(String),
    /// An object of a kind that only another version of this code knows.
    Unknown,
}

/// Returns at most `limit` recorded objects after the id `after`, oldest first, each with the id of its entry.
///
/// # Errors
/// [`crate::Error`] when a row cannot be read.
pub fn oldest(db: &Db<'_>, after: i64, limit: u32) -> Result<Vec<(i64, Leftover)>> {
    db.all(
        "SELECT id, kind, record FROM leftovers WHERE id > ?1 ORDER BY id LIMIT ?2",
        (after, limit),
        from_row,
    )
}

/// Inserts a row for an image that was stored only after the record of the image had been deleted.
///
/// # Errors
/// [`crate::Error`] when the row cannot be written.
pub fn insert_image(db: &Db<'_>, image: &ImageId) -> Result<()> {
    let (kind, record) = match image {
        ImageId::Account(ihash) => ("account", Value::from(ihash.clone())),
        ImageId::Set(id) => ("set", (*id).into()),
        ImageId::Pattern(id) => ("pattern", (*id).into()),
        ImageId::CuratedSet(id) => ("curated set", (*id).into()),
        ImageId::OptionPack(id) => ("option pack", (*id).into()),
        ImageId::Suggestion(uuid) => ("suggestion", uuid.as_bytes().to_vec().into()),
        // Needs no row: maintenance deletes each image of a page to which no page refers.
        ImageId::Page(_) => return Ok(()),
    };
    db.insert("INSERT INTO leftovers (kind, record) VALUES (?1, ?2)", (kind, record))?;
    Ok(())
}

/// Deletes the entries with these ids, because their objects were deleted.
///
/// # Errors
/// [`crate::Error`] when a row cannot be removed.
pub fn delete(db: &Db<'_>, ids: &[i64]) -> Result<()> {
    for id in ids {
        db.run("DELETE FROM leftovers WHERE id = ?1", [id])?;
    }
    Ok(())
}

fn from_row(_: &Db<'_>, row: &mut Columns<'_>) -> Result<(i64, Leftover)> {
    fn take<T: FromSql>(row: &mut Columns<'_>, make: impl FnOnce(T) -> ImageId) -> Result<Leftover> {
        Ok(Leftover::Image(make(row.take()?)))
    }
    let (id, kind) = (row.take()?, row.take::<String>()?);
    let leftover = match kind.as_str() {
        "account" => take(row, ImageId::Account)?,
        "set" => take(row, ImageId::Set)?,
        "pattern" => take(row, ImageId::Pattern)?,
        "curated set" => take(row, ImageId::CuratedSet)?,
        "option pack" => take(row, ImageId::OptionPack)?,
        "suggestion" => take(row, ImageId::Suggestion)?,
        "export" => Leftover::Export(row.take()?),
        _ => Leftover::Unknown,
    };
    Ok((id, leftover))
}
