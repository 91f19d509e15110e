//! The stored entities, one module for each. They are plain values: the repositories of `bespoke-database` store them, and the views of
//! `bespoke-web` convert them for responses.

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
