//! The connection that a repository works with: queries, columns, pages of lists, and the encryption of columns.
//!
//! A repository function takes [`Db`], runs a query with it, and reads each row with `Columns` in the order of its
//! SELECT. `Db::vault` encrypts and decrypts columns; `Db::cached` reads through the cache.
//!
//! **Does not depend on** any table.

mod columns;
mod db;
mod page;
mod vault;

pub use db::Db;
pub use page::Page;
pub use vault::Vault;

pub(crate) use columns::{Columns, json};
pub(crate) use vault::RowVault;
