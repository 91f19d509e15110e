//! Repository of bookmarks: insertion, lookup by id, lists of an account, update and deletion.

use bespoke_core::EntityId;
use bespoke_core::entity::bookmark::{Bookmark, BookmarkContent};
use rusqlite::named_params;
use uuid::Uuid;

use crate::connection::{Columns, Db, Page};
use crate::error::Result;

const TABLE: &str = "bookmarks";
/// Columns in the order in which `from_row` reads them.
const SELECT: &str = "SELECT bookmarks.id, bookmarks.uuid, bookmarks.user_id, users.uuid, bookmarks.kind, \
     bookmarks.title, bookmarks.url FROM bookmarks JOIN users ON users.id = bookmarks.user_id";

/// Inserts a new bookmark of an account. Returns its integer id.
///
/// # Errors
/// [`crate::Error`] when the row cannot be written.
pub fn insert(db: &Db<'_>, uuid: Uuid, user_id: i64, content: &BookmarkContent) -> Result<i64> {
    let vault = db.vault.row(TABLE, uuid);
    db.insert(
        "INSERT INTO bookmarks (uuid, user_id, kind, title, url) VALUES (:uuid, :user_id, :kind, :title, :url)",
        named_params! {
            ":uuid": uuid,
            ":user_id": user_id,
            ":kind": content.kind,
            ":title": vault.seal("title", &content.title),
            ":url": vault.seal("url", &content.url),
        },
    )
}

/// Returns the bookmark with that id.
///
/// # Errors
/// [`crate::Error`] when the row cannot be read.
pub fn by_id(db: &Db<'_>, id: EntityId) -> Result<Option<Bookmark>> {
    db.first_by_id(SELECT, TABLE, id, from_row)
}

/// Returns the account that owns the bookmark with that UUID. Nothing is decrypted.
///
/// # Errors
/// [`crate::Error`] when the row cannot be read.
pub fn owner_of(db: &Db<'_>, uuid: Uuid) -> Result<Option<i64>> {
    db.first("SELECT user_id FROM bookmarks WHERE uuid = ?1", [uuid], |_, row| {
        Ok(row.take()?)
    })
}

/// Returns the bookmarks of an account, in the order of their creation.
///
/// # Errors
/// [`crate::Error`] when a row cannot be read.
pub fn by_user(db: &Db<'_>, user_id: i64, page: Page) -> Result<Vec<Bookmark>> {
    db.all(
        &format!("{SELECT} WHERE bookmarks.user_id = ?1 AND bookmarks.id > ?2 ORDER BY bookmarks.id LIMIT ?3"),
        (user_id, db.after(TABLE, page)?, page.limit()),
        from_row,
    )
}

/// Calls `each` for each bookmark of an account in turn, so that only one is in memory.
///
/// # Errors
/// [`crate::Error`] when a row cannot be read, and the first error of `each`.
pub fn each_by_user<E: From<crate::Error>>(
    db: &Db<'_>,
    user_id: i64,
    each: impl FnMut(Bookmark) -> Result<(), E>,
) -> Result<(), E> {
    db.each(
        &format!("{SELECT} WHERE bookmarks.user_id = ?1 ORDER BY bookmarks.id"),
        [user_id],
        from_row,
        each,
    )
}

/// Updates the content of a bookmark. Its kind does not change.
///
/// # Errors
/// [`crate::Error`] when the row cannot be written.
pub fn update(db: &Db<'_>, id: i64, uuid: Uuid, content: &BookmarkContent) -> Result<()> {
    let vault = db.vault.row(TABLE, uuid);
    db.run(
        "UPDATE bookmarks SET title = :title, url = :url WHERE id = :id",
        named_params! {
            ":id": id,
            ":title": vault.seal("title", &content.title),
            ":url": vault.seal("url", &content.url),
        },
    )?;
    Ok(())
}

/// Deletes a bookmark.
///
/// # Errors
/// [`crate::Error`] when the row cannot be removed.
pub fn delete(db: &Db<'_>, id: i64) -> Result<()> {
    db.run("DELETE FROM bookmarks WHERE id = ?1", [id])?;
    Ok(())
}

fn from_row(db: &Db<'_>, row: &mut Columns<'_>) -> Result<Bookmark> {
    let (id, uuid) = (row.take()?, row.take()?);
    let vault = db.vault.row(TABLE, uuid);
    Ok(Bookmark {
        id,
        uuid,
        user_id: row.take()?,
        user_uuid: row.take()?,
        content: BookmarkContent {
            kind: row.take()?,
            title: vault.open("title", row)?,
            url: vault.open("url", row)?,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{with_account, with_other_keys};

    #[test]
    fn owner_is_found_without_decryption() {
        with_account(|db, user_id| {
            let uuid = Uuid::from_u128(1);
            let content = BookmarkContent {
                kind: "doc".to_owned(),
                title: String::new(),
                url: String::new(),
            };
            insert(db, uuid, user_id, &content).unwrap();
            with_other_keys(db, |db| {
                assert!(by_id(db, EntityId::Uuid(uuid)).is_err());
                assert_eq!(owner_of(db, uuid).unwrap(), Some(user_id));
                assert_eq!(owner_of(db, Uuid::nil()).unwrap(), None);
            });
        });
    }
}
