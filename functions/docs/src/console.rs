//! `GET /console/`: the page on which people sign up, make keys and enter measurements. Links of mails lead below it where no
//! website is set.

mod files;

use axum::response::Response;
use bespoke_core::entity::oauth::Provider;
use bespoke_web::{Config, Error, Params, Public, Result, Session};
use http::{Uri, header};

use crate::page::{self, CONSOLE_POLICY};
use files::File;

/// Where the paths of the console begin.
const ROOT: &str = "/console/";
/// What leads from the page to the folder of the console.
const TO_ROOT: &str = "{root}";
/// The providers through which people can sign in here.
const PROVIDERS: &str = "{providers}";
/// The longest life of an API key here, in days.
const MAX_KEY_DAYS: &str = "{max-key-days}";
/// What paths of links lead to the page: in mails, and from providers that people sign in through.
const LINKS: [&str; 7] = [
    "confirm/signup",
    "confirm/signin",
    "confirm/emailchange",
    "newsletter/subscribe",
    "newsletter/unsubscribe",
    "signin/callback/github",
    "signin/callback/google",
];

/// The console
///
/// `/console` leads to `/console/`.
#[utoipa::path(get, path = "/console", tag = "Service", operation_id = "console",
    responses(
        (status = 200, description = "A page.", body = String, content_type = "text/html"),
        (status = 301, description = "The page is at `/console/`."),
    ))]
pub(crate) async fn index(_: Public, session: Session, uri: Uri) -> Response {
    if uri.path().ends_with('/') {
        return answer_page(session.config(), uri.path());
    }
    page::moved("console/")
}

/// A file of the console
#[utoipa::path(get, path = "/console/{file}", tag = "Service", operation_id = "consoleFile",
    params(("file" = String, Path, description = "Name of the file.")),
    responses(
        (status = 200, description = "A script, or a style sheet.", content((String = "text/javascript"), (String = "text/css"))),
        (status = 404, description = "There is no such file."),
    ))]
pub(crate) async fn file(_: Public, params: Params) -> Result<Response> {
    files::find(params.get("file"))
        .map(answer_file)
        .ok_or_else(Error::not_found)
}

/// A file of the console in a folder, or the page for the link of a mail
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
        (status = 404, description = "There is no such file and no such link."),
    ))]
pub(crate) async fn file_in_folder(_: Public, session: Session, params: Params, uri: Uri) -> Result<Response> {
    let path = format!("{}/{}", params.get("folder"), params.get("file"));
    match files::find(&path) {
        Some(file) => Ok(answer_file(file)),
        None => answer_link(&session, &path, &uri),
    }
}

/// The page for who comes back from a provider
#[utoipa::path(get, path = "/console/signin/callback/{provider}", tag = "Service", operation_id = "consoleCallback",
    params(("provider" = String, Path, description = "Name of the provider.")),
    responses(
        (status = 200, description = "The page.", body = String, content_type = "text/html"),
        (status = 404, description = "There is no such provider."),
    ))]
pub(crate) async fn callback(_: Public, session: Session, params: Params, uri: Uri) -> Result<Response> {
    let path = format!("signin/callback/{}", params.get("provider"));
    answer_link(&session, &path, &uri)
}

fn answer_link(session: &Session, path: &str, uri: &Uri) -> Result<Response> {
    if LINKS.contains(&path.to_ascii_lowercase().as_str()) {
        Ok(answer_page(session.config(), uri.path()))
    } else {
        Err(Error::not_found())
    }
}

/// The page, for any path of the console. What it loads is named from there, so that it also holds behind a path of somebody else's.
fn answer_page(config: &Config, path: &str) -> Response {
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
    let html = include_str!("../assets/console/index.html")
        .replace(TO_ROOT, &root)
        .replace(PROVIDERS, &providers.join(" "))
        .replace(MAX_KEY_DAYS, &config.max_key_life_days.to_string());
    answer("text/html; charset=utf-8", html)
}

fn answer_file(file: &'static File) -> Response {
    answer(file.content_type(), file.bytes)
}

fn answer(content_type: &str, bytes: impl Into<axum::body::Bytes>) -> Response {
    let mut response = page::file(content_type, bytes);
    response
        .headers_mut()
        .insert(header::CONTENT_SECURITY_POLICY, CONSOLE_POLICY);
    response
}
