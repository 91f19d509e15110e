//! The engine's own tables in the database: their names and their [`schema`].

/// One row for each committed write, so that a retry is recognized.
pub(crate) const COMMITS_TABLE: &str = "_commits";
/// One row for each batch of usage counters that was applied to the database.
pub(crate) const USAGE_TABLE: &str = "_usage_merged";
/// The savepoint around each write of a batch.
pub(crate) const SAVEPOINT: &str = "_commits_savepoint";

/// Returns the statements that create the tables in a new database.
pub(crate) fn schema() -> String {
    format!(
        "CREATE TABLE {COMMITS_TABLE} (id TEXT NOT NULL UNIQUE, at_ms INTEGER NOT NULL, result BLOB NOT NULL) STRICT; \
         CREATE TABLE {USAGE_TABLE} (name TEXT NOT NULL UNIQUE, at_ms INTEGER NOT NULL) STRICT"
    )
}
