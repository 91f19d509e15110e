//! Repository and upload limits of the images of pages that strangers and users below the level of a curator uploaded.
//! An image is recorded before it is stored, so that concurrent uploads count too. An image without a row is permanent.

use bespoke_core::{ClientNetwork, Timestamp};

use crate::connection::{Columns, Db};
use crate::error::Result;

/// The maximum number of images that one site or one account uploads within [`WINDOW_MS`].
pub const MAX_IMAGES: i64 = 10;
/// How long an image counts towards [`MAX_IMAGES`], in milliseconds.
pub const WINDOW_MS: i64 = 60 * 60 * 1000;
/// The maximum number of bytes that all strangers together, or one account, upload within [`DAY_MS`].
pub const MAX_BYTES: i64 = 50_000_000;
/// The maximum number of bytes that the strangers of one site upload within [`DAY_MS`], so that a few sites cannot use
/// up the limit of all.
pub const MAX_BYTES_OF_SITE: i64 = MAX_BYTES / 10;
/// How long the bytes of an image count towards [`MAX_BYTES`], in milliseconds.
pub const DAY_MS: i64 = 24 * 60 * 60 * 1000;
/// How long a reservation prevents other requests from storing an image of that name, in milliseconds. After that, the
/// request that made the reservation is presumed dead.
pub const RESERVED_MS: u64 = 60 * 1000;
/// How long an image is kept to which no page refers, in milliseconds.
pub const KEPT_MS: i64 = 30 * DAY_MS;

/// The uploader of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Uploader {
    /// A client without an account.
    Stranger(ClientNetwork),
    /// The account with that integer id.
    Account(i64),
}

/// The page that an image is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageName {
    /// `blog`, `showcase` or `support`.
    pub kind: String,
    /// Name of the page.
    pub slug: String,
}

/// An image of a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageImage {
    /// Id of the image.
    pub name: String,
    /// The page that it was uploaded for.
    pub page: PageName,
}

impl PageImage {
    /// Returns the pages that may have an image of this id: `blog-a-2` is the second image of the page `a`, and the main
    /// image of the page `a-2`.
    pub fn pages(&self) -> Vec<PageName> {
        let kind = &self.page.kind;
        let slug = self.name.strip_prefix(kind).and_then(|rest| rest.strip_prefix('-'));
        let slug = slug.unwrap_or(&self.page.slug);
        let numbered = slug
            .rsplit_once('-')
            .filter(|(_, number)| matches!(number.as_bytes(), [b'1'..=b'9']));
        let page = |slug: &str| PageName {
            kind: kind.clone(),
            slug: slug.to_owned(),
        };
        std::iter::once(slug)
            .chain(numbered.map(|(slug, _)| slug))
            .map(page)
            .collect()
    }
}

/// Result of a reservation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum ReserveOutcome {
    /// The image may be stored. The number identifies the reservation.
    Yes(i64),
    /// Another request is storing an image of that name.
    Busy,
    /// The uploader has stored too many images.
    TooMany,
}

/// Result of counting the bytes of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum CountOutcome {
    /// The image may be stored.
    Yes,
    /// Another request has taken over the reservation, because it was too old.
    Lost,
    /// The limit of bytes per day is exceeded; the reservation is deleted.
    TooMany,
}

/// Reserves the name of an image before it is stored. An expired reservation is replaced, because its request is
/// presumed dead.
///
/// # Errors
/// [`crate::Error`] when the table cannot be read or written.
pub fn reserve(db: &Db<'_>, image: &PageImage, uploader: Uploader, now: Timestamp) -> Result<ReserveOutcome> {
    let PageImage { name, page } = image;
    let sql = "SELECT created_at FROM page_images WHERE name = ?1";
    let reserved: Option<i64> = db.first(sql, [name], |_, row| Ok(row.take()?))?;
    if reserved.is_some_and(|reserved| reserved.abs_diff(now.as_millis()) < RESERVED_MS) {
        return Ok(ReserveOutcome::Busy);
    }
    let entry = entry(db, uploader);
    let recent: Option<i64> = db.first(
        "SELECT count(*) FROM page_images WHERE uploader = ?1 AND created_at > ?2 AND name <> ?3",
        (entry, now.plus_ms(-WINDOW_MS).as_millis(), name),
        |_, row| Ok(row.take()?),
    )?;
    if recent.unwrap_or_default() >= MAX_IMAGES {
        return Ok(ReserveOutcome::TooMany);
    }
    let anonymous = matches!(uploader, Uploader::Stranger(_));
    delete(db, name)?;
    let id = db.insert(
        "INSERT INTO page_images (name, kind, slug, uploader, anonymous, bytes, created_at) VALUES (?1, ?2, ?3, ?4, ?5, 0, ?6)",
        (name, &page.kind, &page.slug, entry, anonymous, now.as_millis()),
    )?;
    Ok(ReserveOutcome::Yes(id))
}

/// Counts the bytes of a reserved image, and renews the reservation.
///
/// # Errors
/// [`crate::Error`] when the table cannot be read or written.
pub fn take_bytes(
    db: &Db<'_>,
    reservation: i64,
    bytes: usize,
    uploader: Uploader,
    now: Timestamp,
) -> Result<CountOutcome> {
    let since = now.plus_ms(-DAY_MS).as_millis();
    let sum = |_: &Db<'_>, row: &mut Columns<'_>| Ok(row.take()?);
    let by_uploader: Option<i64> = db.first(
        "SELECT coalesce(sum(bytes), 0) FROM page_images WHERE uploader = ?1 AND created_at > ?2",
        (entry(db, uploader), since),
        sum,
    )?;
    let (by_all, max_bytes) = match uploader {
        Uploader::Account(_) => (None, MAX_BYTES),
        Uploader::Stranger(_) => {
            let sql = "SELECT coalesce(sum(bytes), 0) FROM page_images WHERE created_at > ?1 AND anonymous";
            (db.first(sql, [since], sum)?, MAX_BYTES_OF_SITE)
        }
    };
    let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
    let exceeds = |stored: Option<i64>, max: i64| stored.unwrap_or_default().saturating_add(bytes) > max;
    if exceeds(by_uploader, max_bytes) || exceeds(by_all, MAX_BYTES) {
        release(db, reservation)?;
        return Ok(CountOutcome::TooMany);
    }
    let update = "UPDATE page_images SET bytes = ?2, created_at = ?3 WHERE id = ?1";
    let changed = db.run(update, (reservation, bytes, now.as_millis()))?;
    Ok(if changed == 0 {
        CountOutcome::Lost
    } else {
        CountOutcome::Yes
    })
}

/// Deletes a reservation whose image was not stored.
///
/// # Errors
/// [`crate::Error`] when the row cannot be removed.
pub fn release(db: &Db<'_>, reservation: i64) -> Result<()> {
    db.run("DELETE FROM page_images WHERE id = ?1", [reservation])?;
    Ok(())
}

/// Deletes the row of an image that was deleted or has become permanent.
///
/// # Errors
/// [`crate::Error`] when the row cannot be removed.
pub fn delete(db: &Db<'_>, name: &str) -> Result<()> {
    db.run("DELETE FROM page_images WHERE name = ?1", [name])?;
    Ok(())
}

/// Returns at most `limit` images that were stored more than [`KEPT_MS`] ago, oldest first.
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
                let ReserveOutcome::Yes(reservation) = reserve(db, &image(name), uploader, now).unwrap() else {
                    panic!("{name} is not reserved");
                };
                let counted = take_bytes(db, reservation, usize::try_from(bytes).unwrap(), uploader, now).unwrap();
                assert_ne!(counted, CountOutcome::Lost);
                counted == CountOutcome::Yes
            };
            let share = MAX_BYTES_OF_SITE;
            assert!(take("a", share, stranger(1), NOW));
            assert!(!take("b", 1, stranger(1), NOW));
            for site in 2..10 {
                assert!(take(&format!("a-{site}"), share, stranger(site), NOW));
            }
            assert!(take("b", share - 1, stranger(10), NOW));
            assert!(!take("d", 2, stranger(11), NOW));
            // A rejected image does not count, and accounts have a separate limit.
            assert!(take("d", 1, stranger(11), NOW));
            assert!(take("c", MAX_BYTES, Uploader::Account(7), NOW));
            assert!(!take("e", 1, Uploader::Account(7), NOW));
            assert!(!take("e", 1, stranger(12), NOW.plus_ms(DAY_MS - 1)));
            assert!(take("e", share, stranger(12), NOW.plus_ms(DAY_MS)));
        });
    }

    fn image(name: &str) -> PageImage {
        let page = PageName {
            kind: "blog".to_owned(),
            slug: name.to_owned(),
        };
        let name = format!("blog-{name}");
        PageImage { name, page }
    }

    #[test]
    fn abandoned_reservation_is_taken_over_once() {
        with_database(|db| {
            let (first, second) = (Uploader::Account(1), Uploader::Account(2));
            let image = image("a");
            let reserve = |uploader, now| reserve(db, &image, uploader, now).unwrap();
            let ReserveOutcome::Yes(abandoned) = reserve(first, NOW) else {
                panic!("the name is free");
            };
            let later = NOW.plus_ms(60 * 1000);
            assert_eq!(reserve(second, later.plus_ms(-1)), ReserveOutcome::Busy);
            let ReserveOutcome::Yes(reservation) = reserve(second, later) else {
                panic!("the reservation is old");
            };
            assert_eq!(reserve(first, later), ReserveOutcome::Busy);
            // The first request was slow, not dead.
            assert_eq!(take_bytes(db, abandoned, 5, first, later).unwrap(), CountOutcome::Lost);
            release(db, abandoned).unwrap();
            assert_eq!(
                take_bytes(db, reservation, 5, second, later).unwrap(),
                CountOutcome::Yes
            );
            // A clock that was ahead does not extend a reservation.
            let ReserveOutcome::Yes(_) = reserve(first, NOW.plus_ms(-DAY_MS)) else {
                panic!("the reservation is of the future");
            };
        });
    }

    #[test]
    fn ids_of_images_may_belong_to_two_pages() {
        let slugs = |name: &str| -> Vec<String> { image(name).pages().into_iter().map(|page| page.slug).collect() };
        assert_eq!(slugs("a-2"), ["a-2", "a"]);
        assert_eq!(slugs("a-0"), ["a-0"]);
        assert_eq!(slugs("a"), ["a"]);
    }
}
