//! Spans of requests, and their export over OTLP.
//!
//! A span follows the semantic conventions of OpenTelemetry for HTTP servers. It has the template of its route and never the path, the
//! query, an address or a header, because those contain ids, codes and personal data. The spans below it are made by `bespoke-storage`
//! and `bespoke-services`.

#[cfg(feature = "otlp")]
mod otlp;

use std::fmt;

use bespoke_storage::trace::{TARGET, TraceContext};
use http::{Method, StatusCode};
use tracing::Span;
#[cfg(feature = "otlp")]
use tracing::Subscriber;
use tracing::field::Empty;
#[cfg(feature = "otlp")]
use tracing_subscriber::{Layer, registry::LookupSpan};

use crate::Route;
use crate::config::Environment;

/// The export of spans from this process: off unless the environment names a collector.
#[derive(Debug, Clone, Default)]
pub struct SpanExport {
    #[cfg(feature = "otlp")]
    provider: Option<opentelemetry_sdk::trace::SdkTracerProvider>,
}

/// The export that the environment asks for.
///
/// # Errors
/// The reason why there is none, for the log.
pub(crate) fn export(environment: &Environment) -> Result<SpanExport, String> {
    if !environment.otel().exports_spans() {
        return Ok(SpanExport::default());
    }
    #[cfg(feature = "otlp")]
    return otlp::provider(environment.otel()).map(|provider| SpanExport {
        provider: Some(provider),
    });
    #[cfg(not(feature = "otlp"))]
    Err("this binary was built without the feature `otlp`".to_owned())
}

impl SpanExport {
    /// The layer that hands spans to the exporter; `None` if there is none.
    #[cfg(feature = "otlp")]
    pub(crate) fn layer<S>(&self) -> Option<impl Layer<S> + use<S>>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        self.provider.as_ref().map(otlp::layer)
    }

    /// The same without an exporter.
    #[cfg(not(feature = "otlp"))]
    pub(crate) fn layer(&self) -> Option<tracing_subscriber::layer::Identity> {
        None
    }

    /// Sends the spans that wait, within half a second: on Lambda the response waits for it.
    pub(crate) async fn flush(&self) {
        #[cfg(feature = "otlp")]
        if let Some(provider) = &self.provider {
            otlp::flush(provider).await;
        }
    }

    /// Sends the spans that wait and ends the export, within a few seconds.
    pub async fn shut_down(&self) {
        #[cfg(feature = "otlp")]
        if let Some(provider) = &self.provider {
            otlp::shut_down(provider).await;
        }
    }
}

/// The span of a request; disabled unless spans are exported.
pub(crate) fn of_request(method: &Method, route: Option<&Route>, over_tls: bool) -> Span {
    let method = method_name(method);
    let path = route.map(|route| route.path.as_str());
    tracing::info_span!(
        target: TARGET,
        "request",
        otel.name = %Name { method, path },
        otel.kind = "server",
        otel.status_code = Empty,
        http.request.method = method,
        http.route = path,
        http.response.status_code = Empty,
        url.scheme = if over_tls { "https" } else { "http" },
        bespoke.function = route.map(|route| route.function),
        "error.type" = Empty,
    )
}

/// The name of a span: the method, and the template of the route if there is one.
struct Name<'a> {
    method: &'static str,
    path: Option<&'a str>,
}

impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.method)?;
        self.path.map_or(Ok(()), |path| write!(f, " {path}"))
    }
}

/// Records the status of the response. An error of the client is none of the server.
pub(crate) fn end(span: &Span, status: StatusCode) {
    if span.is_disabled() {
        return;
    }
    span.record("http.response.status_code", status.as_u16());
    if status.is_server_error() {
        span.record("error.type", status.as_str());
        span.record("otel.status_code", "ERROR");
    }
}

/// The name of a method; those of no standard are one, because a client chooses them.
pub(crate) fn method_name(method: &Method) -> &'static str {
    const KNOWN: [&str; 9] = [
        "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE",
    ];
    let known = KNOWN.into_iter().find(|known| *known == method.as_str());
    known.unwrap_or("_OTHER")
}

/// Places `span` below the caller `incoming`, and gives the context of the span; `None` if spans are not exported.
#[cfg_attr(not(feature = "otlp"), expect(unused_variables, reason = "the feature is off"))]
pub(crate) fn place(span: &Span, incoming: Option<&TraceContext>) -> Option<TraceContext> {
    #[cfg(feature = "otlp")]
    if !span.is_disabled() {
        return otlp::place(span, incoming);
    }
    None
}

#[cfg(test)]
mod tests {
    use allocation_counter::measure;
    use bespoke_storage::trace::{Position, end_call, outgoing_call};

    use super::*;

    #[test]
    fn disabled_spans_allocate_nothing() {
        let spans = || {
            let request = of_request(&Method::GET, None, true);
            assert!(request.is_disabled() && place(&request, None).is_none());
            let call = outgoing_call(&Method::GET, Some("example.com"), Some(443));
            let ready = Position::new(None, call.clone()).run(async { Position::here() });
            futures_util::FutureExt::now_or_never(ready).expect("it does not wait");
            end_call(&call, Ok(StatusCode::BAD_GATEWAY));
            end(&request, StatusCode::BAD_GATEWAY);
        };
        // The first use of a place in the code registers it.
        spans();
        assert_eq!(measure(spans).count_total, 0);
    }

    #[test]
    fn unknown_methods_have_one_name() {
        assert_eq!(method_name(&Method::PATCH), "PATCH");
        assert_eq!(method_name(&Method::from_bytes(b"SECRET").unwrap()), "_OTHER");
    }
}
