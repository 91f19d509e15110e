//! Responses for browsers: files of pages ([`page_file`]), and redirects ([`moved`]).

use axum::body::{Body, Bytes};
use axum::response::Response;
use http::{HeaderValue, StatusCode, header};

/// Redirects to a relative path, so that the redirect also works behind a proxy that adds a path prefix.
pub fn moved(to: &'static str) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::MOVED_PERMANENTLY;
    response
        .headers_mut()
        .insert(header::LOCATION, HeaderValue::from_static(to));
    response
}

/// Responds with a file of a page. A browser applies `policy`, the Content-Security-Policy of the page, to it.
pub fn page_file(content_type: &str, bytes: impl Into<Bytes>, policy: HeaderValue) -> Response {
    let mut response = Response::new(Body::from(bytes.into()));
    let headers = response.headers_mut();
    if let Ok(value) = HeaderValue::try_from(content_type) {
        headers.insert(header::CONTENT_TYPE, value);
    }
    headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    headers.insert(
        header::CACHE_CONTROL,
        HeaderValue::from_static("public, max-age=0, must-revalidate"),
    );
    response
}
