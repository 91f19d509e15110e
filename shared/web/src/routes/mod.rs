//! The table of routes and its OpenAPI description.
//!
//! Each function (deployable group of routes, such as `sets`) builds its [`Routes`] with `Routes::new("sets").with(route!(create))`. The
//! table takes the method and the path from the `#[utoipa::path]` of the handler, and the access rules from the type of its first argument.
//! The gateway dispatches by this table, and `openapi` describes it, so that the description cannot differ from the behaviour.
//!
//! This module must not know a single route, and must not depend on the gateway.
//!
//! To add a property of routes, add a field to `Route` and a builder method to `RouteSpec`; if clients need to know it, add it to the
//! operation in `openapi`.

pub mod openapi;
mod table;

pub use table::{CacheKey, OperationDescription, Route, RouteSpec, Routes};
