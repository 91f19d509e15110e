//! The layer between the functions and the database: authentication, requests and responses, limits, routing, and the hosts.
//!
//! **Job.** A function of `functions/` declares its routes with [`Routes`] and writes handlers. This crate calls the right handler,
//! after it has authenticated the caller and checked the limits, and turns the result into a response. The same code runs on Lambda, under
//! `bespoke serve`, and in the tests.
//!
//! **Data flow.** A host (`lambda`, or the command `bespoke`) gives a request to [`Gateway::handle`]. The gateway finds the [`Route`], creates
//! a [`Session`] for the request, and calls the handler. The extractors of the handler authenticate the caller ([`Caller`], [`Guest`],
//! [`Public`]) and parse the path, the query and the body. The handler reads and writes with the session, and returns a response or an
//! [`Error`].
//!
//! **Dependencies.** This crate does not contain SQL (that is the job of `bespoke-database`), and it knows no single route. Inside the crate,
//! a module imports only from the modules above it in this list:
//!
//! | Module | Job |
//! | --- | --- |
//! | `access`, `system` | the access rules of a route; the clock, the random source and the file mode of the operating system |
//! | `response` | errors, JSON, YAML, and cached header values |
//! | `limits`, `client` | limits for calls, bytes and concurrent work; the address of the client |
//! | [`config`] | settings |
//! | `observability` | logs, metrics, spans, and the trace of the caller |
//! | `state` | [`Context`] (one for each process) and [`Session`] (one for each request) |
//! | `request` | path parameters, queries, `If-Match`, and pages of lists |
//! | `auth`, `body` | authentication and the audit; parsers of bodies |
//! | `objects`, [`content`], [`view`] | files in the bucket; records in requests; records in responses |
//! | `jobs`, `routes` | background jobs; the table of routes and its OpenAPI description |
//! | `gateway` | from a request to a response |
//! | [`lambda`] | the Lambda host |
//!
//! **How to add one more.** A route is a line in the `router()` of a function and a handler whose first argument is [`Public`], [`Guest`] or
//! [`Caller`]. A setting is a row of [`config::SETTINGS`] and a field of [`Config`]. For a module, take the first row of the table whose
//! job fits; imports name the module (`use crate::response::Error`), so that a wrong direction is visible.

mod access;
mod auth;
mod body;
mod client;
pub mod config;
pub mod content;
#[doc(hidden)]
pub mod fuzzing;
mod gateway;
mod jobs;
pub mod lambda;
mod limits;
mod objects;
mod observability;
mod request;
mod response;
mod routes;
mod state;
mod system;
pub mod view;

pub use access::{Access, NeededScopes, Scheme, level};
pub use auth::{AuditEntry, AuthMethod, Caller, Guest, Identity, Public, attempts};
pub use body::{Body, DocumentBody, JsonObject, truthy};
pub use client::{ClientIp, Peer};
pub use config::{Config, ConfigError, Contact, Overrides};
pub use content::TextChanges;
pub use gateway::Gateway;
pub use jobs::maintenance;
pub use limits::{AccountLimits, ExportAllowance, Growth, LimitSettings};
pub use objects::{UploadedImage, exports};
pub use observability::{SpanExport, logging, metrics};
#[doc(hidden)]
pub use pastey;
pub use request::{
    ContentTag, Id, IfMatch, Paging, Params, Query, Signature, TaggedBody, list, stored_list, yaml_list, yaml_record,
};
pub use response::{Error, Outcome, Result, created, json, moved, no_content, ok, page_file, yaml};
pub use routes::{CacheKey, OperationDescription, Route, RouteSpec, Routes, openapi};
pub use state::{Context, Creation, Dependencies, LongReadPermit, Session, StartError, VerifiedPassword};
pub use system::{SystemClock, SystemRandom, keep_files_private};
