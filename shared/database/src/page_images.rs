//! Images of pages that were stored by strangers and by users below the level of a curator. Each is noted before it is stored, so
//! that uploads at the same time count for each other. An image without a row here is permanent.

use bespoke_core::{ClientNetwork, Timestamp};

use crate::row::Columns;
use crate::{Db, Result};

/// Most images that one site, or one account, stores in [`WINDOW_MS`].
pub const MOST: i64 = 10;
/// How long an image counts for [`MOST`], in milliseconds.
pub const WINDOW_MS: i64 = 60 * 60 * 1000;
/// Most bytes that strangers together, or one account, store in [`DAY_MS`].
pub const MOST_BYTES: i64 = 50_000_000;
/// How long an image counts for [`MOST_BYTES`], in milliseconds.
pub const DAY_MS: i64 = 24 * 60 * 60 * 1000;
/// How long an image is kept to which no page refers, in milliseconds.
pub const KEPT_MS: i64 = 30 * DAY_MS;

/// The uploader of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Uploader {
    /// Somebody without an account.
    Stranger(ClientNetwork),
    /// The account of that integer id.
    Account(i64),
}

/// The page that an image is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageName {
    /// `blog`, `showcase` or `support`.
    pub kind: String,
    /// Its name.
    pub slug: String,
}

/// An image of a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageImage {
    /// Id of the image.
    pub name: String,
    /// The page.
    pub page: PageName,
}

/// What has come of a request to store an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Reserved {
    /// It may be stored.
    Yes,
    /// There is an image of that name, or one is on its way.
    Taken,
    /// The uploader has stored too many.
    TooMany,
}

/// Notes that an image is about to be stored.
///
/// # Errors
/// [`crate::Error`] when the table cannot be read or written.
pub fn reserve(db: &Db<'_>, image: &PageImage, uploader: Uploader, now: Timestamp) -> Result<Reserved> {
    let PageImage { name, page } = image;
    let known = db.first("SELECT 1 FROM page_images WHERE name = ?1", [name], |_, _| Ok(()))?;
    if known.is_some() {
        return Ok(Reserved::Taken);
    }
    let entry = entry(db, uploader);
    let stored: Option<i64> = db.first(
        "SELECT count(*) FROM page_images WHERE uploader = ?1 AND created_at > ?2",
        (entry, now.plus_ms(-WINDOW_MS).as_millis()),
        |_, row| Ok(row.take()?),
    )?;
    if stored.unwrap_or_default() >= MOST {
        return Ok(Reserved::TooMany);
    }
    let anonymous = matches!(uploader, Uploader::Stranger(_));
    db.insert(
        "INSERT INTO page_images (name, kind, slug, uploader, anonymous, bytes, created_at) VALUES (?1, ?2, ?3, ?4, ?5, 0, ?6)",
        (name, &page.kind, &page.slug, entry, anonymous, now.as_millis()),
    )?;
    Ok(Reserved::Yes)
}

/// Counts the bytes of an image that was reserved. False, and the reservation is gone, if they are too many for one day.
///
/// # Errors
/// [`crate::Error`] when the table cannot be read or written.
pub fn take_bytes(db: &Db<'_>, name: &str, bytes: usize, uploader: Uploader, now: Timestamp) -> Result<bool> {
    let since = now.plus_ms(-DAY_MS).as_millis();
    let sum = |_: &Db<'_>, row: &mut Columns<'_>| Ok(row.take()?);
    let stored: Option<i64> = match uploader {
        Uploader::Stranger(_) => db.first(
            "SELECT coalesce(sum(bytes), 0) FROM page_images WHERE created_at > ?1 AND anonymous",
            [since],
            sum,
        )?,
        Uploader::Account(_) => db.first(
            "SELECT coalesce(sum(bytes), 0) FROM page_images WHERE uploader = ?1 AND created_at > ?2",
            (entry(db, uploader), since),
            sum,
        )?,
    };
    let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
    if stored.unwrap_or_default().saturating_add(bytes) > MOST_BYTES {
        delete(db, name)?;
        return Ok(false);
    }
    db.run("UPDATE page_images SET bytes = ?2 WHERE name = ?1", (name, bytes))?;
    Ok(true)
}

/// Forgets an image: it is gone, was not stored, or is permanent from now on.
///
/// # Errors
/// [`crate::Error`] when the row cannot be removed.
pub fn delete(db: &Db<'_>, name: &str) -> Result<()> {
    db.run("DELETE FROM page_images WHERE name = ?1", [name])?;
    Ok(())
}

/// Images that were stored more than [`KEPT_MS`] ago, oldest first, at most `limit`.
///
/// # Errors
/// [`crate::Error`] when a row cannot be read.
pub fn old(db: &Db<'_>, now: Timestamp, limit: u32) -> Result<Vec<PageImage>> {
    db.all(
        "SELECT name, kind, slug FROM page_images WHERE created_at <= ?1 ORDER BY created_at LIMIT ?2",
        (now.plus_ms(-KEPT_MS).as_millis(), limit),
        |_, row| {
            Ok(PageImage {
                name: row.take()?,
                page: PageName {
                    kind: row.take()?,
                    slug: row.take()?,
                },
            })
        },
    )
}

fn entry(db: &Db<'_>, uploader: Uploader) -> [u8; 32] {
    let text = match uploader {
        Uploader::Stranger(client) => format!("site {}", client.site),
        Uploader::Account(id) => format!("account {id}"),
    };
    db.vault.index().entry("image uploader", &text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{NOW, with_database};

    #[test]
    fn bytes_of_a_day_are_limited_for_all_strangers_together() {
        with_database(|db| {
            let stranger = |last: u8| Uploader::Stranger(ClientNetwork::of([192, 0, 2, last].into()));
            let take = |name: &str, bytes: i64, uploader, now| {
                let page = PageName {
                    kind: "blog".to_owned(),
                    slug: name.to_owned(),
                };
                let name = name.to_owned();
                let image = PageImage { name, page };
                assert_eq!(reserve(db, &image, uploader, now).unwrap(), Reserved::Yes);
                take_bytes(db, &image.name, usize::try_from(bytes).unwrap(), uploader, now).unwrap()
            };
            assert!(take("a", MOST_BYTES - 1, stranger(1), NOW));
            assert!(!take("b", 2, stranger(2), NOW));
            // What was refused is not in the way, and an account has a limit of its own.
            assert!(take("b", 1, stranger(2), NOW));
            assert!(take("c", MOST_BYTES, Uploader::Account(7), NOW));
            assert!(!take("d", 1, Uploader::Account(7), NOW));
            assert!(!take("d", 1, stranger(3), NOW.plus_ms(DAY_MS - 1)));
            assert!(take("d", MOST_BYTES, stranger(3), NOW.plus_ms(DAY_MS)));
        });
    }
}
