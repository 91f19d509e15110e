//! Responses: errors, JSON and YAML bodies, files of pages, ETags, and cached header values.
//!
//! A handler returns [`Result`]. On success it calls [`ok`], [`created`], [`no_content`] or [`yaml`]; on failure it returns an [`Error`],
//! which axum turns into the error envelope of the API. `Error` is the only place that maps errors of the database and of services to a
//! status and an error code. The gateway adds the headers that all responses share.
//!
//! This module must not depend on a session, on the configuration, or on a route.
//!
//! To add a status, add a constructor to [`Error`] and, if every route of a kind can return it, a row to the list of `routes::openapi`. To
//! add an error code to a route, pass it to the constructor of its status and describe it in the `#[utoipa::path]` of the handler.

mod error;
mod header_cache;
mod json;
mod page;
mod tag;
mod yaml;

pub use error::{Error, Result};
pub(crate) use error::{INSUFFICIENT_SCOPE, Reason};
pub(crate) use header_cache::HeaderCache;
pub(crate) use json::{MAX_LIST_BYTES, json_text, to_json};
pub use json::{Outcome, created, json, no_content, ok};
pub use page::{moved, page_file};
pub(crate) use tag::tag_of;
pub use yaml::yaml;
pub(crate) use yaml::{yaml_document, yaml_text};
