//! Pagination.

use bespoke_core::EntityId;

use crate::sealed::columns;
use crate::{Db, Error, Result};

/// A page of a list.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Page {
    /// The maximum number of items. `None` returns all.
    pub limit: Option<u32>,
    /// The item before the page. `None` begins at the start of the list.
    pub after: Option<EntityId>,
}

impl Page {
    /// The complete list.
    pub const ALL: Self = Self {
        limit: None,
        after: None,
    };

    /// Returns the limit for SQLite, where a negative number means no limit.
    pub(crate) fn limit(self) -> i64 {
        self.limit.map_or(-1, i64::from)
    }
}

impl Db<'_> {
    /// Returns the integer id after which the page begins; 0 for the first page.
    pub(crate) fn after(&self, table: &str, page: Page) -> Result<i64> {
        match page.after {
            None => Ok(0),
            // An integer id is valid even if its row was deleted.
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

/// Returns the size of the encrypted columns of a page of an account's list, in bytes. The count stops when it exceeds
/// `most`, and decrypts nothing, so that a list can be rejected before the work of reading it.
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
