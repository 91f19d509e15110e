//! [`Db`]: one connection, and the queries that all repositories build on.

use std::hash::Hash;
use std::sync::Arc;

use bespoke_core::EntityId;
use rusqlite::{Params, Statement, StatementStatus};

use super::columns::Columns;
use super::page::Page;
use super::vault::Vault;
use crate::cache::{Cache, Cacheable, ReadCache, ReadCacheAt};
use crate::error::{Error, Result};

/// One connection inside a read or a write, and the vault for its encrypted columns. Every repository function takes
/// it.
pub struct Db<'a> {
    pub(crate) connection: &'a rusqlite::Connection,
    pub(crate) vault: &'a Vault,
    /// The read cache. `None` in a write, because a write sees data that are not committed yet.
    pub(crate) read_cache: Option<ReadCacheAt<'a>>,
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

    /// Returns the row with this integer id or UUID. `select` is a query that ends with its `FROM` clause, to which the
    /// `WHERE` clause is appended.
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

    /// Returns the cached value of `key`, or reads and caches it.
    pub(crate) fn cached<K: Hash + Eq, V: Cacheable>(
        &self,
        select: impl FnOnce(&ReadCache) -> &Cache<K, V>,
        key: K,
        read: impl FnOnce() -> Result<Option<V>>,
    ) -> Result<Option<Arc<V>>> {
        match self.read_cache {
            Some(ReadCacheAt { read_cache, version }) => select(read_cache).get_or_read(version, key, read),
            None => Ok(read()?.map(Arc::new)),
        }
    }

    /// Ensures that no integer id of `table` up to `highest` is assigned again.
    pub(crate) fn raise_counter(&self, table: &str, highest: i64) -> Result<()> {
        // Not `run`, which requires an index: `sqlite_sequence` has none, and needs none with one row for each table.
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

/// Asserts in debug builds, and thus in every test, that a statement did not scan a complete table. Every query needs
/// an index.
fn assert_indexed(statement: &Statement<'_>, sql: &str) {
    debug_assert_eq!(
        statement.get_status(StatementStatus::FullscanStep),
        0,
        "no index for: {sql}"
    );
}
