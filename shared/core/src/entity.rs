//! What is kept: one module per entity. Plain values; the repositories of `bespoke-database` store them, the views of
//! `bespoke-web` show them.

pub mod api_key;
pub mod confirmation;
pub mod image;
pub mod mail;
pub mod set;
pub mod user;
