//! The line that the log has for each request: method, path, status, milliseconds and bytes.
//!
//! A path may contain a secret (the check of a mail link), an address or a name, and one that leads to no route may contain anything.
//! So only the fixed parts of routes and integer ids are logged; any other part is logged as its name in the route, or as `{}`.

use std::collections::HashSet;
use std::sync::Arc;

use http::StatusCode;
use tracing::Level;

use super::Target;
use crate::logging::REQUESTS;
use crate::{Params, Route};

/// The name of a part that may be an integer id.
const ID: &str = "id";
/// Digits of the longest integer id that is logged.
const MAX_ID_DIGITS: usize = 15;

/// Whether requests are logged.
pub(super) fn is_logged() -> bool {
    tracing::enabled!(target: REQUESTS, Level::DEBUG)
}

/// The parts that are fixed in some route, in lower case.
pub(super) fn fixed_parts<'a>(routes: impl IntoIterator<Item = &'a Route>) -> HashSet<String> {
    let parts = routes.into_iter().flat_map(|route| route.path.split('/'));
    parts.filter(|part| !part.contains('{')).map(str::to_owned).collect()
}

/// A path as it is logged; `target` is the route that it leads to, if there is one.
pub(super) fn path(target: Option<&Target>, path: &str, fixed: &HashSet<String>) -> String {
    match target {
        Some(Target { route, params }) => of_route(route, params),
        None => {
            let known = |part: &str| fixed.contains(&part.to_ascii_lowercase());
            let parts = path.split('/').map(|part| if known(part) { part } else { "{}" });
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

/// Logs a request. `bytes` is the length of the body of the response; `None` if it is not known before it is sent.
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
