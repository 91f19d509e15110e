//! [`http_client`]: the HTTP client of the AWS SDKs.
//!
//! It replaces the client of the SDKs, because that client would add HTTP/2, which neither S3 nor SES needs, and would
//! read the root certificates of the machine even if no connection is encrypted.

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

/// The `error.type` of a call without a response.
const NO_RESPONSE: &str = "no_answer";

type BoxError = Box<dyn Error + Send + Sync>;

/// Returns a client for the SDKs.
///
/// `connect` limits the time to connect, including TLS, and `response` the time until the headers of a response arrive.
/// The timeouts in the settings of an SDK are ignored.
///
/// This client does not tell the SDK about its connections, so the SDK cannot close a connection after the response
/// "busy". It logs an error each time unless its reconnect mode is `ReuseAllConnections`.
pub fn http_client(connect: Duration, response: Duration) -> SharedHttpClient {
    SharedHttpClient::new(Http::new(connect, response))
}

/// Returns a client for requests without an SDK. The limits are those of [`http_client`].
pub fn http_connector(connect: Duration, response: Duration) -> SharedHttpConnector {
    Http::new(connect, response).into_shared()
}

/// The connections without and with TLS. Each kind is created by the first request that needs it.
struct Connections {
    connect: Duration,
    response: Duration,
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
        ConnectTimeout<C>: Connect,
    {
        let connector = ConnectTimeout {
            connector,
            limit: self.connect,
        };
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .build(connector);
        let response = self.response;
        Requests { client, response }.into_shared()
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
    fn new(connect: Duration, response: Duration) -> Self {
        Self(Arc::new(Connections {
            connect,
            response,
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

/// Sends requests over connections of one kind.
struct Requests<C> {
    client: Client<C, SdkBody>,
    response: Duration,
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
        // The signature does not cover these headers, because a proxy may change them.
        trace::write_headers(&span, request.headers_mut());
        let response = tokio::time::timeout(self.response, self.client.request(request));
        HttpConnectorFuture::new(async move {
            let response = response.instrument(span.clone()).await;
            let response = response.map_err(|elapsed| ConnectorError::timeout(elapsed.into()));
            let response = response.and_then(|response| response.map_err(connector_error));
            trace::end_call(&span, response.as_ref().map(Response::status).map_err(|_| NO_RESPONSE));
            let response = response?.map(SdkBody::from_body_1_x);
            HttpResponse::try_from(response).map_err(|error| ConnectorError::other(error.into(), None))
        })
    }
}

/// Converts an error to the kind by which the SDK decides whether to retry.
fn connector_error(error: ClientError) -> ConnectorError {
    let never_connected = error.is_connect();
    let mut timed_out = false;
    let mut cause: Option<&(dyn Error + 'static)> = Some(&error);
    while let Some(current) = cause {
        timed_out |= current.is::<tokio::time::error::Elapsed>();
        cause = current.source();
    }
    let error = if timed_out {
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

/// Limits the time to connect.
#[derive(Clone)]
struct ConnectTimeout<C> {
    connector: C,
    limit: Duration,
}

impl<C> Service<Uri> for ConnectTimeout<C>
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
