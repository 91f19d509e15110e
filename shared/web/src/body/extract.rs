//! The extractors of request bodies.

use std::time::Duration;

use axum::body::HttpBody;
use axum::extract::{FromRequest, Request};
use bytes::Bytes;
use http::request::Parts;
use http::{Extensions, HeaderMap, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};

use super::json_object::JsonObject;
use super::parse::{Encoding, Format, MAX_YAML_BYTES};
use crate::access::{Access, AccessRules};
use crate::client::ClientIp;
use crate::limits::{BodySender, MAX_BODY_BYTES};
use crate::response::Error;
use crate::state::Session;

/// The largest body on a route without authentication, before and after decompression. Bytes.
pub(crate) const MAX_PUBLIC_BODY_BYTES: usize = 64 * 1024;

/// The largest body that is parsed on a thread of the async runtime. A larger one can take longer than a millisecond, so a blocking thread
/// parses it. Bytes.
const MAX_INLINE_BYTES: usize = 64 * 1024;

/// How long a client may take to send its body. Seconds.
const BODY_DEADLINE_S: u64 = 30;

/// The fields of a JSON body. A body of another content type, an empty body and a JSON array have no fields. They are not an error, because
/// existing clients send POST requests without a body and without `Content-Type`.
#[derive(Debug, Default)]
pub struct Body(pub JsonObject);

impl Body {
    /// Returns the fields.
    ///
    /// # Errors
    /// 400 `postBodyMissing` if the body has no fields.
    pub fn required(self) -> Result<JsonObject, Error> {
        if self.0.is_empty() {
            Err(Error::bad_request("postBodyMissing"))
        } else {
            Ok(self.0)
        }
    }
}

impl<S: Send + Sync> FromRequest<S> for Body {
    type Rejection = Error;

    async fn from_request(request: Request, _: &S) -> Result<Self, Error> {
        if !is_json(request.headers())? {
            return Ok(Self::default());
        }
        let limit = match is_public(request.extensions()) {
            true => MAX_PUBLIC_BODY_BYTES,
            false => MAX_BODY_BYTES,
        };
        collect(request, limit).await?.parse(Format::Json).await
    }
}

/// The fields of a YAML document, or of a JSON body as in [`Body`].
#[derive(Debug, Default)]
pub struct Document(pub Body);

impl<S: Send + Sync> FromRequest<S> for Document {
    type Rejection = Error;

    async fn from_request(request: Request, state: &S) -> Result<Self, Error> {
        if !is_yaml(request.headers()) {
            return Body::from_request(request, state).await.map(Self);
        }
        let collected = collect(request, MAX_YAML_BYTES).await?;
        collected.parse(Format::Yaml).await.map(Self)
    }
}

/// The limit of a host that accepts smaller bodies than [`MAX_BODY_BYTES`]. The host inserts it into the extensions of a request. Bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BodyLimit(pub(crate) usize);

/// A received body, before decompression and parsing.
struct ReceivedBody {
    bytes: Bytes,
    encoding: Encoding,
    /// The largest size after decompression. Bytes.
    limit: usize,
    session: Option<Session>,
}

impl ReceivedBody {
    /// Decompresses and parses the body, on a blocking thread if that may take longer than a millisecond.
    async fn parse(self, format: Format) -> Result<Body, Error> {
        let most_bytes = match self.encoding {
            Encoding::Identity => self.bytes.len(),
            Encoding::Gzip | Encoding::Deflate => self.limit,
        };
        let is_fast = format == Format::Json && most_bytes <= MAX_INLINE_BYTES;
        let work = move || format.parse(&self.encoding.decode(self.bytes, self.limit)?);
        let fields = match self.session {
            Some(session) if !is_fast => session.compute(move |_| work()).await?,
            _ => work(),
        };
        fields.map(Body)
    }
}

/// Receives a body of at most `limit` bytes.
async fn collect(request: Request, limit: usize) -> Result<ReceivedBody, Error> {
    let (parts, body) = request.into_parts();
    let encoding = Encoding::of(&parts.headers)?;
    let limit = parts
        .extensions
        .get::<BodyLimit>()
        .map_or(limit, |most| most.0.min(limit));
    // A `Content-Length` beyond the limit is rejected before the body is read.
    if body.size_hint().lower() > limit as u64 {
        return Err(Error::body_too_large());
    }
    let session = parts.extensions.get::<Session>().cloned();
    if let Some(session) = &session {
        reserve(session, &parts, body.size_hint().upper(), limit).await?;
    }
    let complete = tokio::time::timeout(
        Duration::from_secs(BODY_DEADLINE_S),
        Limited::new(body, limit).collect(),
    );
    let bytes = match complete.await {
        Ok(Ok(collected)) => collected.to_bytes(),
        Ok(Err(error)) if error.downcast_ref::<LengthLimitError>().is_some() => return Err(Error::body_too_large()),
        // The client closed the connection, or sent less than it had announced.
        Ok(Err(_)) => return Err(Error::bad_request("badRequest")),
        Err(_) => return Err(Error::request_timeout()),
    };
    if let Some(session) = &session {
        session.idempotency().set_body(&bytes);
    }
    Ok(ReceivedBody {
        bytes,
        encoding,
        limit,
        session,
    })
}

/// Whether the route requires no authentication.
fn is_public(extensions: &Extensions) -> bool {
    let rules = extensions.get::<AccessRules>();
    matches!(rules.map(|rules| rules.access), Some(Access::Public))
}

/// Reserves memory for a body before it is read: for every body of a caller without authentication, and for large bodies of accounts. Small
/// bodies of accounts need no reservation, because the number of their calls is limited. `announced` is the `Content-Length`, if the
/// request has one.
async fn reserve(session: &Session, parts: &Parts, announced: Option<u64>, limit: usize) -> Result<(), Error> {
    let is_compressed = parts.headers.contains_key(header::CONTENT_ENCODING);
    let most = announced.filter(|_| !is_compressed);
    let bytes = most
        .and_then(|most| usize::try_from(most).ok())
        .map_or(limit, |most| most.min(limit));
    let sender = match session.account() {
        Some(_) if bytes <= MAX_PUBLIC_BODY_BYTES => return Ok(()),
        Some(id) => BodySender::Account(id),
        None if bytes == 0 => return Ok(()),
        None => {
            let client = parts.extensions.get::<ClientIp>();
            let client = client.ok_or_else(|| Error::internal("the request did not pass the gateway"))?;
            BodySender::Network(client.network().site)
        }
    };
    session.reserve_body(sender, bytes).await
}

/// Whether the content type is one of the usual names of YAML.
fn is_yaml(headers: &HeaderMap) -> bool {
    const NAMES: [&str; 4] = ["application/yaml", "text/yaml", "application/x-yaml", "text/x-yaml"];
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = value
        .and_then(|value| value.split(';').next())
        .unwrap_or_default()
        .trim();
    NAMES.iter().any(|name| essence.eq_ignore_ascii_case(name))
}

/// Whether the content type is JSON.
///
/// # Errors
/// 415 for JSON in a character set other than UTF-8.
fn is_json(headers: &HeaderMap) -> Result<bool, Error> {
    let Some(value) = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()) else {
        return Ok(false);
    };
    let mut parts = value.split(';').map(str::trim);
    if !parts
        .next()
        .is_some_and(|essence| essence.eq_ignore_ascii_case("application/json"))
    {
        return Ok(false);
    }
    for parameter in parts {
        if let Some((name, charset)) = parameter.split_once('=')
            && name.trim().eq_ignore_ascii_case("charset")
            && !charset.trim().trim_matches('"').eq_ignore_ascii_case("utf-8")
        {
            return Err(Error::unsupported_media_type());
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use serde_json::json;

    use super::super::parse::MAX_VALUES;
    use super::*;

    async fn read(content_type: &str, encoding: Option<&str>, body: Vec<u8>) -> Result<JsonObject, (u16, String)> {
        let mut request = Request::builder().header(header::CONTENT_TYPE, content_type);
        if let Some(encoding) = encoding {
            request = request.header(header::CONTENT_ENCODING, encoding);
        }
        let request = request.body(axum::body::Body::from(body)).unwrap();
        let body = Body::from_request(request, &()).await;
        body.map(|body| body.0)
            .map_err(|error| (error.status().as_u16(), error.code().to_owned()))
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::read::GzEncoder::new(bytes, flate2::Compression::best());
        let mut result = Vec::new();
        encoder.read_to_end(&mut result).unwrap();
        result
    }

    #[tokio::test]
    async fn only_a_json_object_has_fields() {
        let object = json!({ "a": 1 }).as_object().unwrap().clone();
        for content_type in [
            "application/json",
            "Application/JSON; charset=UTF-8",
            "application/json;charset=\"utf-8\"",
        ] {
            assert_eq!(
                read(content_type, None, b"{\"a\":1}".into()).await,
                Ok(object.clone()),
                "{content_type}"
            );
        }
        for (content_type, body) in [
            ("text/plain", "{\"a\":1}"),
            ("application/vnd.api+json", "{\"a\":1}"),
            ("application/json", ""),
            ("application/json", " \n"),
            ("application/json", "[1]"),
        ] {
            assert_eq!(
                read(content_type, None, body.into()).await,
                Ok(JsonObject::new()),
                "{content_type} {body}"
            );
        }
    }

    #[tokio::test]
    async fn malformed_or_unsupported_body_is_rejected() {
        let bad = || Err((400, "badRequest".to_owned()));
        for body in ["null", "1", "\"x\"", "{", "{\"a\":1e999}", "\u{feff}x"] {
            assert_eq!(read("application/json", None, body.into()).await, bad(), "{body}");
        }
        let deep = "[".repeat(100_000);
        assert_eq!(read("application/json", None, deep.into()).await, bad());
        assert_eq!(read("application/json", None, vec![b'{', 0xff]).await, bad());
        let unsupported = || Err((415, "unsupportedMediaType".to_owned()));
        assert_eq!(
            read("application/json; charset=latin1", None, b"{}".into()).await,
            unsupported()
        );
        assert_eq!(read("application/json", Some("br"), b"{}".into()).await, unsupported());
        assert_eq!(read("application/json", Some("gzip"), b"{}".into()).await, bad());
    }

    #[tokio::test]
    async fn bodies_are_limited_before_and_after_decompression() {
        let too_large = || Err((413, "bodyTooLarge".to_owned()));
        let body = format!("{{\"a\":\"{}\"}}", "x".repeat(MAX_BODY_BYTES));
        let fits = &body[..MAX_BODY_BYTES - 2];
        let fits = format!("{fits}\"}}");
        assert!(read("application/json", None, fits.clone().into()).await.is_ok());
        assert!(
            read("application/json", Some("gzip"), gzip(fits.as_bytes()))
                .await
                .is_ok()
        );
        assert_eq!(read("application/json", None, body.clone().into()).await, too_large());
        assert_eq!(
            read("application/json", Some("gzip"), gzip(body.as_bytes())).await,
            too_large()
        );
    }

    #[tokio::test]
    async fn public_bodies_and_numbers_of_values_are_limited() {
        let sent = async |access, body: String| {
            let request = Request::builder()
                .header(header::CONTENT_TYPE, "application/json")
                .extension(AccessRules {
                    scheme: None,
                    access,
                    scopes: None,
                });
            let body = Body::from_request(request.body(axum::body::Body::from(body)).unwrap(), &()).await;
            body.map_err(|error| error.status().as_u16())
        };
        let text = format!("{{\"a\":\"{}\"}}", "x".repeat(MAX_PUBLIC_BODY_BYTES));
        assert_eq!(sent(Access::Public, text.clone()).await.err(), Some(413));
        assert_eq!(sent(Access::Level(0), text).await.err(), None);
        let many = format!("{{\"a\":[{}0]}}", "0,".repeat(MAX_VALUES));
        assert_eq!(sent(Access::Level(0), many).await.err(), Some(413));
    }
}
