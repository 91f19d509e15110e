//! Helpers for queries that the repositories share.

use bespoke_core::{EntityId, Timestamp};
use rusqlite::types::FromSql;
use rusqlite::{Params, Row, Statement, StatementStatus};
use serde::Serialize;

use crate::{Db, Error, Result};

/// Reads the columns of a row in the order of the SELECT. Reading by name would make SQLite look up the name of each
/// column for each row.
pub(crate) struct Columns<'a> {
    row: &'a Row<'a>,
    next: usize,
}

impl<'a> Columns<'a> {
    pub(crate) fn of(row: &'a Row<'a>) -> Self {
        Self { row, next: 0 }
    }

    fn advance(&mut self) -> usize {
        self.next += 1;
        self.next - 1
    }

    /// Returns the next column.
    pub(crate) fn take<T: FromSql>(&mut self) -> rusqlite::Result<T> {
        let index = self.advance();
        self.row.get(index)
    }

    /// Returns the next column, a number that is never negative.
    pub(crate) fn count(&mut self) -> rusqlite::Result<u64> {
        Ok(self.take::<i64>()?.unsigned_abs())
    }

    /// Returns the next column, a timestamp.
    pub(crate) fn timestamp(&mut self) -> rusqlite::Result<Timestamp> {
        self.take().map(Timestamp::from_millis)
    }

    /// Returns the next column, a timestamp or NULL.
    pub(crate) fn maybe_timestamp(&mut self) -> rusqlite::Result<Option<Timestamp>> {
        Ok(self.take::<Option<i64>>()?.map(Timestamp::from_millis))
    }

    /// Returns the next column, an encrypted field; NULL is `None`.
    pub(crate) fn sealed(&mut self) -> rusqlite::Result<Option<&'a [u8]>> {
        let index = self.advance();
        Ok(self.row.get_ref(index)?.as_blob_or_null()?)
    }
}

impl Db<'_> {
    /// Returns the first row, read by `read`.
    pub(crate) fn first<T>(
        &self,
        sql: &str,
        params: impl Params,
        read: impl FnOnce(&Self, &mut Columns<'_>) -> Result<T>,
    ) -> Result<Option<T>> {
        let mut statement = self.connection.prepare_cached(sql)?;
        let mut rows = statement.query(params)?;
        let result = rows.next()?.map(|row| read(self, &mut Columns::of(row))).transpose();
        drop(rows);
        assert_indexed(&statement, sql);
        result
    }

    /// Returns the row with that id of either kind. `sql` ends before the name of the id's column.
    pub(crate) fn first_by_id<T>(
        &self,
        select: &str,
        table: &str,
        id: EntityId,
        read: impl FnOnce(&Self, &mut Columns<'_>) -> Result<T>,
    ) -> Result<Option<T>> {
        match id {
            EntityId::Integer(id) => self.first(&format!("{select} WHERE {table}.id = ?1"), [id], read),
            EntityId::Uuid(uuid) => self.first(&format!("{select} WHERE {table}.uuid = ?1"), [uuid], read),
        }
    }

    /// Returns all rows, read by `read`.
    pub(crate) fn all<T>(
        &self,
        sql: &str,
        params: impl Params,
        read: impl Fn(&Self, &mut Columns<'_>) -> Result<T>,
    ) -> Result<Vec<T>> {
        let mut result = Vec::new();
        self.each(sql, params, read, |value| {
            result.push(value);
            Ok::<_, Error>(())
        })?;
        Ok(result)
    }

    /// Calls `each` for each row in turn, read by `read`, so that only one is in memory. Stops at the first error.
    pub(crate) fn each<T, E: From<Error>>(
        &self,
        sql: &str,
        params: impl Params,
        read: impl Fn(&Self, &mut Columns<'_>) -> Result<T>,
        mut each: impl FnMut(T) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut statement = self.connection.prepare_cached(sql).map_err(Error::from)?;
        let mut rows = statement.query(params).map_err(Error::from)?;
        while let Some(row) = rows.next().map_err(Error::from)? {
            each(read(self, &mut Columns::of(row))?)?;
        }
        drop(rows);
        assert_indexed(&statement, sql);
        Ok(())
    }

    /// Runs a statement. Returns the number of changed rows.
    pub(crate) fn run(&self, sql: &str, params: impl Params) -> Result<usize> {
        let mut statement = self.connection.prepare_cached(sql)?;
        let changed = statement.execute(params)?;
        assert_indexed(&statement, sql);
        Ok(changed)
    }

    /// Runs an INSERT. Returns the integer id of the new row.
    pub(crate) fn insert(&self, sql: &str, params: impl Params) -> Result<i64> {
        Ok(self.connection.prepare_cached(sql)?.insert(params)?)
    }
}

impl Db<'_> {
    /// Ensures that no integer id of `table` up to `highest` is assigned again.
    pub(crate) fn raise_counter(&self, table: &str, highest: i64) -> Result<()> {
        // SQLite's own table has no index, but only one row per table.
        let raise = "UPDATE sqlite_sequence SET seq = max(seq, ?2) WHERE name = ?1";
        if self.connection.execute(raise, (table, highest))? == 0 {
            self.insert(
                "INSERT INTO sqlite_sequence (name, seq) VALUES (?1, ?2)",
                (table, highest),
            )?;
        }
        Ok(())
    }
}

/// Returns a JSON value as the text of an unencrypted column.
pub(crate) fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("plain structures with text keys always serialise")
}

/// Asserts in debug builds, and thus in every test, that a statement did not scan a complete table. Every query needs
/// an index.
fn assert_indexed(statement: &Statement<'_>, sql: &str) {
    debug_assert_eq!(
        statement.get_status(StatementStatus::FullscanStep),
        0,
        "no index for: {sql}"
    );
}
