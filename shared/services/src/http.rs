//! [`Http`]: the client for calls to external services. Calls are limited in time and size, retried if that is safe ([`send`]), and
//! follow no redirects.

use std::sync::OnceLock;
use std::time::Duration;

use backon::{ExponentialBuilder, Retryable};
use bespoke_storage::aws::tls_config;
use bespoke_storage::trace;
use bytes::{Bytes, BytesMut};
use reqwest::{Client, ClientBuilder, Method, RequestBuilder, StatusCode};
use serde::de::DeserializeOwned;
use tracing::Instrument as _;

/// Timeout for connecting, in milliseconds.
const CONNECT_TIMEOUT_MS: u64 = 3_000;
/// Default timeout of a complete call, in milliseconds.
pub const CALL_TIMEOUT_MS: u64 = 10_000;
/// The maximum number of retries.
const MAX_RETRIES: usize = 2;
/// The first backoff before a retry, in milliseconds.
const FIRST_WAIT_MS: u64 = 100;
/// Maximum size of a response, in bytes.
const MAX_RESPONSE_BYTES: usize = 8 * 1024 * 1024;
/// Some services require that callers identify themselves.
const USER_AGENT: &str = concat!("bespoke/", env!("CARGO_PKG_VERSION"));

/// A call without a usable response. The text contains no address, token or body.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The service responded with an error status.
    #[error("it responded with {0}")]
    Refused(StatusCode),
    /// The response was late, missing or incomplete.
    #[error("no response: {0}")]
    NoResponse(&'static str),
    /// The response is not in the format of the service.
    #[error("the response cannot be read")]
    InvalidResponse,
}

impl CallError {
    /// Returns the kind of error for the field `error.type` of spans.
    fn kind(&self) -> &'static str {
        match self {
            Self::Refused(_) => "refused",
            Self::NoResponse(_) => "no_answer",
            Self::InvalidResponse => "unreadable_answer",
        }
    }
}

/// A response.
#[derive(Debug)]
pub struct CallResponse {
    /// Status.
    pub status: StatusCode,
    /// Body.
    pub body: Bytes,
}

impl CallResponse {
    /// Returns the response if its status is a success.
    ///
    /// # Errors
    /// [`CallError::Refused`]
    pub fn success(self) -> Result<Self, CallError> {
        if self.status.is_success() {
            Ok(self)
        } else {
            Err(CallError::Refused(self.status))
        }
    }

    /// Parses the body as JSON.
    ///
    /// # Errors
    /// [`CallError::InvalidResponse`]
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, CallError> {
        serde_json::from_slice(&self.body).map_err(|_| CallError::InvalidResponse)
    }
}

/// The client. It is created at the first call, because most processes make none.
pub struct Http {
    timeout_ms: u64,
    /// The maximum number of idle connections per host.
    idle_connections: usize,
    client: OnceLock<Client>,
}

impl Http {
    /// Creates a client with a timeout per call, in milliseconds.
    pub fn new(timeout_ms: u64) -> Self {
        Self::with_idle_connections(timeout_ms, usize::MAX)
    }

    /// Creates a client that opens a new connection for each call, for a runtime that is frozen between calls.
    pub fn without_idle_connections(timeout_ms: u64) -> Self {
        Self::with_idle_connections(timeout_ms, 0)
    }

    fn with_idle_connections(timeout_ms: u64, idle_connections: usize) -> Self {
        Self {
            timeout_ms,
            idle_connections,
            client: OnceLock::new(),
        }
    }

    /// Begins a request. [`send`] sends it.
    pub fn request(&self, method: Method, url: impl reqwest::IntoUrl) -> RequestBuilder {
        self.client().request(method, url)
    }

    /// Sends a request of another library once, without a span and without trace headers.
    ///
    /// # Errors
    /// [`CallError::NoResponse`]; [`CallError::InvalidResponse`] for a response that is too large.
    pub async fn forward(&self, request: http::Request<Bytes>) -> Result<http::Response<Bytes>, CallError> {
        let request = request
            .try_into()
            .map_err(|_| CallError::NoResponse("the URL cannot be used"))?;
        let CallResponse { status, body } = exchange(self.client(), request).await?;
        let mut response = http::Response::new(body);
        *response.status_mut() = status;
        Ok(response)
    }

    fn client(&self) -> &Client {
        self.client.get_or_init(|| {
            let builder = builder(self.timeout_ms).pool_max_idle_per_host(self.idle_connections);
            builder.build().expect("a client with fixed settings can be created")
        })
    }
}

/// Returns the settings of all clients, with a timeout per call in milliseconds.
pub(crate) fn builder(timeout_ms: u64) -> ClientBuilder {
    Client::builder()
        .tls_backend_preconfigured(tls_config())
        .user_agent(USER_AGENT)
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(Duration::from_millis(CONNECT_TIMEOUT_MS))
        .timeout(Duration::from_millis(timeout_ms))
}

/// Sends a request. Idempotent methods (GET, HEAD, PUT, DELETE) are retried if the service does not respond or fails
/// temporarily.
///
/// # Errors
/// [`CallError::NoResponse`]. A response with an error status is not an error here.
pub async fn send(request: RequestBuilder) -> Result<CallResponse, CallError> {
    let (client, request) = split(request)?;
    let is_idempotent = [Method::GET, Method::HEAD, Method::PUT, Method::DELETE].contains(request.method());
    let Some(first) = request.try_clone().filter(|_| is_idempotent) else {
        return send_with_span(&client, request).await;
    };
    let attempt = async || {
        let request = first.try_clone().expect("it could be cloned before");
        match send_with_span(&client, request).await {
            Ok(answer) if answer.status.is_server_error() => Err(RetryableFailure::Status(answer)),
            Ok(answer) => Ok(answer),
            Err(error) => Err(RetryableFailure::Call(error)),
        }
    };
    match attempt.retry(backoff()).await {
        Ok(answer) | Err(RetryableFailure::Status(answer)) => Ok(answer),
        Err(RetryableFailure::Call(error)) => Err(error),
    }
}

/// Returns the backoff between retries.
pub(crate) fn backoff() -> ExponentialBuilder {
    ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(FIRST_WAIT_MS))
        .with_max_times(MAX_RETRIES)
        .with_jitter()
}

/// Sends a request once, even if its method is idempotent.
///
/// # Errors
/// As [`send`].
pub async fn send_once(request: RequestBuilder) -> Result<CallResponse, CallError> {
    let (client, request) = split(request)?;
    send_with_span(&client, request).await
}

fn split(request: RequestBuilder) -> Result<(Client, reqwest::Request), CallError> {
    let (client, request) = request.build_split();
    Ok((
        client,
        request.map_err(|_| CallError::NoResponse("the URL cannot be used"))?,
    ))
}

/// A failure that a retry may solve.
enum RetryableFailure {
    Status(CallResponse),
    Call(CallError),
}

async fn send_with_span(client: &Client, request: reqwest::Request) -> Result<CallResponse, CallError> {
    let url = request.url();
    let span = trace::outgoing_call(request.method(), url.host_str(), url.port_or_known_default());
    let answer = exchange(client, request).instrument(span.clone()).await;
    trace::end_call(
        &span,
        answer.as_ref().map(|answer| answer.status).map_err(CallError::kind),
    );
    answer
}

async fn exchange(client: &Client, request: reqwest::Request) -> Result<CallResponse, CallError> {
    let response = client.execute(request).await.map_err(no_response)?;
    let status = response.status();
    let body = read(response, MAX_RESPONSE_BYTES)
        .await?
        .ok_or(CallError::InvalidResponse)?;
    Ok(CallResponse { status, body })
}

/// Returns the body; `None` if it is larger than `limit` bytes.
pub(crate) async fn read(mut response: reqwest::Response, limit: usize) -> Result<Option<Bytes>, CallError> {
    let mut body = BytesMut::new();
    while let Some(chunk) = response.chunk().await.map_err(no_response)? {
        if body.len() + chunk.len() > limit {
            return Ok(None);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Some(body.freeze()))
}

/// Converts an error. Its own text is not used, because it repeats the URL.
pub(crate) fn no_response(error: reqwest::Error) -> CallError {
    CallError::NoResponse(if error.is_timeout() {
        "it took too long"
    } else if error.is_connect() {
        "the connection failed"
    } else {
        "the connection was closed early"
    })
}

#[cfg(test)]
pub(crate) mod tests;
