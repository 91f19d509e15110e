//! [`prepare`]: converts events of the API gateway to requests, with the path and query that the client sent. [`answer`] adapts responses
//! to the API gateway.

use std::convert::Infallible;

use http::uri::PathAndQuery;
use http::{HeaderName, HeaderValue, header};
use lambda_http::request::{LambdaRequest, RequestContext};
use lambda_http::{Request, RequestExt};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use url::Url;

use crate::body::BodyLimit;
use crate::client::Peer;
use crate::gateway::{Gateway, PathRedirect, headers};
use crate::observability::trace_context::XRay;

/// Maximum size of a request body, in bytes. Lambda accepts events of 6 MB, which contain the body in base64; the API gateway
/// rejects larger ones.
const MAX_BODY_BYTES: usize = 4_500_000;
/// The key of the default route of the API gateway.
const DEFAULT_ROUTE: &str = "$default";
/// The header with the scheme that the client claims to have used.
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
/// The trace header of X-Ray.
const X_RAY: HeaderName = HeaderName::from_static("x-amzn-trace-id");

/// Characters that are invalid in the query of a URL, although some clients send them.
const NOT_IN_A_QUERY: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'<').add(b'>');

/// Prepares an event for the runtime crate, which builds a URL from the event and panics if the URL is invalid.
///
/// Percent-encodes invalid characters of the query. Removes an invalid host, the scheme that the client claims, and the stage at the beginning
/// of the path, because routes do not contain it.
pub fn prepare(event: &mut LambdaRequest) {
    let LambdaRequest::ApiGatewayV2(event) = event else {
        return;
    };
    if let Some(query) = &mut event.raw_query_string {
        // A client never sends a fragment. `bespoke serve` ignores it, too.
        let query_without_fragment = query.split('#').next().unwrap_or_default();
        *query = utf8_percent_encode(query_without_fragment, NOT_IN_A_QUERY).to_string();
    }
    // The scheme of the API is that of its URL in the configuration.
    event.headers.remove(FORWARDED_PROTO);
    let is_host = |host: &str| Url::parse(&format!("https://{host}/")).is_ok();
    let host = event.headers.get(header::HOST);
    if host.is_some_and(|host| !host.to_str().is_ok_and(is_host)) {
        event.headers.remove(header::HOST);
    }
    event.request_context.domain_name.take_if(|domain| !is_host(domain));
    let path = event.raw_path.get_or_insert_default();
    if let Some(stage) = &event.request_context.stage
        && let Some(rest) = without_stage(path, stage, event.request_context.route_key.as_deref())
    {
        *path = rest.to_owned();
    }
    if !path.starts_with('/') {
        path.insert(0, '/');
    }
}

/// Returns the path after `/<stage>`; `None` if the path does not contain the stage, because the stage is the default one or the API has a
/// domain of its own. If the complete path fits the key of its route, its beginning only looks like the stage.
fn without_stage<'a>(path: &'a str, stage: &str, route_key: Option<&str>) -> Option<&'a str> {
    let rest = path.strip_prefix('/')?.strip_prefix(stage)?;
    if stage == DEFAULT_ROUTE || !(rest.is_empty() || rest.starts_with('/')) {
        return None;
    }
    // A key such as `ANY /sets/{proxy+}`.
    let pattern = route_key
        .and_then(|key| key.split_once(' '))
        .map(|(_, pattern)| pattern);
    let fits_key =
        |path: &str| pattern.is_some_and(|pattern| path.starts_with(pattern.split('{').next().unwrap_or_default()));
    (!fits_key(path) || fits_key(rest)).then_some(rest)
}

/// Handles one request event, as [`run`](super::run) does.
///
/// # Errors
/// None, because every failure is a response.
pub async fn answer(gateway: &Gateway, mut event: Request) -> Result<axum::response::Response, Infallible> {
    encode_path(&mut event);
    if let Some(peer) = source_of(&event) {
        event.extensions_mut().insert(peer);
    }
    let x_ray = x_ray_of(&event);
    event.extensions_mut().insert(x_ray);
    if let Some(redirect) = redirect_of(&event) {
        event.extensions_mut().insert(redirect);
    }
    event.extensions_mut().insert(BodyLimit(MAX_BODY_BYTES));
    let mut response = gateway.handle(event.map(into_body)).await;
    headers::join(response.headers_mut(), headers::IN_RESPONSES);
    Ok(response)
}

/// The source address that the API gateway reports.
fn source_of(event: &Request) -> Option<Peer> {
    let RequestContext::ApiGatewayV2(context) = event.request_context_ref()? else {
        return None;
    };
    context.http.source_ip.as_ref()?.parse().ok().map(Peer)
}

/// The X-Ray traces of the request: first the trace of the invocation, from the runtime, and then the trace of the API gateway.
fn x_ray_of(event: &Request) -> XRay {
    let context = event.lambda_context_ref();
    let invocation = context.and_then(|context| context.xray_trace_id.clone());
    let gateway = event.headers().get(X_RAY).and_then(|value| value.to_str().ok());
    XRay(invocation.into_iter().chain(gateway.map(str::to_owned)).collect())
}

/// Whether the API gateway has no route for the path of a request.
pub(super) fn is_default(event: &Request) -> bool {
    match event.request_context_ref() {
        Some(RequestContext::ApiGatewayV2(context)) => context.route_key.as_deref() == Some(DEFAULT_ROUTE),
        _ => false,
    }
}

/// The first segments of pages whose canonical path ends in a slash.
const PAGES: [&str; 2] = ["console", "docs"];

/// Returns the redirect for a request that the API gateway sent to its default route because of the spelling of the path. The target is in
/// lower case as far as the routes of the API gateway match, and has no trailing slash.
fn redirect_of(event: &Request) -> Option<PathRedirect> {
    if !is_default(event) {
        return None;
    }
    let path = event.uri().path();
    let segments = path.strip_prefix('/')?;
    let segments = segments.strip_suffix('/').unwrap_or(segments);
    let (first, rest) = segments.split_once('/').unwrap_or((segments, ""));
    let first = first.to_ascii_lowercase();
    let mut target = match (first.as_str(), rest) {
        (page, "") if PAGES.contains(&page) => format!("/{first}/"),
        (_, "") => format!("/{first}"),
        // Two functions serve paths below `whoami`, so the API gateway matches its second segment, too.
        ("whoami", rest) => format!("/{first}/{}", rest.to_ascii_lowercase()),
        (_, rest) => format!("/{first}/{rest}"),
    };
    if target == path || first.is_empty() {
        return None;
    }
    if let Some(query) = event.uri().query() {
        target = format!("{target}?{query}");
    }
    HeaderValue::try_from(target).ok().map(PathRedirect)
}

/// Characters that are invalid in the path of a URL.
const NOT_IN_A_PATH: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'\\')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// Restores the percent-encoding of the path. An HTTP API decodes the path of an event (a function URL does not), and the runtime crate
/// parses the decoded text as a URL, so that a `#` would truncate it and `..` would remove a segment.
fn encode_path(event: &mut Request) {
    let path = encoded(event.raw_http_path());
    let path = match event.uri().query() {
        Some(query) => format!("{path}?{query}"),
        None => path,
    };
    let mut parts = event.uri().clone().into_parts();
    // A text without a leading slash is not a path. It stays unchanged and matches no route.
    let Ok(path) = PathAndQuery::try_from(path) else { return };
    parts.path_and_query = Some(path);
    if let Ok(uri) = parts.try_into() {
        *event.uri_mut() = uri;
    }
}

/// Percent-encodes invalid characters of a path and each `%` without two digits. Valid encodings stay.
fn encoded(path: &str) -> String {
    let mut pieces = path.split('%');
    let mut text = utf8_percent_encode(pieces.next().unwrap_or_default(), NOT_IN_A_PATH).to_string();
    for piece in pieces {
        let digits = piece.as_bytes().get(..2);
        let is_valid = digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit));
        text.push_str(if is_valid { "%" } else { "%25" });
        text.extend(utf8_percent_encode(piece, NOT_IN_A_PATH));
    }
    text
}

fn into_body(body: lambda_http::Body) -> axum::body::Body {
    match body {
        lambda_http::Body::Empty => axum::body::Body::empty(),
        lambda_http::Body::Text(text) => text.into(),
        lambda_http::Body::Binary(bytes) => bytes.into(),
        // The enum is non-exhaustive. A new variant has an unknown content.
        _ => axum::body::Body::empty(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decoded_path_is_encoded_and_encoded_path_stays() {
        for (path, expected) in [
            ("/sets/1/key", "/sets/1/key"),
            ("/sets/a%20b%C3%A9/key", "/sets/a%20b%C3%A9/key"),
            ("/sets/a bé/key", "/sets/a%20b%C3%A9/key"),
            ("/sets/50%/key", "/sets/50%25/key"),
            ("/sets/%é%4", "/sets/%25%C3%A9%254"),
            ("/a#b?c\\d/../e", "/a%23b%3Fc%5Cd/../e"),
            ("", ""),
        ] {
            assert_eq!(encoded(path), expected);
        }
    }

    #[test]
    fn stage_is_removed_from_the_path() {
        for (path, stage, key, expected) in [
            ("/prod/sets/1", "prod", "ANY /sets/{proxy+}", Some("/sets/1")),
            ("/prod/sets", "prod", "ANY /sets", Some("/sets")),
            ("/prod", "prod", "$default", Some("")),
            ("/prod/x", "prod", "$default", Some("/x")),
            ("/sets/1", "prod", "ANY /sets/{proxy+}", None),
            ("/production", "prod", "$default", None),
            ("/$default/x", "$default", "$default", None),
            // The stage has the name of a path, and the API has a domain of its own.
            ("/sets/1", "sets", "ANY /sets/{proxy+}", None),
            ("/sets/sets/1", "sets", "ANY /sets/{proxy+}", Some("/sets/1")),
        ] {
            assert_eq!(without_stage(path, stage, Some(key)), expected, "{path} {stage}");
        }
    }
}
