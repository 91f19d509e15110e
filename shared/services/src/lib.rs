//! The outside world behind small traits: mail, images, GitHub, sign-in providers, and a store of secrets.
//!
//! **What it is for.** Speaking to what is not ours. Each service is a trait with an embedded default that needs no
//! account anywhere, so that a fresh installation works alone.
//!
//! **What it must not know.** HTTP requests of ours, SQL, the environment. It is handed entities of `bespoke-core`,
//! and the bucket for what is kept there.
//!
//! **How to add one more.** A module with the trait, the default, and the real thing beside it; time-outs on every
//! call; nothing secret in an error's text.

pub mod aws;
pub mod github;
pub mod http;
pub mod images;
pub mod mail;
pub mod oauth;
pub mod secrets;
mod token;

pub use token::Token;
