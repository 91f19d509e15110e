//! Records in requests: the fields of sets, patterns and bookmarks, imports, suggestions and measurement lookups.
//!
//! A module here checks the fields of a [`JsonObject`](crate::JsonObject) and turns them into content of `bespoke-core`. Several functions
//! share it, because the same record can arrive in a request of its own, in an import, or in a suggestion. A field that is unknown, read-only
//! or invalid does not fail a request; the module returns its name, and the response lists it in `ignored`.
//!
//! This module must not write to the database on its own, except for suggestions, whose rules are the same for sets and option packs.
//!
//! To add a kind of record, add a file with a `NewX` type that describes the request for OpenAPI, `check`, `create` and `Changes::read`.

pub mod bookmark;
pub mod import;
pub mod lookup;
pub mod measurements;
pub mod pattern;
pub mod set;
pub mod suggestions;
mod texts;

pub use texts::TextChanges;
