//! W3C Trace Context of the work under way, and the spans of calls that leave the process.
//!
//! A request carries its [`TraceContext`] in a task-local value, so that the log and outgoing calls find it. Spans are those of
//! `tracing` with the target [`TARGET`]; unless a process exports spans, no subscriber enables that target, and a span then costs one
//! atomic load. Work that continues in another task takes its [`Position`] along.

use std::sync::OnceLock;

use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use tracing::field::Empty;
use tracing::{Instrument as _, Span};

/// The target of all spans of this project.
pub const TARGET: &str = "bespoke_trace";
/// The header with the trace, its parent, and its flags.
pub const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
/// The header with entries of other tracing systems.
pub const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

tokio::task_local! {
    static CURRENT: Option<TraceContext>;
}

/// The trace that some work belongs to, as `traceparent` and `tracestate` describe it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceContext {
    /// Id of the trace; never 0.
    pub trace_id: u128,
    /// Id of the span above the work; never 0.
    pub parent_id: u64,
    /// Whether the caller may have recorded the trace.
    pub is_sampled: bool,
    /// Entries of other tracing systems, to be passed on as they are.
    pub state: Option<HeaderValue>,
}

impl TraceContext {
    /// The start of a new trace, of random numbers.
    #[must_use]
    pub fn new(trace_id: u128, parent_id: u64) -> Self {
        Self {
            trace_id: trace_id.max(1),
            parent_id: parent_id.max(1),
            is_sampled: false,
            state: None,
        }
    }

    /// The value of `traceparent`, in version 00.
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

/// The trace of the work under way; `None` outside of a request.
#[must_use]
pub fn current() -> Option<TraceContext> {
    CURRENT.try_with(Clone::clone).ok().flatten()
}

/// The id of that trace.
#[must_use]
pub fn current_id() -> Option<u128> {
    CURRENT
        .try_with(|current| current.as_ref().map(|context| context.trace_id))
        .ok()
        .flatten()
}

/// The place of some work in its trace, for work that continues in another task.
#[derive(Debug, Clone)]
pub struct Position {
    context: Option<TraceContext>,
    span: Span,
}

impl Position {
    /// The place of the caller.
    #[must_use]
    pub fn here() -> Self {
        Self {
            context: current(),
            span: Span::current(),
        }
    }

    /// The place below `span`, in the trace `context`.
    #[must_use]
    pub fn new(context: Option<TraceContext>, span: Span) -> Self {
        Self { context, span }
    }

    /// Runs `work` in this place. No `async fn`, whose future would hold `work` twice.
    pub fn run<F: Future>(self, work: F) -> impl Future<Output = F::Output> {
        CURRENT.scope(self.context, work.instrument(self.span))
    }
}

/// Gives the context of a span that is recorded.
pub type SpanContext = fn(&Span) -> Option<TraceContext>;

static SPAN_CONTEXT: OnceLock<SpanContext> = OnceLock::new();

/// Has outgoing calls name the span of the call as the parent of the called service. A process that exports spans calls this once.
pub fn use_span_context(of: SpanContext) {
    // Only the first counts: a process has one exporter.
    let _ = SPAN_CONTEXT.set(of);
}

/// Writes `traceparent` and `tracestate` for a call: below its `span` if that is recorded, otherwise as the request came with them.
/// Only for services of the operator. Other services have no use for the ids, and could join requests of one person by them.
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

/// A span for one HTTP request that leaves the process. It has no path and no query, because those contain ids, keys and codes. `host`
/// is a name from the settings, never one that a caller chose.
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

/// Records how a call ended: with that status, or with an error of that kind.
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

/// A span for the question to the store whether `head` has moved, and for the sync that follows.
pub(crate) fn revalidation() -> Span {
    tracing::info_span!(target: TARGET, "revalidation", otel.status_code = Empty, bespoke.head.moved = Empty)
}

/// A span for a write, from the queue to the response of the store.
pub(crate) fn commit() -> Span {
    tracing::info_span!(target: TARGET, "commit", otel.status_code = Empty)
}

/// Marks the span of the work under way as failed.
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
