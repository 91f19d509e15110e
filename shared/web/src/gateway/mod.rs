//! The gateway: dispatches a request to its handler and completes the response.
//!
//! A host calls [`Gateway::handle`]. The gateway
//!
//! 1. chooses the request id and finds the route (`request_ids`, `route_table`), and begins the span,
//! 2. determines the client, and counts calls without authentication for the rate limit of its network,
//! 3. returns a cached response (`response_cache`), or calls the handler; a panic of the handler becomes a 500; a long response reserves memory
//!    until it is sent (`unsent`),
//! 4. adds the headers that all responses share: ETag or 304 (`conditional_get`), security headers, CORS, `DB-Seq`, and the challenge of a
//!    rejected API key (`challenge`),
//! 5. counts the request and logs it (`request_count`, `request_line`).
//!
//! All hosts use the same gateway, so that a route behaves the same on Lambda and under `bespoke serve`. This module must not know a single
//! route or a host.
//!
//! To add a header to all responses, add a file like `cors.rs` and call it in `Gateway::respond`. To add a check before all handlers, call it in
//! `Gateway::dispatch`.

mod challenge;
mod collect;
mod conditional_get;
mod cors;
mod handler;
pub(crate) mod headers;
mod redirect;
mod request_count;
mod request_ids;
mod request_line;
mod response_cache;
mod route_table;
mod security_headers;
mod unsent;

pub use handler::Gateway;
pub(crate) use redirect::PathRedirect;
