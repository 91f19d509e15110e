//! Schema, migrations, and one repository module per table: the only SQL in the project.
//!
//! **Purpose.** Converts rows to entities of `bespoke-core` and back. Encrypted columns are encrypted and decrypted
//! here, so that no caller sees ciphertext and the storage engine sees no clear text.
//!
//! **Does not depend on** HTTP, levels and permissions. `bespoke-core` defines the permissions, and the handlers check
//! them before they call a repository.
//!
//! **Layers.** A module imports only from the modules above it in this table.
//!
//! | Module | Job |
//! | --- | --- |
//! | `day`, `error`, `migrations` | days of the calendar; errors; the schema |
//! | `cache` | read cache |
//! | `connection` | one connection: queries, columns, pages of lists, encryption |
//! | `accounts`, `content`, `mail`, `objects` | repositories by topic, one module per table |
//! | `keys`, `backup`, `usage`, `purge` | work on many tables: keys in use, backups, counts and quotas, expired rows |
//! | `guard`, `database` | the database of one process |
//! | `import` | records of the legacy database |
//!
//! **To add a table,** append a migration to [`migrations`](MIGRATIONS), and write a module with one function per
//! query in the folder of its topic. Each function takes [`Db`]. Every query needs an index, because debug builds panic
//! when a statement scans a complete table.

mod accounts;
pub mod backup;
mod cache;
mod connection;
mod content;
mod database;
mod day;
mod error;
mod guard;
pub mod import;
mod keys;
mod mail;
mod migrations;
mod objects;
pub mod purge;
#[cfg(test)]
mod testing;
pub mod usage;

pub use accounts::{
    account_storage, api_keys, audit, confirmations, known_networks, oauth_states, profiles, second_factors, users,
};
pub use backup::DatabaseCopy;
pub use bespoke_storage::{
    Collected, CommitId, Committed, Compacted, DatedVersion, Freshness, NotRestorable, RestorePoint, Restored, Version,
    VersionRange,
};
pub use cache::{CachedRecord, CachedResponse};
pub use connection::{Db, Page, Vault};
pub use content::{bookmarks, curated_sets, designs, option_packs, patterns, sets, suggestions};
pub use database::Database;
pub use error::{Error, Result};
pub use keys::sealed::{self, stored_bytes};
pub use mail::{mail_budgets, outbox, subscribers};
pub use migrations::MIGRATIONS;
pub use objects::{exports, images, leftovers, page_images};
pub use usage::{quota, statistics};
