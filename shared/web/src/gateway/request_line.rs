//! The log line of a request: method, path, status, duration and size.
//!
//! A path may contain a secret (the check of a mail link), an address or a name, and a path without a route may contain any text. Therefore only
//! the fixed parts of routes and integer ids are logged. Every other part is replaced by its name in the route, or by `{}`.

use std::collections::HashSet;
use std::sync::Arc;

use http::StatusCode;
use tracing::Level;

use super::route_table::RouteMatch;
use crate::observability::logging::REQUESTS;
use crate::request::Params;
use crate::routes::Route;

/// The name of a parameter that may be an integer id.
const ID: &str = "id";
/// The maximum number of digits of an integer id that is logged.
const MAX_ID_DIGITS: usize = 15;

/// Whether the filter of the log includes request lines.
pub(super) fn is_logged() -> bool {
    tracing::enabled!(target: REQUESTS, Level::DEBUG)
}

/// Returns the fixed parts of the paths of all routes, in lower case.
pub(super) fn fixed_parts<'a>(routes: impl IntoIterator<Item = &'a Route>) -> HashSet<String> {
    let parts = routes.into_iter().flat_map(|route| route.path.split('/'));
    parts.filter(|part| !part.contains('{')).map(str::to_owned).collect()
}

/// Returns the form of a path that may be logged.
pub(super) fn path(found: Option<&RouteMatch>, path: &str, fixed: &HashSet<String>) -> String {
    match found {
        Some(RouteMatch { route, params }) => of_route(route, params),
        None => {
            let is_fixed = |part: &str| fixed.contains(&part.to_ascii_lowercase());
            let parts = path.split('/').map(|part| if is_fixed(part) { part } else { "{}" });
            parts.collect::<Vec<_>>().join("/")
        }
    }
}

fn of_route(route: &Arc<Route>, params: &Params) -> String {
    let mut path = route.path.clone();
    for (name, value) in params.0.iter().filter(|(name, _)| name == ID) {
        let is_id = (1..=MAX_ID_DIGITS).contains(&value.len()) && value.bytes().all(|byte| byte.is_ascii_digit());
        if is_id {
            path = path.replace(&format!("{{{name}}}"), value);
        }
    }
    path
}

/// Logs a request. `bytes` is the size of the response body; `None` if it is unknown before the body is sent.
pub(super) fn log(method: &str, path: &str, status: StatusCode, duration_ms: i64, bytes: Option<u64>) {
    tracing::debug!(
        target: REQUESTS,
        method,
        path,
        status = status.as_u16(),
        duration_ms,
        bytes,
        "request"
    );
}
