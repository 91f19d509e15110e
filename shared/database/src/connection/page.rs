//! [`Page`]: the part of a list that a query returns.

use bespoke_core::EntityId;

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
