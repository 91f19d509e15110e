//! The content of accounts and the curated content: one module per table, and the seeds of a new database.

pub mod bookmarks;
pub mod curated_sets;
pub mod designs;
pub mod option_packs;
pub mod patterns;
pub(crate) mod seeds;
pub mod sets;
pub mod suggestions;
