//! What every answer tells a browser not to do with it.

use axum::response::Response;
use http::header::{self, Entry, HeaderName};
use http::{HeaderMap, HeaderValue, Method};

/// Nothing that is no page of ours runs, loads anything or is framed, wherever it is opened. A page brings a policy of its own.
const POLICY: HeaderValue = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");
const NO_REFERRER: HeaderValue = HeaderValue::from_static("no-referrer");
const NO_SNIFF: HeaderValue = HeaderValue::from_static("nosniff");
const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");
const OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");
const SAME_ORIGIN: HeaderValue = HeaderValue::from_static("same-origin");
/// A year, in which a browser that was here over TLS comes over nothing else.
const TLS_ONLY: HeaderValue = HeaderValue::from_static("max-age=31536000");
/// Kept by whoever asked, and used again only after asking whether it still holds.
const OWN: HeaderValue = HeaderValue::from_static("private, no-cache");
/// What tells secrets or changes something is kept by nobody.
const KEPT_BY_NOBODY: HeaderValue = HeaderValue::from_static("no-store");

/// Adds to an answer what no handler has said. `over_tls`: clients reach this instance by HTTPS.
pub(super) fn apply(headers: &mut HeaderMap, over_tls: bool) {
    let kind = headers
        .get(header::CONTENT_TYPE)
        .map_or(&b""[..], HeaderValue::as_bytes);
    // Pictures are shown by other sites.
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

/// Says who may keep the answer of a route, where its handler has not.
pub(super) fn keep(response: &mut Response, method: &Method, personal: bool) {
    let kept = match (method, personal) {
        (&Method::GET | &Method::HEAD, false) => return,
        (&Method::GET | &Method::HEAD, true) => OWN,
        _ => KEPT_BY_NOBODY,
    };
    if let Entry::Vacant(place) = response.headers_mut().entry(header::CACHE_CONTROL) {
        place.insert(kept);
    }
}
