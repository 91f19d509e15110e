//! The connections of the AWS SDKs. Their own client would bring HTTP/2, which neither S3 nor SES is asked for, and would read
//! the machine's roots also where nothing is encrypted.

use std::error::Error;
use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_runtime_api::shared::IntoShared as _;
use aws_smithy_types::body::SdkBody;
use http::{Response, Uri};
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::client::legacy::connect::{Connect, HttpConnector as Tcp};
use hyper_util::client::legacy::{Client, Error as ClientError};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tower_service::Service;
use tracing::Instrument as _;

use super::tls_config;
use crate::trace;

/// The `error.type` of a call that brought no response.
const NO_ANSWER: &str = "no_answer";

type BoxError = Box<dyn Error + Send + Sync>;

/// A client for the SDKs. A connection may take `connect` to come about, TLS included, and the head of an answer `answer`; what the
/// settings of an SDK say instead is not looked at. An SDK is not told of single connections, so it has none to close after an answer
/// that says "busy": with another reconnect mode than `ReuseAllConnections` it logs that as an error each time.
pub fn http_client(connect: Duration, answer: Duration) -> SharedHttpClient {
    SharedHttpClient::new(Http::new(connect, answer))
}

/// The same, for calls without an SDK.
pub fn http_connector(connect: Duration, answer: Duration) -> SharedHttpConnector {
    Http::new(connect, answer).into_shared()
}

/// Both are made at the first request that needs them.
struct Connections {
    connect: Duration,
    answer: Duration,
    plain: OnceLock<SharedHttpConnector>,
    secure: OnceLock<SharedHttpConnector>,
}

impl Connections {
    fn plain(&self) -> &SharedHttpConnector {
        self.plain.get_or_init(|| self.over(tcp()))
    }

    fn secure(&self) -> &SharedHttpConnector {
        self.secure.get_or_init(|| {
            let mut tcp = tcp();
            tcp.enforce_http(false);
            let tls = HttpsConnectorBuilder::new().with_tls_config(tls_config());
            self.over(tls.https_only().enable_http1().wrap_connector(tcp))
        })
    }

    fn over<C>(&self, connector: C) -> SharedHttpConnector
    where
        C: Service<Uri> + Clone + Send + Sync + 'static,
        C::Error: Into<BoxError>,
        C::Future: Send + 'static,
        InTime<C>: Connect,
    {
        let in_time = InTime {
            connector,
            limit: self.connect,
        };
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .build(in_time);
        let answer = self.answer;
        Requests { client, answer }.into_shared()
    }
}

fn tcp() -> Tcp {
    let mut tcp = Tcp::new();
    tcp.set_nodelay(true);
    tcp
}

#[derive(Clone)]
struct Http(Arc<Connections>);

impl Http {
    fn new(connect: Duration, answer: Duration) -> Self {
        Self(Arc::new(Connections {
            connect,
            answer,
            plain: OnceLock::new(),
            secure: OnceLock::new(),
        }))
    }
}

impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Http")
    }
}

impl HttpClient for Http {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        self.clone().into_shared()
    }
}

impl HttpConnector for Http {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let plain = request.uri().starts_with("http:");
        if plain { self.0.plain() } else { self.0.secure() }.call(request)
    }
}

/// Requests over connections of one kind.
struct Requests<C> {
    client: Client<C, SdkBody>,
    answer: Duration,
}

impl<C> fmt::Debug for Requests<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Requests")
    }
}

impl<C: Connect + Clone + Send + Sync + 'static> HttpConnector for Requests<C> {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let mut request = match request.try_into_http1x() {
            Ok(request) => request,
            Err(error) => return HttpConnectorFuture::ready(Err(ConnectorError::user(error.into()))),
        };
        let span = trace::outgoing_call(request.method(), request.uri().host(), request.uri().port_u16());
        // After the signature, which does not cover them, because a proxy may change them.
        trace::write_headers(&span, request.headers_mut());
        let answer = tokio::time::timeout(self.answer, self.client.request(request));
        HttpConnectorFuture::new(async move {
            let answer = answer.instrument(span.clone()).await;
            let answer = answer.map_err(|late| ConnectorError::timeout(late.into()));
            let answer = answer.and_then(|answer| answer.map_err(of));
            trace::end_call(&span, answer.as_ref().map(Response::status).map_err(|_| NO_ANSWER));
            let answer = answer?.map(SdkBody::from_body_1_x);
            HttpResponse::try_from(answer).map_err(|error| ConnectorError::other(error.into(), None))
        })
    }
}

/// Whether the SDK may try again depends on it.
fn of(error: ClientError) -> ConnectorError {
    let (never_connected, mut late) = (error.is_connect(), false);
    let mut cause: Option<&(dyn Error + 'static)> = Some(&error);
    while let Some(known) = cause {
        late |= known.is::<tokio::time::error::Elapsed>();
        cause = known.source();
    }
    let error = if late {
        ConnectorError::timeout(error.into())
    } else {
        ConnectorError::io(error.into())
    };
    if never_connected {
        error.never_connected()
    } else {
        error
    }
}

/// Connections that come about in time, or not.
#[derive(Clone)]
struct InTime<C> {
    connector: C,
    limit: Duration,
}

impl<C> Service<Uri> for InTime<C>
where
    C: Service<Uri>,
    C::Error: Into<BoxError>,
    C::Future: Send + 'static,
{
    type Response = C::Response;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<C::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.connector.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, to: Uri) -> Self::Future {
        let connected = tokio::time::timeout(self.limit, self.connector.call(to));
        Box::pin(async move { connected.await?.map_err(Into::into) })
    }
}
