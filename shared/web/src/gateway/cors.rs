//! Cross-origin requests (CORS): the [`Headers`] of responses, and responses to a [`preflight`]. All origins are allowed, unless a
//! setting lists the allowed ones.

use axum::body::Body;
use axum::response::Response;
use http::{HeaderMap, HeaderValue, StatusCode, header};

const METHODS: HeaderValue = HeaderValue::from_static("GET,HEAD,PUT,PATCH,POST,DELETE");
/// The response headers that scripts of other origins may read.
const EXPOSED: HeaderValue = HeaderValue::from_static("ETag, DB-Seq, RateLimit, RateLimit-Policy, Retry-After");
/// How long a browser may cache a preflight response, in seconds. Browsers limit this to two hours.
const MAX_AGE_S: u64 = 7200;

/// The CORS headers of a response.
pub(super) struct Headers {
    /// The origin that may read the response; `None` for an origin that is not allowed.
    origin: Option<HeaderValue>,
    /// Whether `origin` depends on the request.
    varies: bool,
}

impl Headers {
    /// Returns the headers for the origin of a request.
    pub(super) fn of(headers: &HeaderMap, allowed: &Option<Vec<String>>) -> Self {
        match allowed {
            None => Self {
                origin: Some(HeaderValue::from_static("*")),
                varies: false,
            },
            Some(allowed) => {
                let origin = headers
                    .get(header::ORIGIN)
                    .filter(|origin| allowed.iter().any(|item| item == *origin));
                Self {
                    origin: origin.cloned(),
                    varies: true,
                }
            }
        }
    }

    pub(super) fn apply(self, headers: &mut HeaderMap) {
        if let Some(origin) = self.origin {
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
            headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
        }
        if self.varies {
            headers.append(header::VARY, HeaderValue::from_static("Origin"));
        }
    }
}

/// Responds to a preflight request for any path: 204, with the requested headers.
pub(super) fn preflight(request: &HeaderMap) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, METHODS);
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, MAX_AGE_S.into());
    headers.insert(header::VARY, HeaderValue::from_static("Access-Control-Request-Headers"));
    if let Some(requested) = request.get(header::ACCESS_CONTROL_REQUEST_HEADERS) {
        headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, requested.clone());
    }
    response
}
