//! `POST /ocunsub/{id}`: [`unsubscribe`] unsubscribes with one click in the mail program (RFC 8058). `GET /ocunsub/{id}`: [`page`]
//! changes nothing, because some mail programs open all links.

use axum::body::Body;
use axum::response::Response;
use bespoke_database::subscribers;
use bespoke_web::{Error, Params, Public, Result, Session};
use http::{HeaderValue, header};

const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");
/// Content security policy of the page: it loads nothing, runs nothing, and its form is sent only to this instance.
const POLICY: HeaderValue =
    HeaderValue::from_static("default-src 'none'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'");

fn html(title: &str, body: &str) -> Response {
    let page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{title}</title>\n<h1>{title}</h1>\n{body}\n</html>\n"
    );
    let mut response = Response::new(Body::from(page));
    response.headers_mut().insert(header::CONTENT_TYPE, HTML);
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, POLICY);
    response
}

/// Show the page that unsubscribes
///
/// The page has one button, for users who open the link in a browser. Reading it changes nothing.
#[utoipa::path(get, path = "/ocunsub/{id}", tag = "Newsletter", operation_id = "oneClickPage",
    params(("id" = String, Path, description = "The secret in the `List-Unsubscribe` header of the mail.")),
    responses(
        (status = 200, description = "The page.", body = String, content_type = "text/html"),
        (status = 404, description = "There is no such subscription."),
    ))]
pub(crate) async fn page(_: Public, session: Session, params: Params) -> Result<Response> {
    let secret = params.get("id");
    let found = session.read(|db| crate::by_secret(db, secret)).await?;
    found.ok_or_else(Error::not_found)?;
    let form = "<form method=\"post\"><button>Unsubscribe</button></form>";
    Ok(html("Unsubscribe from the newsletter?", form))
}

/// Unsubscribe with one click
///
/// Ignores the body. Repeated calls succeed.
#[utoipa::path(post, path = "/ocunsub/{id}", tag = "Newsletter", operation_id = "oneClickUnsubscribe",
    params(("id" = String, Path, description = "The secret in the `List-Unsubscribe` header of the mail.")),
    responses((status = 200, description = "The address no longer gets the newsletter.", body = String, content_type = "text/html")))]
pub(crate) async fn unsubscribe(_: Public, session: Session, params: Params) -> Result<Response> {
    let secret = params.get("id").to_owned();
    let remove = session.write(move |db| {
        if let Some(found) = crate::by_secret(db, &secret)? {
            subscribers::delete(db, found.uuid)?;
        }
        Ok(())
    });
    remove.await?;
    Ok(html(
        "You are unsubscribed.",
        "<p>This address will no longer receive the newsletter.</p>",
    ))
}
