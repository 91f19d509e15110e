//! [`TraceContext`]: the W3C Trace Context of the current request. Also creates the spans of outgoing calls.
//!
//! A request carries its [`TraceContext`] in a task-local value, so that the log and outgoing calls find it. Spans are
//! those of `tracing` with the target [`TARGET`]. Unless a process exports spans, no subscriber enables that target,
//! and a span costs one atomic load. Work that continues in another task has to be given its [`Position`].

use std::sync::OnceLock;

use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use tracing::field::Empty;
use tracing::{Instrument as _, Span};

/// The target of all spans of this project.
pub const TARGET: &str = "bespoke_trace";
/// The header with the ids of the trace and of the parent span, and the flags.
pub const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
/// The header with entries of other tracing systems.
pub const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

tokio::task_local! {
    static CURRENT: Option<TraceContext>;
}

/// The trace of a request, as `traceparent` and `tracestate` describe it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceContext {
    /// Id of the trace, never 0.
    pub trace_id: u128,
    /// Id of the parent span, never 0.
    pub parent_id: u64,
    /// Whether the caller may have recorded the trace.
    pub is_sampled: bool,
    /// Entries of other tracing systems, which are passed on unchanged.
    pub state: Option<HeaderValue>,
}

impl TraceContext {
    /// Starts a new trace with these ids.
    #[must_use]
    pub fn new(trace_id: u128, parent_id: u64) -> Self {
        Self {
            trace_id: trace_id.max(1),
            parent_id: parent_id.max(1),
            is_sampled: false,
            state: None,
        }
    }

    /// Returns the value of `traceparent` in version 00.
    ///
    /// # Panics
    /// Never: digits and hyphens are a valid value.
    #[must_use]
    pub fn traceparent(&self) -> HeaderValue {
        let (trace_id, parent_id, flags) = (self.trace_id, self.parent_id, u8::from(self.is_sampled));
        let text = format!("00-{trace_id:032x}-{parent_id:016x}-{flags:02x}");
        HeaderValue::try_from(text).expect("digits and hyphens are a valid value")
    }
}

/// Returns the trace of the current request. `None` outside of a request.
#[must_use]
pub fn current() -> Option<TraceContext> {
    CURRENT.try_with(Clone::clone).ok().flatten()
}

/// Returns the id of the current trace.
#[must_use]
pub fn current_id() -> Option<u128> {
    CURRENT
        .try_with(|current| current.as_ref().map(|context| context.trace_id))
        .ok()
        .flatten()
}

/// A position in a trace, for work that continues in another task.
#[derive(Debug, Clone)]
pub struct Position {
    context: Option<TraceContext>,
    span: Span,
}

impl Position {
    /// Returns the position of the caller.
    #[must_use]
    pub fn here() -> Self {
        Self {
            context: current(),
            span: Span::current(),
        }
    }

    /// Returns the position below `span` in the trace `context`.
    #[must_use]
    pub fn new(context: Option<TraceContext>, span: Span) -> Self {
        Self { context, span }
    }

    /// Runs `work` at this position. This is not an `async fn`, because its future would contain `work` twice.
    pub fn run<F: Future>(self, work: F) -> impl Future<Output = F::Output> {
        CURRENT.scope(self.context, work.instrument(self.span))
    }
}

/// A function that returns the context of a span; `None` if the span is not recorded.
pub type SpanContext = fn(&Span) -> Option<TraceContext>;

static SPAN_CONTEXT: OnceLock<SpanContext> = OnceLock::new();

/// Makes outgoing calls send the id of their span as the parent id. A process that exports spans calls this once.
pub fn use_span_context(of: SpanContext) {
    // Only the first call counts, because a process has one exporter.
    let _ = SPAN_CONTEXT.set(of);
}

/// Writes `traceparent` and `tracestate` of a call: those of its `span` if it is recorded, otherwise those of the
/// current request.
///
/// Only calls to services of the operator should have them, because other services could use the ids to link the
/// requests of one person.
pub fn write_headers(span: &Span, headers: &mut HeaderMap) {
    let of_span = SPAN_CONTEXT.get().and_then(|of| of(span));
    let Some(context) = of_span.or_else(current) else {
        return;
    };
    headers.insert(TRACEPARENT, context.traceparent());
    if let Some(state) = context.state {
        headers.insert(TRACESTATE, state);
    }
}

/// Returns a span for an outgoing HTTP request. It has neither path nor query, because those contain ids, keys and
/// codes. `host` must come from the settings and not from a client.
#[must_use]
pub fn outgoing_call(method: &Method, host: Option<&str>, port: Option<u16>) -> Span {
    tracing::info_span!(
        target: TARGET,
        "outgoing call",
        otel.name = method.as_str(),
        otel.kind = "client",
        otel.status_code = Empty,
        http.request.method = method.as_str(),
        http.response.status_code = Empty,
        server.address = host,
        server.port = port,
        "error.type" = Empty,
    )
}

/// Records the status of a call, or the kind of its error.
pub fn end_call(span: &Span, end: Result<StatusCode, &'static str>) {
    if span.is_disabled() {
        return;
    }
    match end {
        Ok(status) => {
            span.record("http.response.status_code", status.as_u16());
            if status.is_client_error() || status.is_server_error() {
                span.record("error.type", status.as_str());
                span.record("otel.status_code", "ERROR");
            }
        }
        Err(kind) => {
            span.record("error.type", kind);
            span.record("otel.status_code", "ERROR");
        }
    }
}

/// Returns a span for a revalidation of `head` and the sync that may follow.
pub(crate) fn revalidation() -> Span {
    tracing::info_span!(target: TARGET, "revalidation", otel.status_code = Empty, bespoke.head.moved = Empty)
}

/// Returns a span for a write, from the queue to the response of the store.
pub(crate) fn commit() -> Span {
    tracing::info_span!(target: TARGET, "commit", otel.status_code = Empty)
}

/// Marks a span as failed.
pub(crate) fn fail(span: &Span) {
    span.record("otel.status_code", "ERROR");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn context() -> TraceContext {
        TraceContext {
            is_sampled: true,
            state: Some(HeaderValue::from_static("vendor=1")),
            ..TraceContext::new(0xab, 0xcd)
        }
    }

    fn written() -> HeaderMap {
        let mut headers = HeaderMap::new();
        write_headers(&Span::none(), &mut headers);
        headers
    }

    #[tokio::test]
    async fn outgoing_call_carries_the_context_of_its_request() {
        assert!(written().is_empty());
        let position = Position::new(Some(context()), Span::none());
        let headers = position.run(async { written() }).await;
        let expected = "00-000000000000000000000000000000ab-00000000000000cd-01";
        assert_eq!(headers[TRACEPARENT], expected);
        assert_eq!(headers[TRACESTATE], "vendor=1");
    }

    #[tokio::test]
    async fn position_is_kept_in_another_task() {
        let position = Position::new(Some(context()), Span::none());
        let here = position.run(async { Position::here() }).await;
        let there = tokio::spawn(here.run(async { (current(), current_id()) })).await;
        assert_eq!(there.unwrap(), (Some(context()), Some(0xab)));
        assert_eq!(current(), None);
    }

    #[test]
    fn new_trace_has_no_zero_ids() {
        let text = TraceContext::new(0, 0).traceparent();
        assert_eq!(text, "00-00000000000000000000000000000001-0000000000000001-00");
    }
}
