//! Creates the span of each request, and exports spans over OTLP ([`SpanExport`]).
//!
//! A span follows the semantic conventions of OpenTelemetry for HTTP servers. It contains the template of its route and never the path, the
//! query, an address or a header, because those contain ids, codes and personal data. `bespoke-storage` and `bespoke-services` create its
//! child spans.

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

use crate::config::Environment;

/// The export of spans from this process: off unless the environment names a collector.
#[derive(Debug, Clone, Default)]
pub struct SpanExport {
    #[cfg(feature = "otlp")]
    provider: Option<opentelemetry_sdk::trace::SdkTracerProvider>,
}

/// Creates the exporter that the environment configures; a disabled one if the environment names no collector.
///
/// # Errors
/// The reason, for the log, why spans cannot be exported.
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
    /// The layer that sends spans to the exporter; `None` without an exporter.
    #[cfg(feature = "otlp")]
    pub(crate) fn layer<S>(&self) -> Option<impl Layer<S> + use<S>>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        self.provider.as_ref().map(otlp::layer)
    }

    /// No layer, because this binary has no exporter.
    #[cfg(not(feature = "otlp"))]
    pub(crate) fn layer(&self) -> Option<tracing_subscriber::layer::Identity> {
        None
    }

    /// Sends the queued spans, within half a second, because the response waits for it on Lambda.
    pub(crate) async fn flush(&self) {
        #[cfg(feature = "otlp")]
        if let Some(provider) = &self.provider {
            otlp::flush(provider).await;
        }
    }

    /// Sends the queued spans and stops the exporter, within a few seconds.
    pub async fn shut_down(&self) {
        #[cfg(feature = "otlp")]
        if let Some(provider) = &self.provider {
            otlp::shut_down(provider).await;
        }
    }
}

/// The route of a request, as its span names it.
#[derive(Clone, Copy)]
pub(crate) struct SpanRoute<'a> {
    /// The template of the path.
    pub(crate) path: &'a str,
    /// The function that serves the route.
    pub(crate) function: &'static str,
}

/// Creates the span of a request. It is disabled unless spans are exported.
pub(crate) fn of_request(method: &Method, route: Option<SpanRoute<'_>>, over_tls: bool) -> Span {
    let method = method_name(method);
    let path = route.map(|route| route.path);
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

/// The name of a span: the method, and the template of the route if a route exists.
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

/// Records the status of the response. Only a server error marks the span as failed.
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

/// Returns the name of a method. All non-standard methods have the same name, because a client can invent any number of them.
pub(crate) fn method_name(method: &Method) -> &'static str {
    const KNOWN: [&str; 9] = [
        "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE",
    ];
    let standard = KNOWN.into_iter().find(|name| *name == method.as_str());
    standard.unwrap_or("_OTHER")
}

/// Makes `caller`, the trace context of the caller, the parent of `span`. Returns the context of the span; `None` if spans are not exported.
#[cfg_attr(not(feature = "otlp"), expect(unused_variables, reason = "the feature is off"))]
pub(crate) fn set_parent(span: &Span, caller: Option<&TraceContext>) -> Option<TraceContext> {
    #[cfg(feature = "otlp")]
    if !span.is_disabled() {
        return otlp::set_parent(span, caller);
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
            assert!(request.is_disabled() && set_parent(&request, None).is_none());
            let call = outgoing_call(&Method::GET, Some("example.com"), Some(443));
            let ready = Position::new(None, call.clone()).run(async { Position::here() });
            futures_util::FutureExt::now_or_never(ready).expect("the future is ready");
            end_call(&call, Ok(StatusCode::BAD_GATEWAY));
            end(&request, StatusCode::BAD_GATEWAY);
        };
        // The first use of a callsite allocates, because `tracing` registers it.
        spans();
        assert_eq!(measure(spans).count_total, 0);
    }

    #[test]
    fn unknown_methods_have_one_name() {
        assert_eq!(method_name(&Method::PATCH), "PATCH");
        assert_eq!(method_name(&Method::from_bytes(b"SECRET").unwrap()), "_OTHER");
    }
}
