//! The schema, as a list of steps that only grows.

use bespoke_storage::Migration;

/// Every step from an empty database to the schema of this version, oldest first. A step that has been released is
/// never changed; older code may read and write what an additive step leaves (`min_reader`, `min_writer`).
pub const MIGRATIONS: &[Migration] = &[Migration {
    version: 1,
    sql: include_str!("migrations/0001_accounts_keys_sets.sql"),
    min_reader: 1,
    min_writer: 1,
}];
