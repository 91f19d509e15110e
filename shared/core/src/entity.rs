//! What is kept: one module per entity. Plain values; the repositories of `bespoke-database` store them, the views of
//! `bespoke-web` show them.

pub mod api_key;
pub mod audit;
pub mod bookmark;
pub mod confirmation;
pub mod curated_set;
pub mod image;
pub mod mail;
pub mod oauth;
pub mod option_pack;
pub mod pattern;
pub mod set;
pub mod subscriber;
pub mod suggestion;
pub mod texts;
pub mod user;
