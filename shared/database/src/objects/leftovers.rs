//! Objects of the bucket whose row was deleted. Triggers of the schema record them in the commit that deletes the row,
//! so that another process deletes the object if this process dies before it does.

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

/// Returns the oldest recorded objects after the row number `after`, at most `limit`, each with the number of its row.
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

/// Records the image of a record that was deleted before its image was stored.
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
        // Maintenance deletes images of pages that no page refers to.
        ImageId::Page(_) => return Ok(()),
    };
    db.insert("INSERT INTO leftovers (kind, record) VALUES (?1, ?2)", (kind, record))?;
    Ok(())
}

/// Deletes the entries with these numbers, because their objects were deleted.
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
