//! The extractors of request bodies: [`Body`] (JSON) and [`DocumentBody`] (JSON or YAML).

use std::time::Duration;

use axum::body::HttpBody;
use axum::extract::{FromRequest, Request};
use bytes::Bytes;
use http::request::Parts;
use http::{Extensions, HeaderMap, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde_json::Value;

use super::json_object::JsonObject;
use super::parse::{Encoding, Format, MAX_PUBLIC_VALUES, MAX_VALUES, MAX_YAML_BYTES, utf_8_of};
use crate::access::{Access, AccessRules};
use crate::limits::{MAX_BODY_BYTES, ShareHolder};
use crate::response::Error;
use crate::state::Session;

/// Maximum size of a body on a route without authentication, before and after decompression, in bytes.
pub(crate) const MAX_PUBLIC_BODY_BYTES: usize = 64 * 1024;

/// Maximum size of a body that is parsed on a thread of the async runtime. A larger one can take longer than a millisecond, so a blocking thread
/// parses it. In bytes.
const MAX_INLINE_BYTES: usize = 64 * 1024;

/// Maximum memory of a parsed value, which is that of a short list in a list, in bytes.
const VALUE_MEMORY_BYTES: usize = 300;
/// The number of bytes of memory that a body may occupy for each byte that it has reserved.
const MEMORY_PER_RESERVED_BYTE: usize = 4;

/// How long a client may take to send its body, in seconds.
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
        let body = collect(request, MAX_BODY_BYTES).await?.parse(Format::Json).await?;
        Ok(match body {
            Value::Object(fields) => Self(fields),
            _ => Self::default(),
        })
    }
}

/// A document of YAML or JSON: an object, or a list of records. A body of another content type is an empty object.
#[derive(Debug)]
pub struct DocumentBody(Value);

impl DocumentBody {
    /// Returns the fields of the object. A list becomes the value of the field `list`.
    ///
    /// # Errors
    /// 400 `postBodyMissing` for an empty document.
    pub fn records(self, list: &str) -> Result<JsonObject, Error> {
        match self.0 {
            Value::Object(fields) => Body(fields).required(),
            records => Ok(JsonObject::from_iter([(list.to_owned(), records)])),
        }
    }
}

impl<S: Send + Sync> FromRequest<S> for DocumentBody {
    type Rejection = Error;

    async fn from_request(request: Request, _: &S) -> Result<Self, Error> {
        let (format, limit) = if is_yaml(request.headers()) {
            (Format::Yaml, MAX_YAML_BYTES)
        } else if is_json(request.headers())? {
            (Format::Json, MAX_BODY_BYTES)
        } else {
            return Ok(Self(JsonObject::new().into()));
        };
        collect(request, limit).await?.parse(format).await.map(Self)
    }
}

/// The limit of a host (such as Lambda) that accepts only smaller bodies than [`MAX_BODY_BYTES`], in bytes. The host inserts it into the
/// extensions of a request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BodyLimit(pub(crate) usize);

/// A received body, before decompression and parsing.
struct ReceivedBody {
    bytes: Bytes,
    encoding: Encoding,
    limits: Limits,
    /// The session, and the caller whose share of memory the body uses; `None` without a session.
    sender: Option<(Session, Option<ShareHolder>)>,
}

/// The limits of a body.
#[derive(Debug, Clone, Copy)]
struct Limits {
    /// Maximum size before and after decompression, in bytes.
    bytes: usize,
    /// The maximum number of values in JSON.
    values: usize,
}

impl Limits {
    /// Returns the limits of a request to a route that accepts at most `bytes`.
    fn of(extensions: &Extensions, bytes: usize) -> Self {
        let rules = extensions.get::<AccessRules>();
        let (access_bytes, values) = match rules.map(|rules| rules.access) {
            Some(Access::Public) => (MAX_PUBLIC_BODY_BYTES, MAX_PUBLIC_VALUES),
            _ => (MAX_BODY_BYTES, MAX_VALUES),
        };
        let host_bytes = extensions.get::<BodyLimit>().map_or(usize::MAX, |limit| limit.0);
        Self {
            bytes: bytes.min(access_bytes).min(host_bytes),
            values,
        }
    }
}

impl ReceivedBody {
    /// Decompresses and parses the body, and reserves the memory of its values. Work that may take longer than a millisecond runs on a blocking
    /// thread.
    async fn parse(self, format: Format) -> Result<Value, Error> {
        let Self {
            bytes,
            encoding,
            limits,
            sender,
        } = self;
        let max_plain_bytes = match encoding {
            Encoding::Identity => bytes.len(),
            Encoding::Gzip | Encoding::Deflate => limits.bytes,
        };
        let session = sender.as_ref().map(|(session, _)| session);
        let blocking_session = session.filter(|_| format == Format::Yaml || max_plain_bytes > MAX_INLINE_BYTES);
        let measure = move || {
            let bytes = utf_8_of(encoding.decode(bytes, limits.bytes)?, limits.bytes)?;
            let values = format.most_values(&bytes);
            Ok((bytes, values))
        };
        let (bytes, values) = run_on(blocking_session, measure).await?;
        if format == Format::Json && values > limits.values {
            return Err(Error::body_too_large());
        }
        // The memory of the bytes was reserved before they were read. A small remainder needs no reservation.
        let value_bytes = values * VALUE_MEMORY_BYTES / MEMORY_PER_RESERVED_BYTE;
        let unreserved_bytes = value_bytes.saturating_sub(max_plain_bytes);
        if let Some((session, Some(sender))) = &sender
            && unreserved_bytes > MAX_PUBLIC_BODY_BYTES
        {
            session.reserve_body(*sender, unreserved_bytes).await?;
        }
        run_on(blocking_session, move || format.parse(&bytes)).await
    }
}

/// Runs work on a blocking thread of the session, or on this thread without a session.
async fn run_on<T: Send + 'static>(
    session: Option<&Session>,
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    match session {
        Some(session) => session.compute(move |_| work()).await?,
        None => work(),
    }
}

/// Receives a body of at most `limit` bytes.
async fn collect(request: Request, limit: usize) -> Result<ReceivedBody, Error> {
    let (parts, body) = request.into_parts();
    let encoding = Encoding::of(&parts.headers)?;
    let limits = Limits::of(&parts.extensions, limit);
    // A body that announces a greater length is refused before anything is read.
    if body.size_hint().lower() > limits.bytes as u64 {
        return Err(Error::body_too_large());
    }
    let session = parts.extensions.get::<Session>().cloned();
    let sender = match session {
        Some(session) => {
            let sender = reserve(&session, &parts, body.size_hint().upper(), limits.bytes).await?;
            Some((session, sender))
        }
        None => None,
    };
    let complete = tokio::time::timeout(
        Duration::from_secs(BODY_DEADLINE_S),
        Limited::new(body, limits.bytes).collect(),
    );
    let bytes = match complete.await {
        Ok(Ok(collected)) => collected.to_bytes(),
        Ok(Err(error)) if error.downcast_ref::<LengthLimitError>().is_some() => return Err(Error::body_too_large()),
        // The client closed the connection, or sent less than it had announced.
        Ok(Err(_)) => return Err(Error::bad_request("badRequest")),
        Err(_) => return Err(Error::request_timeout()),
    };
    if let Some((session, _)) = &sender {
        session.idempotency().set_body(&bytes);
    }
    Ok(ReceivedBody {
        bytes,
        encoding,
        limits,
        sender,
    })
}

/// Reserves memory for a body before it is read: for every body of a caller without authentication, and for large bodies of accounts. Small
/// bodies of accounts need no reservation, because the number of their calls is limited. `announced` is the `Content-Length`, if the
/// request has one. Returns the sender whose share the body uses; `None` for a body that must be empty.
async fn reserve(
    session: &Session,
    parts: &Parts,
    announced: Option<u64>,
    limit: usize,
) -> Result<Option<ShareHolder>, Error> {
    let is_compressed = parts.headers.contains_key(header::CONTENT_ENCODING);
    // The announced length of a compressed body says nothing about its size in memory.
    let plain_bytes = announced.filter(|_| !is_compressed);
    let bytes = plain_bytes
        .and_then(|bytes| usize::try_from(bytes).ok())
        .map_or(limit, |bytes| bytes.min(limit));
    let sender = session.sender();
    let sender = sender.ok_or_else(|| Error::internal("the request did not pass the gateway"))?;
    match sender {
        ShareHolder::Account(_) if bytes <= MAX_PUBLIC_BODY_BYTES => return Ok(Some(sender)),
        ShareHolder::Network(_) if bytes == 0 => return Ok(None),
        _ => {}
    }
    session.reserve_body(sender, bytes).await?;
    Ok(Some(sender))
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

/// The content types of JSON: the registered one, and those that older clients send.
const JSON: [&str; 4] = ["application/json", "text/json", "application/x-json", "text/x-json"];

/// Whether a name of a character set means UTF-8 or a part of it.
fn is_utf_8(charset: &str) -> bool {
    const NAMES: [&str; 9] = [
        "utf-8",
        "utf8",
        "utf_8",
        "unicode-1-1-utf-8",
        "x-utf8",
        "cp65001",
        "us-ascii",
        "ascii",
        "",
    ];
    NAMES.iter().any(|name| charset.eq_ignore_ascii_case(name))
}

/// Whether the content type is JSON.
///
/// # Errors
/// 415 for JSON in a character set other than UTF-8.
fn is_json(headers: &HeaderMap) -> Result<bool, Error> {
    let Some(value) = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()) else {
        return Ok(false);
    };
    // Gateways and clients join the values if the header is set twice.
    let mut parts = value.split([';', ',']).map(str::trim);
    let is_json = |part: &str| JSON.iter().any(|name| part.eq_ignore_ascii_case(name));
    if !parts.next().is_some_and(is_json) {
        return Ok(false);
    }
    for parameter in parts {
        if let Some((name, charset)) = parameter.split_once('=')
            && name.trim().eq_ignore_ascii_case("charset")
            && !is_utf_8(charset.trim().trim_matches(['"', '\'']))
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

    use super::super::parse::{MAX_PUBLIC_VALUES, MAX_VALUES};
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
            "application/json; charset=utf8",
            "application/json; charset='UTF8'",
            "application/json; charset=us-ascii;",
            "application/json ; charset=",
            "application/json; charset=utf_8",
            "application/json, application/json",
            "application/json; charset=utf-8, application/json",
            "text/json",
            "application/x-json",
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
        let deep = "[".repeat(MAX_VALUES - 1);
        assert_eq!(read("application/json", None, deep.into()).await, bad());
        assert_eq!(read("application/json", None, vec![b'{', 0xff]).await, bad());
        let unsupported = || Err((415, "unsupportedMediaType".to_owned()));
        assert_eq!(
            read("application/json; charset=latin1", None, b"{}".into()).await,
            unsupported()
        );
        for encoding in ["br", "gzip, gzip", "gzip, deflate", "identity, br"] {
            assert_eq!(
                read("application/json", Some(encoding), b"{}".into()).await,
                unsupported(),
                "{encoding}"
            );
        }
        assert_eq!(read("application/json", Some("gzip"), b"{}".into()).await, bad());
    }

    #[tokio::test]
    async fn body_in_utf_16_is_read() {
        let text = "\u{feff}{\"a\":\"\u{e9}\u{1f9f5}\"}";
        let little: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let big: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
        for (body, encoding) in [(little.clone(), None), (big, None), (gzip(&little), Some("gzip"))] {
            let fields = read("application/json", encoding, body).await.unwrap();
            assert_eq!(fields["a"], "\u{e9}\u{1f9f5}");
        }
        let bad = Err((400, "badRequest".to_owned()));
        assert_eq!(read("application/json", None, b"\xff\xfe{".to_vec()).await, bad);
        let grows: Vec<u8> = [0xfeff]
            .into_iter()
            .chain(std::iter::repeat_n(0x20ac, MAX_BODY_BYTES / 2 - 1))
            .flat_map(u16::to_le_bytes)
            .collect();
        let too_large = Err((413, "bodyTooLarge".to_owned()));
        assert_eq!(read("application/json", None, grows).await, too_large);
    }

    #[tokio::test]
    async fn compressed_body_has_one_member_and_nothing_behind_it() {
        let body = gzip(b"{\"a\":1}");
        let read = async |body: Vec<u8>| read("application/json", Some("gzip"), body).await;
        assert!(read(body.clone()).await.is_ok());
        for encoding in ["x-gzip", "GZIP", "identity, gzip", "gzip , identity"] {
            let read = super::tests::read("application/json", Some(encoding), body.clone()).await;
            assert!(read.is_ok(), "{encoding}");
        }
        let bad = || Err((400, "badRequest".to_owned()));
        assert_eq!(read([gzip(b""), body.clone()].concat()).await, bad());
        assert_eq!(read([body, b"x".to_vec()].concat()).await, bad());
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
                    writes_first: false,
                });
            let body = Body::from_request(request.body(axum::body::Body::from(body)).unwrap(), &()).await;
            body.map_err(|error| error.status().as_u16())
        };
        let text = format!("{{\"a\":\"{}\"}}", "x".repeat(MAX_PUBLIC_BODY_BYTES));
        assert_eq!(sent(Access::Public, text.clone()).await.err(), Some(413));
        assert_eq!(sent(Access::Level(0), text).await.err(), None);
        let many = |count: usize| format!("{{\"a\":[{}0]}}", "0,".repeat(count));
        assert_eq!(sent(Access::Level(0), many(MAX_VALUES)).await.err(), Some(413));
        assert_eq!(sent(Access::Public, many(MAX_PUBLIC_VALUES)).await.err(), Some(413));
        assert_eq!(sent(Access::Level(0), many(MAX_PUBLIC_VALUES)).await.err(), None);
        let commas = format!("{{\"a\":\"\\\"{}\"}}", ",".repeat(MAX_VALUES));
        assert_eq!(sent(Access::Level(0), commas).await.err(), None);
    }
}
