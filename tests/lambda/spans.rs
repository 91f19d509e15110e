//! Tests of the spans of a function, which Lambda freezes after its response.

use super::event;
use super::installation::Installation;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;

use crate::spans::collector::{Collector, Span};
use crate::spans::lines;

#[tokio::test]
async fn function_exports_spans_at_each_invocation() {
    let collector = Collector::start();
    let installation = Installation::demonstration().await;
    let endpoint = collector.server.url();
    let settings = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str()),
        ("BACKEND_LOG", "info,bespoke_web::request=debug"),
        // Lambda marks an invocation that X-Ray does not record as not sampled.
        ("OTEL_TRACES_SAMPLER", "always_on"),
        // Spans are exported only at the end of an invocation.
        ("OTEL_BSP_SCHEDULE_DELAY", "3600000"),
    ];
    let function = installation.function("sets", "cache", &settings).await;
    function.invoke(event::read("sets.read.key")).await.unwrap();
    // The X-Ray id in the event.
    let trace = "6955b9000123456789abcdef00000015";
    collector.wait().await;
    let received = collector.received();
    let spans = received.of_trace(trace);
    let is_request = |span: &&Span| span.name == "GET /sets/{id}/key" && span.kind == SpanKind::Server;
    let request = spans.iter().find(is_request);
    let request = request.unwrap_or_else(|| panic!("{:#?}", received.spans));
    assert!(
        spans
            .iter()
            .any(|span| span.name == "revalidation" && span.parent_id == request.id)
    );
    let log = function.log();
    let line = lines(&log).pop().unwrap_or_else(|| panic!("{log}"));
    assert_eq!(line["trace_id"], trace);
}
