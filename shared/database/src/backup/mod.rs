//! Backups: a copy of the database in a file, and the restore of such a copy into a new installation.

pub mod restore;
mod snapshot;

pub use snapshot::Snapshot;
