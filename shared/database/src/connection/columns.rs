//! [`Columns`]: reads the columns of a row in the order of the SELECT.

use bespoke_core::Timestamp;
use rusqlite::Row;
use rusqlite::types::FromSql;
use serde::Serialize;

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
    pub(crate) fn unsigned(&mut self) -> rusqlite::Result<u64> {
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

/// Returns a JSON value as the text of an unencrypted column.
pub(crate) fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("plain structures with text keys always serialise")
}
