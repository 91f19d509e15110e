//! [`PathRedirect`]: the response 308 to the canonical path of a route.

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};

/// The canonical form of the path of a request. A host inserts it into the extensions of the request if another function may serve that form.
#[derive(Debug, Clone)]
pub(crate) struct PathRedirect(pub(crate) HeaderValue);

impl IntoResponse for PathRedirect {
    /// Returns 308, because the client must repeat the same method and body.
    fn into_response(self) -> Response {
        (StatusCode::PERMANENT_REDIRECT, [(header::LOCATION, self.0)]).into_response()
    }
}
