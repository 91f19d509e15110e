//! [`is_named`]: tells whether a record names an image.

use bespoke_core::entity::image::ImageId;
use rusqlite::ToSql;

use crate::connection::Db;
use crate::error::Result;

/// Returns whether a record names the image. The id of an image contains the id of its record. Images of pages always count as named,
/// because pages are not stored in the database.
///
/// # Errors
/// [`crate::Error`] when the row cannot be read.
pub fn is_named(db: &Db<'_>, image: &ImageId) -> Result<bool> {
    let name = image.to_string();
    let exists = |sql, record: &dyn ToSql| -> Result<bool> {
        let row = db.first(sql, [record], |_, row| Ok(row.take::<i64>()?))?;
        Ok(row.is_some())
    };
    let names = |sql, id: i64| -> Result<bool> {
        let img: Option<Option<String>> = db.first(sql, [id], |_, row| Ok(row.take()?))?;
        Ok(img.flatten().is_some_and(|img| img == name))
    };
    match image {
        ImageId::Account(ihash) => exists("SELECT id FROM users WHERE ihash = ?1", ihash),
        ImageId::Set(id) => names("SELECT img FROM sets WHERE id = ?1", *id),
        ImageId::Pattern(id) => names("SELECT img FROM patterns WHERE id = ?1", *id),
        ImageId::CuratedSet(id) => exists("SELECT id FROM curated_sets WHERE id = ?1", id),
        ImageId::OptionPack(id) => names("SELECT img FROM option_packs WHERE id = ?1", *id),
        ImageId::Suggestion(uuid) => exists("SELECT id FROM suggestions WHERE uuid = ?1", uuid),
        ImageId::Page(_) => Ok(true),
    }
}
