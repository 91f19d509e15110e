//! `GET /` ([`landing`]), `GET /css/style.css` ([`style`]) and `GET /avatar.svg` ([`avatar`]): the landing page, its style sheet, and the
//! default image of an account.

use axum::body::Bytes;
use axum::response::Response;
use bespoke_web::{Config, Public, Session, page_file};
use http::HeaderValue;

/// Content security policy of the pages: they load only files of this instance. The reference also has small images in data URIs.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);

/// Responds with a file of a page.
pub(crate) fn file(content_type: &str, bytes: impl Into<Bytes>) -> Response {
    page_file(content_type, bytes, POLICY)
}

/// Placeholder in the landing page for the limits of this instance.
const LIMITS: &str = "<!-- limits -->";

/// Returns the limits of this instance and the contact of the operator as list items.
fn limits(config: &Config) -> String {
    let mut items = Vec::new();
    if let Some(limits) = config.limits {
        items.push(format!(
            "{} calls a minute and {} a day for each API key, and {} a minute for each account, unless an administrator has set another \
             quota.",
            limits.callers, config.key_quota, limits.callers
        ));
        items.push(format!(
            "Without an account: {} reads a minute from one address, and {} calls that sign in, send mail or store data.",
            limits.public_reads, limits.public_writes
        ));
    }
    items.push(format!(
        "API keys expire after at most {} days.",
        config.max_key_life_days
    ));
    if let Some(operator) = &config.operator {
        let href = operator.href();
        items.push(format!(
            r#"Do you need more? Contact the operator: <a href="{href}">{operator}</a>."#
        ));
    }
    items.iter().map(|item| format!("<li>{item}</li>\n")).collect()
}

/// Show the landing page
#[utoipa::path(get, path = "/", tag = "Service", operation_id = "landingPage",
    responses((status = 200, description = "A page.", body = String, content_type = "text/html")))]
pub(crate) async fn landing(_: Public, session: Session) -> Response {
    let page = include_str!("../assets/landing.html").replace(LIMITS, &limits(session.config()));
    file("text/html; charset=utf-8", page)
}

/// Read the style sheet of the landing page
#[utoipa::path(get, path = "/css/style.css", tag = "Service", operation_id = "style",
    responses((status = 200, description = "A style sheet.", body = String, content_type = "text/css")))]
pub(crate) async fn style(_: Public) -> Response {
    file("text/css; charset=utf-8", include_str!("../assets/style.css"))
}

/// Read the default image of an account
#[utoipa::path(get, path = "/avatar.svg", tag = "Service", operation_id = "avatar",
    responses((status = 200, description = "An image.", body = String, content_type = "image/svg+xml")))]
pub(crate) async fn avatar(_: Public) -> Response {
    file("image/svg+xml; charset=utf-8", include_str!("../assets/avatar.svg"))
}
