//! Converts events of the API gateway to requests, with the path and query that the client sent, and adapts responses to the API gateway.

use std::convert::Infallible;

use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use lambda_http::request::{LambdaRequest, RequestContext};
use lambda_http::{Request, RequestExt};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use crate::body::BodyLimit;
use crate::client::Peer;
use crate::gateway::{Gateway, PathRedirect};
use crate::observability::trace_context::XRay;

/// The largest request body. Lambda accepts events of 6 MB, which contain the body in base64; the API gateway rejects larger ones. Bytes.
const MAX_BODY_BYTES: usize = 4_500_000;
/// The key of the default route of the API gateway.
const DEFAULT_ROUTE: &str = "$default";
/// The trace header of X-Ray.
const X_RAY: HeaderName = HeaderName::from_static("x-amzn-trace-id");

/// Characters that are invalid in the query of a URL, although some clients send them.
const NOT_IN_A_QUERY: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'#').add(b'<').add(b'>');

/// Percent-encodes invalid characters of the query, because the runtime crate rejects an event that contains them.
pub fn encode_query(event: &mut LambdaRequest) {
    if let LambdaRequest::ApiGatewayV2(event) = event
        && let Some(query) = &mut event.raw_query_string
    {
        *query = utf8_percent_encode(query, NOT_IN_A_QUERY).to_string();
    }
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
    join_header_values(response.headers_mut());
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

/// Pages whose canonical path ends in a slash, which the greedy route of the API gateway covers.
const PAGES: [&str; 2] = ["console", "docs"];

/// Returns the redirect for a request that the API gateway sent to its default route because of the spelling of the path. The target is in
/// lower case as far as the routes of the API gateway match, and has no trailing slash.
fn redirect_of(event: &Request) -> Option<PathRedirect> {
    if !is_default(event) {
        return None;
    }
    let path = event.uri().path();
    let sent = path.strip_prefix('/')?;
    let sent = sent.strip_suffix('/').unwrap_or(sent);
    let (first, rest) = sent.split_once('/').unwrap_or((sent, ""));
    let first = first.to_ascii_lowercase();
    let mut target = match (first.as_str(), rest) {
        (page, "") if PAGES.contains(&page) => format!("/{first}/"),
        (_, "") => format!("/{first}"),
        // Two functions serve paths below `whoami`.
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
        let encodes = digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit));
        text.push_str(if encodes { "%" } else { "%25" });
        text.extend(utf8_percent_encode(piece, NOT_IN_A_PATH));
    }
    text
}

/// Joins the values of each header that has several, because the response format of the API gateway allows one value for each header and
/// the runtime would send only the first. Cookies have a separate field.
fn join_header_values(headers: &mut HeaderMap) {
    let names = headers.keys().filter(|name| **name != header::SET_COOKIE);
    let repeated: Vec<_> = names
        .filter(|name| headers.get_all(*name).iter().nth(1).is_some())
        .cloned()
        .collect();
    for name in repeated {
        let values: Vec<_> = headers.get_all(&name).iter().map(HeaderValue::as_bytes).collect();
        let joined = HeaderValue::from_bytes(&values.join(&b", "[..]));
        headers.insert(name, joined.expect("valid values joined by a comma are a valid value"));
    }
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
    fn header_values_are_joined_except_cookies() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("vary", "A"),
            ("vary", "B"),
            ("set-cookie", "a=1"),
            ("set-cookie", "b=2"),
        ] {
            headers.append(name, HeaderValue::from_static(value));
        }
        join_header_values(&mut headers);
        assert_eq!(headers["vary"], "A, B");
        assert_eq!(headers.get_all("set-cookie").iter().count(), 2);
        assert_eq!(headers.get_all("vary").iter().count(), 1);
    }
}
