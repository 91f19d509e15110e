//! [`apply`]: adds the security headers, and the default `Cache-Control`, to responses.

use axum::response::Response;
use http::header::{self, Entry, HeaderName};
use http::{HeaderMap, HeaderValue, Method};

/// The policy of responses that are not pages: a browser that opens one runs no script, loads nothing and shows it in no frame. The handler
/// of a page sets a policy of its own.
const POLICY: HeaderValue = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");
const NO_REFERRER: HeaderValue = HeaderValue::from_static("no-referrer");
const NO_SNIFF: HeaderValue = HeaderValue::from_static("nosniff");
const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");
const OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");
const SAME_ORIGIN: HeaderValue = HeaderValue::from_static("same-origin");
/// Tells browsers to use only TLS for one year.
const TLS_ONLY: HeaderValue = HeaderValue::from_static("max-age=31536000");
/// Only the client itself may cache the response, and must revalidate it before each use.
const REVALIDATED: HeaderValue = HeaderValue::from_static("private, no-cache");
/// No cache may store the response, because it contains secrets or is the result of a change.
const NOT_STORED: HeaderValue = HeaderValue::from_static("no-store");

/// Adds the headers that the handler has not set. `over_tls` is true if clients reach this instance over HTTPS.
pub(super) fn apply(headers: &mut HeaderMap, over_tls: bool) {
    let kind = headers
        .get(header::CONTENT_TYPE)
        .map_or(&b""[..], HeaderValue::as_bytes);
    // Other sites may embed images, so these headers are for pages only.
    let is_page = kind.starts_with(b"text/html");
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, NO_SNIFF);
    headers.insert(header::REFERRER_POLICY, NO_REFERRER);
    if let Entry::Vacant(place) = headers.entry(header::CONTENT_SECURITY_POLICY) {
        place.insert(POLICY);
    }
    if is_page {
        headers.insert(RESOURCE_POLICY, SAME_ORIGIN);
        headers.insert(OPENER_POLICY, SAME_ORIGIN);
    }
    if over_tls {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, TLS_ONLY);
    }
}

/// Sets `Cache-Control` if the handler has not. `personal` is true for a route with authentication.
pub(super) fn set_cache_control(response: &mut Response, method: &Method, personal: bool) {
    let cache_control = match (method, personal) {
        (&Method::GET | &Method::HEAD, false) => return,
        (&Method::GET | &Method::HEAD, true) => REVALIDATED,
        _ => NOT_STORED,
    };
    if let Entry::Vacant(place) = response.headers_mut().entry(header::CACHE_CONTROL) {
        place.insert(cache_control);
    }
}
