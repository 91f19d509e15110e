//! The storage engine: one SQLite database, kept as objects in a bucket, shared by many short-lived processes.
pub use rusqlite;
