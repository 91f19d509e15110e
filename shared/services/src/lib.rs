//! External services behind small traits: mail, images, GitHub, OAuth providers, and a store of secrets.
//!
//! **Purpose.** Calls to external services. Each service is a trait with an embedded default that needs no account, so
//! that a fresh installation works without any.
//!
//! **Does not depend on** HTTP requests to this API, SQL and the environment. Callers pass entities of `bespoke-core`,
//! and the bucket if the service stores objects.
//!
//! **To add a service,** write a module with the trait, the default and the implementation. Every call needs a
//! timeout, and the texts of errors contain no secrets.

pub mod aws;
pub mod github;
pub mod http;
pub mod images;
pub mod mail;
pub mod oauth;
pub mod secrets;
mod token;

pub use token::Token;
