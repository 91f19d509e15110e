//! Authentication and authorization of callers, sign-in attempts, and the audit.
//!
//! The first argument of a handler is [`Public`], [`Guest`] or [`Caller`]; its type states who may call the route. The extractor reads the
//! credentials (`credentials`), looks up the account and the key in the database (`access_check`), applies the limits and the daily quota
//! (`quota`), and counts the call. A handler writes through its caller ([`Caller::write`]), because the transaction of the write checks the
//! credentials again: the key may have been revoked while the body was sent.
//!
//! | File | Job |
//! | --- | --- |
//! | `public`, `guest`, `caller` | the extractors, one for each [`Access`](crate::Access) |
//! | `identity` | the authenticated account and its authentication method |
//! | `credentials`, `access_check` | parse and verify tokens and API keys |
//! | `quota` | the calls of an API key on a day |
//! | `attempts` | locks accounts and names after failed attempts |
//! | `audit` | audit entries of administrators and impersonators |
//!
//! This module must not know a route. Rules about roles and levels belong to `bespoke_core::permission`.
//!
//! To add an authentication scheme, add a variant to [`Scheme`](crate::Scheme) and to the credentials in `access_check`. To protect another
//! secret against guessing, add a variant to [`attempts::AttemptTarget`], and call `reserve_attempt` before the comparison and
//! `release_attempt` after a success.

mod access_check;
pub mod attempts;
mod audit;
mod caller;
mod credentials;
mod guest;
mod identity;
mod public;
mod quota;

pub use audit::AuditEntry;
pub use caller::Caller;
pub use guest::Guest;
pub use identity::{AuthMethod, Identity};
pub(crate) use public::AccessGuard;
pub use public::Public;
