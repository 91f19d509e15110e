//! Events of the gateway. Paths and queries get the form that clients write, and responses the form that the gateway takes.

use std::convert::Infallible;

use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use lambda_http::request::{LambdaRequest, RequestContext};
use lambda_http::{Request, RequestExt};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use crate::body::BodyLimit;
use crate::gateway::Moved;
use crate::trace_context::XRay;
use crate::{Gateway, Peer};

/// The largest body of a request, in bytes. Lambda takes events of 6 MB, in which a body is base64. The gateway refuses larger ones.
const MAX_BODY_BYTES: usize = 4_500_000;
/// The key of the gateway's route for everything that has no other.
const DEFAULT_ROUTE: &str = "$default";
/// The header of X-Ray.
const X_RAY: HeaderName = HeaderName::from_static("x-amzn-trace-id");

/// Characters that are invalid in the query of a URL. Some clients send them.
const NOT_IN_A_QUERY: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'#').add(b'<').add(b'>');

/// Writes the query as a URL holds it: the runtime's crate gives up an event where it does not.
pub fn encode_query(event: &mut LambdaRequest) {
    if let LambdaRequest::ApiGatewayV2(event) = event
        && let Some(query) = &mut event.raw_query_string
    {
        *query = utf8_percent_encode(query, NOT_IN_A_QUERY).to_string();
    }
}

/// Answers one event, as [`run`](super::run) does.
///
/// # Errors
/// None: every failure is an answer.
pub async fn answer(gateway: &Gateway, mut event: Request) -> Result<axum::response::Response, Infallible> {
    encode_path(&mut event);
    if let Some(peer) = source_of(&event) {
        event.extensions_mut().insert(peer);
    }
    let x_ray = x_ray_of(&event);
    event.extensions_mut().insert(x_ray);
    if let Some(moved) = moved(&event) {
        event.extensions_mut().insert(moved);
    }
    event.extensions_mut().insert(BodyLimit(MAX_BODY_BYTES));
    let mut response = gateway.handle(event.map(into_body)).await;
    one_line_each(response.headers_mut());
    Ok(response)
}

/// The address that the gateway saw.
fn source_of(event: &Request) -> Option<Peer> {
    let RequestContext::ApiGatewayV2(context) = event.request_context_ref()? else {
        return None;
    };
    context.http.source_ip.as_ref()?.parse().ok().map(Peer)
}

/// The traces of X-Ray: that of the invocation, which the runtime hands over, and that of the gateway.
fn x_ray_of(event: &Request) -> XRay {
    let context = event.lambda_context_ref();
    let invocation = context.and_then(|context| context.xray_trace_id.clone());
    let gateway = event.headers().get(X_RAY).and_then(|value| value.to_str().ok());
    XRay(invocation.into_iter().chain(gateway.map(str::to_owned)).collect())
}

/// Whether the gateway has no route for the path of a request.
pub(super) fn is_default(event: &Request) -> bool {
    match event.request_context_ref() {
        Some(RequestContext::ApiGatewayV2(context)) => context.route_key.as_deref() == Some(DEFAULT_ROUTE),
        _ => false,
    }
}

/// Pages that are at their path with a slash, and lead there without one. The greedy route of the gateway covers the slash.
const PAGES: [&str; 2] = ["console", "docs"];

/// Where a request goes that the gateway led to its default route because it compares paths as they are written: in lower case as
/// far as the gateway looks, and without a slash at its end.
fn moved(event: &Request) -> Option<Moved> {
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
        // Two functions share it.
        ("whoami", rest) => format!("/{first}/{}", rest.to_ascii_lowercase()),
        (_, rest) => format!("/{first}/{rest}"),
    };
    if target == path || first.is_empty() {
        return None;
    }
    if let Some(query) = event.uri().query() {
        target = format!("{target}?{query}");
    }
    HeaderValue::try_from(target).ok().map(Moved)
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

/// Writes the path as a client would. An HTTP API hands it on decoded (a function URL does not), and the runtime's crate
/// reads the decoded text as a URL: a `#` cuts it short, `..` goes up.
fn encode_path(event: &mut Request) {
    let path = encoded(event.raw_http_path());
    let path = match event.uri().query() {
        Some(query) => format!("{path}?{query}"),
        None => path,
    };
    let mut parts = event.uri().clone().into_parts();
    // What is no path even so (it lacks the slash at its beginning) stays as it came, and finds no route.
    let Ok(path) = PathAndQuery::try_from(path) else { return };
    parts.path_and_query = Some(path);
    if let Ok(uri) = parts.try_into() {
        *event.uri_mut() = uri;
    }
}

/// Encodes what cannot stand in a path, and a `%` that encodes nothing; what is encoded already stays.
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

/// Joins the values of a header that has several: the gateway's payload has room for one, and the runtime would send the
/// first. Cookies have a place of their own.
fn one_line_each(headers: &mut HeaderMap) {
    let names = headers.keys().filter(|name| **name != header::SET_COOKIE);
    let repeated: Vec<_> = names
        .filter(|name| headers.get_all(*name).iter().nth(1).is_some())
        .cloned()
        .collect();
    for name in repeated {
        let values: Vec<_> = headers.get_all(&name).iter().map(HeaderValue::as_bytes).collect();
        let joined = HeaderValue::from_bytes(&values.join(&b", "[..]));
        headers.insert(name, joined.expect("valid values joined by a comma are one"));
    }
}

fn into_body(body: lambda_http::Body) -> axum::body::Body {
    match body {
        lambda_http::Body::Empty => axum::body::Body::empty(),
        lambda_http::Body::Text(text) => text.into(),
        lambda_http::Body::Binary(bytes) => bytes.into(),
        // The enum may grow; a kind that we do not know has no fields that we could read.
        _ => axum::body::Body::empty(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decoded_path_is_encoded_and_an_encoded_one_stays() {
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
    fn a_header_has_one_line_and_cookies_keep_theirs() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("vary", "A"),
            ("vary", "B"),
            ("set-cookie", "a=1"),
            ("set-cookie", "b=2"),
        ] {
            headers.append(name, HeaderValue::from_static(value));
        }
        one_line_each(&mut headers);
        assert_eq!(headers["vary"], "A, B");
        assert_eq!(headers.get_all("set-cookie").iter().count(), 2);
        assert_eq!(headers.get_all("vary").iter().count(), 1);
    }
}
