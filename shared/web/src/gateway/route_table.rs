//! [`RouteTable`]: finds the route of a method and a path.

use std::collections::BTreeMap;
use std::sync::Arc;

use http::{Method, Uri};
use percent_encoding::percent_decode_str;

use crate::request::Params;
use crate::response::Error;
use crate::routes::Route;

/// The routes of a gateway, by path and method.
pub(super) struct RouteTable(matchit::Router<Vec<Arc<Route>>>);

/// The route of a request, and the parameters of its path.
pub(super) struct RouteMatch {
    pub(super) route: Arc<Route>,
    pub(super) params: Params,
}

impl RouteTable {
    /// # Panics
    /// If two routes have the same method and path, or are ambiguous. This is a defect of the table.
    pub(super) fn new(routes: Vec<Route>) -> Self {
        let mut by_path = BTreeMap::<String, Vec<Arc<Route>>>::new();
        for route in routes {
            let same_path = by_path.entry(route.path.clone()).or_default();
            assert!(
                same_path.iter().all(|other| other.method != route.method),
                "two routes for {}",
                route.path
            );
            same_path.push(Arc::new(route));
        }
        let mut table = matchit::Router::new();
        for (path, routes) in by_path {
            table
                .insert(path, routes)
                .expect("the paths of the table are unambiguous");
        }
        Self(table)
    }

    /// Finds the route of a request. Letter case and a trailing slash of the path are ignored, and HEAD is served by GET.
    ///
    /// # Errors
    /// 404 for an unknown path; 405 for a method that the path does not support; 400 if a parameter is not valid percent-encoding.
    pub(super) fn find(&self, method: &Method, uri: &Uri) -> Result<RouteMatch, Error> {
        let path = uri.path();
        let path = if path.len() > 1 {
            path.strip_suffix('/').unwrap_or(path)
        } else {
            path
        };
        // The lower-case path has the same length, so parameters have the same offsets as in the original path.
        let folded = path.to_ascii_lowercase();
        let matched = self.0.at(&folded).map_err(|_| Error::unknown_route())?;
        let served_by = if method == Method::HEAD { &Method::GET } else { method };
        let route = matched
            .value
            .iter()
            .find(|route| route.method == served_by)
            .ok_or_else(|| Error::method_not_allowed(allowed(matched.value)))?;
        let mut params = Params::default();
        for (name, value) in matched.params.iter() {
            let start = value.as_ptr().addr() - folded.as_ptr().addr();
            let original_value = &path[start..start + value.len()];
            params.0.push((name.to_owned(), decode(original_value)?));
        }
        Ok(RouteMatch {
            route: Arc::clone(route),
            params,
        })
    }
}

/// Returns the methods of a path in the form of the header `Allow`. Every path supports OPTIONS, for requests of browsers.
fn allowed(routes: &[Arc<Route>]) -> String {
    let mut methods: Vec<&str> = routes.iter().map(|route| route.method.as_str()).collect();
    if methods.contains(&"GET") {
        methods.push("HEAD");
    }
    methods.push("OPTIONS");
    methods.sort_unstable();
    methods.join(", ")
}

/// Decodes the percent-encoding of a parameter. A `%` without two digits is an error, although the decoder would keep it.
fn decode(part: &str) -> Result<String, Error> {
    let malformed = || Error::bad_request("badRequest");
    let mut rest = part;
    while let Some(position) = rest.find('%') {
        let digits = rest.as_bytes().get(position + 1..position + 3).ok_or_else(malformed)?;
        if !digits.iter().all(u8::is_ascii_hexdigit) {
            return Err(malformed());
        }
        rest = &rest[position + 3..];
    }
    percent_decode_str(part)
        .decode_utf8()
        .map(Into::into)
        .map_err(|_| malformed())
}
