//! What all functions share above the database: who calls, what the answer looks like, and how a function is wired.
//!
//! **What it is for.** Extractors, the error envelope, the context (configuration read once), one registration that
//! gives the `/jwt` and the `/key` form of a route from one handler, the gateway that dispatches, the Lambda entry.
//!
//! **What it must not know.** SQL and bucket keys (they are below, in `bespoke-database`), and any single route (they
//! are above, in `functions/`).
//!
//! **How to add one more.** A route is a line in a function's `router()` and a handler whose first argument says who
//! may call it: [`Public`], [`Guest`] or [`Caller`]. A setting is a row of [`config::SETTINGS`] and a field of
//! [`Config`].

mod answer;
pub mod attempts;
mod audit;
mod auth;
mod body;
mod client;
mod computations;
pub mod config;
pub mod content;
mod context;
mod error;
pub mod exports;
#[doc(hidden)]
pub mod fuzzing;
mod gateway;
mod idempotency;
mod if_match;
mod images;
pub mod import;
mod key_file;
pub mod lambda;
mod leftovers;
mod limits;
pub mod logging;
pub mod lookup;
pub mod maintenance;
pub mod metrics;
pub mod openapi;
mod origin;
mod outbox;
mod page_images;
mod paging;
mod params;
mod query;
mod repeated;
mod routes;
mod session;
mod spans;
pub mod suggestions;
mod surroundings;
mod tag;
mod texts;
mod trace_context;
mod turns;
pub mod view;

pub use answer::{Outcome, created, json, no_content, ok, yaml};
pub use audit::Witness;
pub use auth::{Access, Caller, Guest, Identity, Public, Via, level};
pub use body::{Body, Document, JsonObject, truthy};
pub use client::{ClientIp, Peer};
pub use config::{Config, ConfigError, Contact, Overrides};
pub use context::{Context, LongReadTurn, StartError, Verified};
pub use error::{Error, Result};
pub use gateway::Gateway;
pub use idempotency::Made;
pub use if_match::{ContentTag, IfMatch, Tagged};
pub use images::SentImage;
pub use limits::{AccountLimits, ExportAllowance, LimitSettings};
pub use paging::{Paging, list, stored_list, yaml_list};
pub use params::{Id, Params};
#[doc(hidden)]
pub use pastey;
pub use query::{Query, Signature};
pub use routes::{Described, Description, KeptBy, NeededScopes, Route, Routes, Scheme};
pub use session::Session;
pub use spans::SpanExport;
pub use surroundings::{Surroundings, SystemClock, SystemRandom, keep_files_private};
pub use texts::TextChanges;
