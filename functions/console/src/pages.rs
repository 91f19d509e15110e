//! Serves the files of the console below `GET /console/`. Links in mails lead to its page if no website is configured.

use axum::response::Response;
use bespoke_core::entity::oauth::Provider;
use bespoke_web::{Config, Error, Params, Public, Result, Session, moved, page_file};
use http::{HeaderValue, Uri};

use crate::files::{self, File};

/// Content security policy of the console: it loads only files of this instance. The policy also prevents scripts from
/// turning text into markup.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; \
     form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
);

/// The path of the console.
const ROOT: &str = "/console/";
/// Placeholder in the page for the relative path to the console's folder.
const TO_ROOT: &str = "{root}";
/// Placeholder for the enabled sign-in providers.
const PROVIDERS: &str = "{providers}";
/// Placeholder for the maximum lifetime of an API key, in days.
const MAX_KEY_DAYS: &str = "{max-key-days}";
/// Paths below the console that show the page: the links in mails, and the redirects of sign-in providers.
const LINKS: [&str; 7] = [
    "confirm/signup",
    "confirm/signin",
    "confirm/emailchange",
    "newsletter/subscribe",
    "newsletter/unsubscribe",
    "signin/callback/github",
    "signin/callback/google",
];

/// Show the console
///
/// `/console` redirects to `/console/`.
#[utoipa::path(get, path = "/console", tag = "Service", operation_id = "console",
    responses(
        (status = 200, description = "A page.", body = String, content_type = "text/html"),
        (status = 301, description = "The page is at `/console/`."),
    ))]
pub(crate) async fn index(_: Public, session: Session, uri: Uri) -> Response {
    if uri.path().ends_with('/') {
        return page_response(session.config(), uri.path());
    }
    moved("console/")
}

/// Read a file of the console
#[utoipa::path(get, path = "/console/{file}", tag = "Service", operation_id = "consoleFile",
    params(("file" = String, Path, description = "Name of the file.")),
    responses(
        (status = 200, description = "A script or a style sheet.", content((String = "text/javascript"), (String = "text/css"))),
        (status = 404, description = "There is no such file."),
    ))]
pub(crate) async fn file(_: Public, params: Params) -> Result<Response> {
    files::find(params.get("file"))
        .map(file_response)
        .ok_or_else(Error::not_found)
}

/// Read a file in a folder of the console, or show the page for a link in a mail
#[utoipa::path(get, path = "/console/{folder}/{file}", tag = "Service", operation_id = "consoleFileInFolder",
    params(
        ("folder" = String, Path, description = "Name of the folder."),
        ("file" = String, Path, description = "Name of the file, or of the link."),
    ),
    responses(
        (status = 200, description = "A script, texts in one language, or the page.", content(
            (String = "text/javascript"), (String = "text/html"),
            (std::collections::HashMap<String, String> = "application/json"),
        )),
        (status = 404, description = "There is no such file or link."),
    ))]
pub(crate) async fn file_in_folder(_: Public, session: Session, params: Params, uri: Uri) -> Result<Response> {
    let path = format!("{}/{}", params.get("folder"), params.get("file"));
    match files::find(&path) {
        Some(file) => Ok(file_response(file)),
        None => link_response(&session, &path, &uri),
    }
}

/// Show the page after a redirect from a sign-in provider
#[utoipa::path(get, path = "/console/signin/callback/{provider}", tag = "Service", operation_id = "consoleCallback",
    params(("provider" = String, Path, description = "Name of the provider.")),
    responses(
        (status = 200, description = "The page.", body = String, content_type = "text/html"),
        (status = 404, description = "There is no such provider."),
    ))]
pub(crate) async fn callback(_: Public, session: Session, params: Params, uri: Uri) -> Result<Response> {
    let path = format!("signin/callback/{}", params.get("provider"));
    link_response(&session, &path, &uri)
}

fn link_response(session: &Session, path: &str, uri: &Uri) -> Result<Response> {
    if LINKS.contains(&path.to_ascii_lowercase().as_str()) {
        Ok(page_response(session.config(), uri.path()))
    } else {
        Err(Error::not_found())
    }
}

/// Creates the page for a path of the console. References to files are relative, so that they also work behind a proxy that adds a
/// path prefix.
fn page_response(config: &Config, path: &str) -> Response {
    let depth = path.get(ROOT.len()..).unwrap_or_default().matches('/').count();
    let root = if depth == 0 {
        "./".to_owned()
    } else {
        "../".repeat(depth)
    };
    let providers = [Provider::GitHub, Provider::Google]
        .into_iter()
        .filter(|provider| config.oauth.get(*provider).is_some());
    let providers: Vec<_> = providers.map(Provider::name).collect();
    let html = include_str!("../assets/index.html")
        .replace(TO_ROOT, &root)
        .replace(PROVIDERS, &providers.join(" "))
        .replace(MAX_KEY_DAYS, &config.max_key_life_days.to_string());
    respond("text/html; charset=utf-8", html)
}

fn file_response(file: &'static File) -> Response {
    respond(file.content_type(), file.bytes)
}

fn respond(content_type: &str, bytes: impl Into<axum::body::Bytes>) -> Response {
    page_file(content_type, bytes, POLICY)
}
