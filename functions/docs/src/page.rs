//! `GET /`, `GET /css/style.css` and `GET /avatar.svg`

use axum::body::{Body, Bytes};
use axum::response::Response;
use bespoke_web::{Config, Public, Session};
use http::{HeaderValue, StatusCode, header};

/// What a page of ours may load: what this instance serves, and nothing else. The reference draws small images from data.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);

/// The same for the console, where besides no script can make markup of a text.
pub(crate) const CONSOLE_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; \
     form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
);

/// Leads to another path, named from this one: so it also holds behind a path of somebody else's.
pub(crate) fn moved(to: &'static str) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::MOVED_PERMANENTLY;
    response
        .headers_mut()
        .insert(header::LOCATION, HeaderValue::from_static(to));
    response
}

/// A file of a page.
pub(crate) fn file(content_type: &str, bytes: impl Into<Bytes>) -> Response {
    let mut response = Response::new(Body::from(bytes.into()));
    let headers = response.headers_mut();
    if let Ok(value) = HeaderValue::try_from(content_type) {
        headers.insert(header::CONTENT_TYPE, value);
    }
    headers.insert(header::CONTENT_SECURITY_POLICY, POLICY);
    headers.insert(
        header::CACHE_CONTROL,
        HeaderValue::from_static("public, max-age=0, must-revalidate"),
    );
    response
}

/// What the landing page says where the limits of this instance belong.
const LIMITS: &str = "<!-- limits -->";

/// The limits of this instance, and who runs it, as items of a list.
fn limits(config: &Config) -> String {
    let mut items = Vec::new();
    if let Some(limits) = config.limits {
        items.push(format!(
            "With one API key {} calls a minute and {} a day, by one account {} a minute, unless an administrator has agreed on \
             something else.",
            limits.callers, config.key_quota, limits.callers
        ));
        items.push(format!(
            "Without an account {} reads a minute from one address, and {} calls that sign in, mail or store something.",
            limits.public_reads, limits.public_writes
        ));
    }
    items.push(format!("A key lives {} days at most.", config.max_key_life_days));
    if let Some(operator) = &config.operator {
        let href = operator.href();
        items.push(format!(
            r#"Do you need more? Ask whoever runs this instance: <a href="{href}">{operator}</a>."#
        ));
    }
    items.iter().map(|item| format!("<li>{item}</li>\n")).collect()
}

/// The landing page
#[utoipa::path(get, path = "/", tag = "Service", operation_id = "landingPage",
    responses((status = 200, description = "A page.", body = String, content_type = "text/html")))]
pub(crate) async fn landing(_: Public, session: Session) -> Response {
    let page = include_str!("../assets/landing.html").replace(LIMITS, &limits(session.config()));
    file("text/html; charset=utf-8", page)
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
