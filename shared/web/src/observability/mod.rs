//! Observability: logs, metrics, spans, and the trace of the caller.
//!
//! | File | Job |
//! | --- | --- |
//! | `logging` | writes log lines to standard error, each with the id of its request and of its trace |
//! | `metrics` | counts requests, commits and mails in atomic counters |
//! | `spans` | creates the span of a request and exports spans over OTLP |
//! | `trace_context` | parses `traceparent`, `tracestate` and the header of X-Ray |
//!
//! The gateway calls all four for each request. `bespoke serve` renders the counters as `/metrics`; a Lambda function writes them as a log line
//! for CloudWatch. Log lines, metrics and spans never contain a token, an address, a path with personal data, or a body.
//!
//! This module depends on the configuration, and must not depend on a session or a route, because those use it.
//!
//! To add a metric, add a counter to [`metrics::Metrics`] and render it in `lambda::metric_line` and in `cli/src/serve/metrics.rs`.

pub mod logging;
pub mod metrics;
pub(crate) mod spans;
pub(crate) mod trace_context;

pub use spans::SpanExport;
