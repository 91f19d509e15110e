//! `GET /`, `GET /css/style.css` and `GET /avatar.svg`

use axum::body::{Body, Bytes};
use axum::response::Response;
use bespoke_web::Public;
use http::{HeaderValue, header};

/// What a page of ours may load: what this instance serves, and nothing else. The reference draws small images from data.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);

/// A file of a page.
pub(crate) fn file(content_type: &str, bytes: impl Into<Bytes>) -> Response {
    let mut response = Response::new(Body::from(bytes.into()));
    let headers = response.headers_mut();
    if let Ok(value) = HeaderValue::try_from(content_type) {
        headers.insert(header::CONTENT_TYPE, value);
    }
    headers.insert(header::CONTENT_SECURITY_POLICY, POLICY);
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(
        header::CACHE_CONTROL,
        HeaderValue::from_static("public, max-age=0, must-revalidate"),
    );
    response
}

/// The landing page
#[utoipa::path(get, path = "/", tag = "Service", operation_id = "landingPage",
    responses((status = 200, description = "A page.", body = String, content_type = "text/html")))]
pub(crate) async fn landing(_: Public) -> Response {
    file("text/html; charset=utf-8", include_str!("../assets/landing.html"))
}

/// The style of the landing page
#[utoipa::path(get, path = "/css/style.css", tag = "Service", operation_id = "style",
    responses((status = 200, description = "A style sheet.", body = String, content_type = "text/css")))]
pub(crate) async fn style(_: Public) -> Response {
    file("text/css; charset=utf-8", include_str!("../assets/style.css"))
}

/// The image of an account that has none
#[utoipa::path(get, path = "/avatar.svg", tag = "Service", operation_id = "avatar",
    responses((status = 200, description = "An image.", body = String, content_type = "image/svg+xml")))]
pub(crate) async fn avatar(_: Public) -> Response {
    file("image/svg+xml; charset=utf-8", include_str!("../assets/avatar.svg"))
}
