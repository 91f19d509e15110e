//! Parts of lists.

use bespoke_core::EntityId;

use crate::sealed::columns;
use crate::{Db, Error, Result};

/// A part of a list: what follows an item, and how much of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Page {
    /// Most items; all without it.
    pub limit: Option<u32>,
    /// The item behind which it begins; the first without it.
    pub after: Option<EntityId>,
}

impl Page {
    /// The whole list.
    pub const ALL: Self = Self {
        limit: None,
        after: None,
    };

    /// As SQLite wants it: a negative limit is none.
    pub(crate) fn limit(self) -> i64 {
        self.limit.map_or(-1, i64::from)
    }
}

impl Db<'_> {
    /// The integer id behind which a page of that table begins: 0 for the first one.
    pub(crate) fn after(&self, table: &str, page: Page) -> Result<i64> {
        match page.after {
            None => Ok(0),
            // An id finds its place also when its row is gone.
            Some(EntityId::Integer(id)) => Ok(id),
            Some(EntityId::Uuid(uuid)) => {
                let id = self.first(&format!("SELECT id FROM {table} WHERE uuid = ?1"), [uuid], |_, row| {
                    Ok(row.take()?)
                })?;
                id.ok_or(Error::NoSuchPlace)
            }
        }
    }
}

/// Bytes that the sealed columns of a part of an account's list take. The count ends as soon as it is more than `most`, and opens
/// nothing, so a list can be refused before the work of reading it.
///
/// # Errors
/// [`Error::NoSuchPlace`], and [`crate::Error`] when the rows cannot be read.
pub fn stored_bytes(db: &Db<'_>, table: &'static str, user_id: i64, page: Page, most: u64) -> Result<u64> {
    let lengths: Vec<_> = columns(table)
        .iter()
        .map(|column| format!("length({column})"))
        .collect();
    let sql = format!(
        "SELECT {} FROM {table} WHERE user_id = ?1 AND id > ?2 ORDER BY id LIMIT ?3",
        lengths.join(" + ")
    );
    let mut statement = db.connection.prepare_cached(&sql)?;
    let mut rows = statement.query((user_id, db.after(table, page)?, page.limit()))?;
    let mut bytes = 0;
    while bytes <= most
        && let Some(row) = rows.next()?
    {
        bytes += row.get::<_, i64>(0)?.unsigned_abs();
    }
    Ok(bytes)
}
