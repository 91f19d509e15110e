//! Records in responses: accounts, sets, patterns, bookmarks, API keys, texts and usage.
//!
//! A type here defines the fields of a record in responses and in the OpenAPI description. The order of its fields is the order in the JSON
//! text, and existing clients may depend on it. Fields of the first API generation come first; `uuid` and the other
//! fields of the second generation follow.
//!
//! A handler converts an entity of `bespoke-core` with `From` or `new`. This module must not decide who may read a record.
//!
//! To add a record, add a file with its type; if its schema cannot be derived, add it to `schema`.

mod account;
pub mod api_key;
mod bookmark;
mod pattern;
pub mod schema;
mod set;
pub mod texts;
pub mod usage;

pub use account::Account;
pub use bookmark::Bookmark;
pub use pattern::Pattern;
pub use set::Set;
