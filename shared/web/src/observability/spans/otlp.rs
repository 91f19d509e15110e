//! The exporter of spans: the SDK of OpenTelemetry, with the HTTP client of the project.
//!
//! A bounded queue of the SDK contains the ended spans, and a thread of the SDK sends them in batches. So that no request waits, a batch is lost
//! if the collector does not respond, and new spans are lost if the queue is full. The SDK reads the standard environment variables.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bespoke_services::http::{CallError, Http};
use bespoke_storage::trace::{TARGET, TraceContext, use_span_context};
use http::{HeaderValue, Request, Response};
use opentelemetry::Context;
use opentelemetry::trace::{SpanContext, TraceContextExt as _, TraceFlags, TraceState, TracerProvider as _};
use opentelemetry_http::{Bytes, HttpClient, HttpError};
use opentelemetry_otlp::{ExporterBuildError, RetryPolicy, SpanExporter, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{
    BatchConfig, BatchConfigBuilder, BatchSpanProcessor, OTEL_BSP_MAX_EXPORT_BATCH_SIZE,
    OTEL_BSP_MAX_EXPORT_BATCH_SIZE_DEFAULT, OTEL_BSP_MAX_QUEUE_SIZE, OTEL_BSP_MAX_QUEUE_SIZE_DEFAULT,
    OTEL_BSP_SCHEDULE_DELAY, OTEL_BSP_SCHEDULE_DELAY_DEFAULT, SdkTracerProvider, Tracer,
};
use tokio::runtime::Runtime;
use tracing::{Span, Subscriber};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::registry::LookupSpan;

use crate::config::{OTEL_PREFIX, OtelVariables};

/// The service name if the environment sets none.
const SERVICE: &str = "bespoke";
const SERVICE_NAME: &str = "service.name";
/// Time limit for sending the last spans at the end of a process, in milliseconds.
const SHUTDOWN_MS: u64 = 3_000;
/// Time limit for sending the spans of a Lambda invocation, because its response waits for them, in milliseconds.
const FLUSH_MS: u64 = 500;
/// The maximum number of spans in the queue.
const MAX_QUEUE: usize = 65_536;
/// Maximum delay between two exports: one day, in milliseconds.
const MAX_DELAY_MS: usize = 86_400_000;
/// The prefix of the name that the SDK gives to a service without a name.
const UNKNOWN_SERVICE: &str = "unknown_service";

/// Creates the exporter that the environment configures. It opens no connection yet.
///
/// # Errors
/// A sentence for the log if an endpoint or a header from the environment variables is invalid.
pub(crate) fn provider(variables: &OtelVariables) -> Result<SdkTracerProvider, String> {
    let collector = Collector::new(variables.collector_timeout_ms()).map_err(|error| error.to_string())?;
    let exporter = SpanExporter::builder()
        .with_http()
        .with_http_client(collector)
        // A retry would delay the next batch.
        .with_retry_policy(RetryPolicy::default().with_max_retries(0))
        .build()
        .map_err(|error| problem_of(&error))?;
    use_span_context(context_of);
    let batches = BatchSpanProcessor::builder(exporter).with_batch_config(batch_config(variables));
    let provider = SdkTracerProvider::builder().with_span_processor(batches.build());
    Ok(provider.with_resource(resource()).build())
}

/// Returns a sentence without the value of the variable, because the value may contain a password.
fn problem_of(error: &ExporterBuildError) -> String {
    let name = match error {
        ExporterBuildError::InvalidConfiguration(text) => text.split(':').next(),
        _ => None,
    };
    match name.filter(|name| name.starts_with(OTEL_PREFIX)) {
        Some(name) => format!("the value of {name} cannot be used"),
        None => "the endpoint or a header cannot be used".to_owned(),
    }
}

/// Reads the sizes of the queue and of the batches from the environment, within bounds. The SDK itself accepts any number, also one with
/// which it occupies a core or all memory.
fn batch_config(variables: &OtelVariables) -> BatchConfig {
    let queue = variables.number(OTEL_BSP_MAX_QUEUE_SIZE, OTEL_BSP_MAX_QUEUE_SIZE_DEFAULT, 1..=MAX_QUEUE);
    let batch = OTEL_BSP_MAX_EXPORT_BATCH_SIZE_DEFAULT;
    let batch = variables.number(OTEL_BSP_MAX_EXPORT_BATCH_SIZE, batch, 1..=queue);
    let delay_ms = OTEL_BSP_SCHEDULE_DELAY_DEFAULT.as_millis() as usize;
    let delay_ms = variables.number(OTEL_BSP_SCHEDULE_DELAY, delay_ms, 1..=MAX_DELAY_MS);
    BatchConfigBuilder::default()
        .with_max_queue_size(queue)
        .with_max_export_batch_size(batch)
        .with_scheduled_delay(Duration::from_millis(delay_ms as u64))
        .build()
}

fn resource() -> Resource {
    let version = opentelemetry::KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
    let from_environment = Resource::builder().build();
    let name = from_environment.get(&SERVICE_NAME.into()).map(|name| name.to_string());
    let builder = Resource::builder().with_attribute(version);
    match name {
        Some(name) if !name.starts_with(UNKNOWN_SERVICE) => builder.build(),
        _ => builder.with_service_name(SERVICE).build(),
    }
}

/// The layer that converts the spans of this project, and no others, to spans of OpenTelemetry.
pub(crate) fn layer<S>(provider: &SdkTracerProvider) -> impl Layer<S> + use<S>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    tracing_opentelemetry::layer::<S>()
        .with_tracer::<Tracer>(provider.tracer(SERVICE))
        .with_location(false)
        .with_threads(false)
        .with_target(false)
        .with_level(false)
        .with_tracked_inactivity(false)
        .with_context_activation(false)
        .with_filter(Targets::new().with_target(TARGET, LevelFilter::INFO))
}

/// Sends the queued spans. The client of the collector logs a failure.
pub(super) async fn flush(provider: &SdkTracerProvider) {
    let provider = provider.clone();
    let flush = tokio::task::spawn_blocking(move || provider.force_flush());
    let _ = tokio::time::timeout(Duration::from_millis(FLUSH_MS), flush).await;
}

/// Sends the queued spans and stops the exporter.
pub(super) async fn shut_down(provider: &SdkTracerProvider) {
    let (provider, limit) = (provider.clone(), Duration::from_millis(SHUTDOWN_MS));
    let _ = tokio::task::spawn_blocking(move || provider.shutdown_with_timeout(limit)).await;
}

/// Makes the caller the parent of `span`, and returns the context of the span.
pub(super) fn set_parent(span: &Span, caller: Option<&TraceContext>) -> Option<TraceContext> {
    if let Some(caller) = caller {
        let state = caller
            .state
            .as_ref()
            .and_then(|state| state.to_str().ok()?.parse().ok());
        let flags = if caller.is_sampled {
            TraceFlags::SAMPLED
        } else {
            TraceFlags::NOT_SAMPLED
        };
        let remote = SpanContext::new(
            caller.trace_id.into(),
            caller.parent_id.into(),
            flags,
            true,
            state.unwrap_or(TraceState::NONE),
        );
        // An error means that the span is not recorded, so it needs no parent.
        let _ = span.set_parent(Context::new().with_remote_span_context(remote));
    }
    context_of(span)
}

/// Returns the context of a span; `None` if this layer does not record the span.
fn context_of(span: &Span) -> Option<TraceContext> {
    let context = span.context();
    let context = context.span().span_context().clone();
    context.is_valid().then(|| TraceContext {
        trace_id: u128::from_be_bytes(context.trace_id().to_bytes()),
        parent_id: u64::from_be_bytes(context.span_id().to_bytes()),
        is_sampled: context.is_sampled(),
        state: HeaderValue::try_from(context.trace_state().header())
            .ok()
            .filter(|state| !state.is_empty()),
    })
}

/// The HTTP client for the collector. It blocks, because it runs on the thread of the SDK.
struct Collector {
    runtime: Runtime,
    http: Http,
    /// Whether the last call failed, so that an outage of the collector is logged once.
    has_failed: AtomicBool,
}

impl Collector {
    fn new(timeout_ms: u64) -> std::io::Result<Self> {
        Ok(Self {
            runtime: tokio::runtime::Builder::new_current_thread().enable_all().build()?,
            http: Http::without_idle_connections(timeout_ms),
            has_failed: AtomicBool::new(false),
        })
    }

    fn report(&self, result: &Result<Response<Bytes>, CallError>) {
        let problem = match result {
            Ok(response) if response.status().is_success() => None,
            Ok(response) => Some(CallError::Refused(response.status())),
            Err(error) => Some(error.clone()),
        };
        let had_failed = self.has_failed.swap(problem.is_some(), Ordering::Relaxed);
        match problem {
            Some(error) if !had_failed => tracing::warn!(%error, "the collector did not accept spans; they are lost"),
            None if had_failed => tracing::info!("the collector accepts spans again"),
            _ => {}
        }
    }
}

impl fmt::Debug for Collector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Collector")
    }
}

#[async_trait]
impl HttpClient for Collector {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let response = self.runtime.block_on(self.http.forward(request));
        self.report(&response);
        Ok(response?)
    }
}
