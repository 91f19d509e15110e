//! The shared state: [`Context`] for the process and [`Session`] for one request.
//!
//! [`Context::open`] gets the configuration and the injected [`Dependencies`], opens the bucket and the database, and is then shared by all
//! requests. The gateway creates one [`Session`] for each request; it dereferences to the context, and adds the freshness of the reads, the
//! limits that the request counts for, and the `Idempotency-Key`. Handlers read and write with the session.
//!
//! This module must not know how a caller is authenticated, and must not depend on a route. Modules further down extend both types with
//! methods of their own (`objects`, `jobs`, `auth`).
//!
//! To add something that lives as long as the process, add a field to `Inner` in `context.rs`; if it is expensive and few functions need it,
//! create it on first use, like the external services. To add something that belongs to one request, add a field to `State` in `session.rs`.

mod context;
mod dependencies;
mod idempotency;
mod public_counters;
mod session;
mod work;

pub use context::{Context, LongReadPermit, StartError};
pub use dependencies::Dependencies;
pub use idempotency::Creation;
pub(crate) use idempotency::MAX_KEY_BYTES;
pub(crate) use session::HeaderCaches;
pub use session::Session;
pub use work::VerifiedPassword;
