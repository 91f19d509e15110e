//! Backups: a copy of the database in a file, and the restore of such a copy into a new installation.

mod copy;
pub mod restore;

pub use copy::DatabaseCopy;
