//! [`Collector`]: a server on this machine that collects spans.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::routing::post;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value::Value};
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use prost::Message as _;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::watch;

/// Maximum wait for spans. It ends a test that would hang.
const ARRIVAL_LIMIT: Duration = Duration::from_secs(60);

/// The parts of a span that the tests check.
#[derive(Debug, Clone)]
pub(crate) struct Span {
    pub(crate) name: String,
    pub(crate) kind: SpanKind,
    pub(crate) trace_id: String,
    pub(crate) id: String,
    /// Empty for the first span of a trace.
    pub(crate) parent_id: String,
    pub(crate) attributes: BTreeMap<String, String>,
    pub(crate) has_failed: bool,
}

/// The data that a collector received.
#[derive(Debug, Default)]
pub(crate) struct Received {
    pub(crate) spans: Vec<Span>,
    pub(crate) headers: Vec<HeaderMap>,
    pub(crate) resource: BTreeMap<String, String>,
    /// The bodies as they arrived.
    pub(crate) bytes: Vec<u8>,
}

impl Received {
    /// The spans of one trace.
    pub(crate) fn of_trace(&self, trace_id: &str) -> Vec<Span> {
        self.spans
            .iter()
            .filter(|span| span.trace_id == trace_id)
            .cloned()
            .collect()
    }
}

/// Serves a router on a free port, on its own runtime, until it is dropped.
pub(crate) struct RouterServer {
    pub(crate) address: SocketAddr,
    runtime: Option<Runtime>,
}

impl RouterServer {
    pub(crate) fn start(router: Router) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        runtime.spawn(async move {
            let listener = TcpListener::from_std(listener).unwrap();
            axum::serve(listener, router).await.unwrap();
        });
        Self {
            address,
            runtime: Some(runtime),
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for RouterServer {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// A server that collects the spans that it receives.
pub(crate) struct Collector {
    pub(crate) server: RouterServer,
    received: Arc<Mutex<Received>>,
    arrivals: watch::Receiver<usize>,
}

#[derive(Clone)]
struct CollectorState {
    received: Arc<Mutex<Received>>,
    arrivals: Arc<watch::Sender<usize>>,
}

impl Collector {
    pub(crate) fn start() -> Self {
        let received = Arc::<Mutex<Received>>::default();
        let (sender, arrivals) = watch::channel(0);
        let state = CollectorState {
            received: Arc::clone(&received),
            arrivals: Arc::new(sender),
        };
        let routes = Router::new().route("/v1/traces", post(receive)).with_state(state);
        Self {
            server: RouterServer::start(routes),
            received,
            arrivals,
        }
    }

    /// Waits for the first spans.
    ///
    /// # Panics
    /// If none arrive within [`ARRIVAL_LIMIT`].
    pub(crate) async fn wait(&self) {
        let mut arrivals = self.arrivals.clone();
        let first = arrivals.wait_for(|count| *count > 0);
        let waited = tokio::time::timeout(ARRIVAL_LIMIT, first).await;
        waited.expect("spans arrive").expect("the collector is running");
    }

    /// Takes everything received so far.
    pub(crate) fn received(&self) -> Received {
        std::mem::take(&mut *self.received.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

async fn receive(State(state): State<CollectorState>, headers: HeaderMap, body: Bytes) -> StatusCode {
    assert_eq!(headers[header::CONTENT_TYPE], "application/x-protobuf");
    let request = ExportTraceServiceRequest::decode(body.clone()).unwrap();
    let mut received = state.received.lock().unwrap_or_else(PoisonError::into_inner);
    received.headers.push(headers);
    received.bytes.extend_from_slice(&body);
    for resource_spans in request.resource_spans {
        received.resource = attributes(&resource_spans.resource.unwrap_or_default().attributes);
        let spans = resource_spans.scope_spans.into_iter().flat_map(|scope| scope.spans);
        received.spans.extend(spans.map(|span| Span {
            kind: span.kind(),
            name: span.name,
            trace_id: hex(&span.trace_id),
            id: hex(&span.span_id),
            parent_id: hex(&span.parent_span_id),
            attributes: attributes(&span.attributes),
            has_failed: span.status.is_some_and(|status| status.code == 2),
        }));
    }
    state.arrivals.send_modify(|count| *count += 1);
    StatusCode::OK
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn attributes(all: &[KeyValue]) -> BTreeMap<String, String> {
    let text = |attribute: &KeyValue| match attribute.value.as_ref().and_then(|any| any.value.as_ref()) {
        Some(Value::StringValue(text)) => text.clone(),
        Some(Value::IntValue(number)) => number.to_string(),
        Some(Value::BoolValue(flag)) => flag.to_string(),
        other => format!("{other:?}"),
    };
    all.iter()
        .map(|attribute| (attribute.key.clone(), text(attribute)))
        .collect()
}
