//! `GET /console/`: the page on which people sign up, make keys and enter measurements. Links of mails lead below it where no
//! website is set.

mod files;

use axum::response::Response;
use bespoke_core::entity::oauth::Provider;
use bespoke_web::{Config, Error, Params, Public, Result, Session};
use http::{HeaderMap, HeaderValue, Uri, header};

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
pub(crate) async fn index(_: Public, session: Session, uri: Uri, headers: HeaderMap) -> Response {
    if uri.path().ends_with('/') {
        return answer_page(session.config(), uri.path(), &headers);
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
pub(crate) async fn file(_: Public, params: Params, headers: HeaderMap) -> Result<Response> {
    files::find(params.get("file"))
        .map(|file| answer_file(file, &headers))
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
pub(crate) async fn file_in_folder(
    _: Public,
    session: Session,
    params: Params,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response> {
    let path = format!("{}/{}", params.get("folder"), params.get("file"));
    match files::find(&path) {
        Some(file) => Ok(answer_file(file, &headers)),
        None => answer_link(&session, &path, &uri, &headers),
    }
}

/// The page for who comes back from a provider
#[utoipa::path(get, path = "/console/signin/callback/{provider}", tag = "Service", operation_id = "consoleCallback",
    params(("provider" = String, Path, description = "Name of the provider.")),
    responses(
        (status = 200, description = "The page.", body = String, content_type = "text/html"),
        (status = 404, description = "There is no such provider."),
    ))]
pub(crate) async fn callback(
    _: Public,
    session: Session,
    params: Params,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response> {
    let path = format!("signin/callback/{}", params.get("provider"));
    answer_link(&session, &path, &uri, &headers)
}

fn answer_link(session: &Session, path: &str, uri: &Uri, headers: &HeaderMap) -> Result<Response> {
    if LINKS.contains(&path.to_ascii_lowercase().as_str()) {
        Ok(answer_page(session.config(), uri.path(), headers))
    } else {
        Err(Error::not_found())
    }
}

/// The page, for any path of the console. What it loads is named from there, so that it also holds behind a path of somebody else's.
fn answer_page(config: &Config, path: &str, headers: &HeaderMap) -> Response {
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
    if takes_gzip(headers) {
        answer("text/html; charset=utf-8", files::gzip(html.as_bytes()), true)
    } else {
        answer("text/html; charset=utf-8", html.into_bytes(), false)
    }
}

fn answer_file(file: &'static File, headers: &HeaderMap) -> Response {
    if takes_gzip(headers) {
        answer(file.content_type(), file.packed(), true)
    } else {
        answer(file.content_type(), file.bytes, false)
    }
}

fn answer(content_type: &str, bytes: impl Into<axum::body::Bytes>, packed: bool) -> Response {
    let mut response = page::file(content_type, bytes);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, CONSOLE_POLICY);
    headers.insert(header::VARY, HeaderValue::from_static("Accept-Encoding"));
    if packed {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    response
}

/// Whether the client takes gzip: it is named, and not with a quality of zero.
fn takes_gzip(headers: &HeaderMap) -> bool {
    let lines = headers.get_all(header::ACCEPT_ENCODING).iter();
    let mut items = lines
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(','));
    items.any(|item| {
        let (name, quality) = item.split_once(';').unwrap_or((item, "q=1"));
        let quality = quality
            .trim()
            .strip_prefix("q=")
            .and_then(|quality| quality.parse::<f32>().ok());
        name.trim().eq_ignore_ascii_case("gzip") && quality.is_some_and(|quality| quality > 0.0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_takes_gzip_gets_it() {
        let takes = |line: &'static str| {
            let headers = HeaderMap::from_iter([(header::ACCEPT_ENCODING, HeaderValue::from_static(line))]);
            takes_gzip(&headers)
        };
        for line in ["gzip", "br, GZIP;q=0.5", "deflate, gzip; q=1.0"] {
            assert!(takes(line), "{line}");
        }
        for line in ["", "br", "gzip;q=0", "identity, gzip; q=0.0", "gzip;q=x", "*"] {
            assert!(!takes(line), "{line}");
        }
        assert!(!takes_gzip(&HeaderMap::new()));
    }
}
