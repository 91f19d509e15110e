//! Small steps that the repositories share.

use bespoke_core::{EntityId, Timestamp};
use rusqlite::{Params, Row};

use crate::{Db, Result};

/// A moment as it stands in a column.
pub(crate) fn timestamp(row: &Row<'_>, column: &str) -> rusqlite::Result<Timestamp> {
    row.get(column).map(Timestamp::from_millis)
}

/// A moment, or none.
pub(crate) fn maybe_timestamp(row: &Row<'_>, column: &str) -> rusqlite::Result<Option<Timestamp>> {
    Ok(row.get::<_, Option<i64>>(column)?.map(Timestamp::from_millis))
}

impl Db<'_> {
    /// The first row, read by `read`; none when there is none.
    pub(crate) fn first<T>(
        &self,
        sql: &str,
        params: impl Params,
        read: impl FnOnce(&Self, &Row<'_>) -> Result<T>,
    ) -> Result<Option<T>> {
        let mut statement = self.connection.prepare_cached(sql)?;
        let mut rows = statement.query(params)?;
        rows.next()?.map(|row| read(self, row)).transpose()
    }

    /// The row with that id of either kind. `sql` ends where the name of the id's column follows.
    pub(crate) fn first_by_id<T>(
        &self,
        select: &str,
        table: &str,
        id: EntityId,
        read: impl FnOnce(&Self, &Row<'_>) -> Result<T>,
    ) -> Result<Option<T>> {
        match id {
            EntityId::Integer(id) => self.first(&format!("{select} WHERE {table}.id = ?1"), [id], read),
            EntityId::Uuid(uuid) => self.first(&format!("{select} WHERE {table}.uuid = ?1"), [uuid], read),
        }
    }

    /// All rows, read by `read`.
    pub(crate) fn all<T>(
        &self,
        sql: &str,
        params: impl Params,
        read: impl Fn(&Self, &Row<'_>) -> Result<T>,
    ) -> Result<Vec<T>> {
        let mut statement = self.connection.prepare_cached(sql)?;
        let mut rows = statement.query(params)?;
        let mut result = Vec::new();
        while let Some(row) = rows.next()? {
            result.push(read(self, row)?);
        }
        Ok(result)
    }

    /// Runs a statement; gives how many rows it changed.
    pub(crate) fn run(&self, sql: &str, params: impl Params) -> Result<usize> {
        Ok(self.connection.prepare_cached(sql)?.execute(params)?)
    }

    /// Runs an INSERT; gives the integer id of the new row.
    pub(crate) fn insert(&self, sql: &str, params: impl Params) -> Result<i64> {
        Ok(self.connection.prepare_cached(sql)?.insert(params)?)
    }
}
