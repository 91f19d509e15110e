//! `GET /metrics`: counters of this process in the format of Prometheus, for clients on this machine. It is not a
//! route of the API.

use axum::body::Body;
use axum::response::{IntoResponse as _, Response};
use bespoke_web::metrics::{DURATIONS_MS, Metrics};
use bespoke_web::{Context, Peer, Scheme};
use http::{HeaderMap, Method, Request, header};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::{Registry, Unit};

const PATH: &str = "/metrics";
const MEDIA_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// Headers of proxies. Behind a proxy, all requests come from this machine.
const FORWARDED: [&str; 5] = ["forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-real-ip"];

/// Returns the page; `None` unless this is a `/metrics` request from loopback.
pub(super) fn page(context: &Context, request: &Request<Body>) -> Option<Response> {
    if request.uri().path() != PATH || request.method() != Method::GET || context.config().hide_metrics {
        return None;
    }
    let peer = request.extensions().get::<Peer>();
    if !peer.is_some_and(|peer| peer.0.to_canonical().is_loopback()) || is_forwarded(request.headers()) {
        return None;
    }
    let mut registry = Registry::with_prefix("bespoke");
    registry.register_collector(Box::new(Counts(context.clone())));
    let mut text = String::new();
    // Only the writer could fail, and it writes to memory.
    text::encode(&mut text, &registry).ok()?;
    let headers = [(header::CONTENT_TYPE, MEDIA_TYPE), (header::CACHE_CONTROL, "no-store")];
    Some((headers, text).into_response())
}

fn is_forwarded(headers: &HeaderMap) -> bool {
    FORWARDED.iter().any(|name| headers.contains_key(*name))
}

/// Reads the counters when the page is requested.
struct Counts(Context);

impl std::fmt::Debug for Counts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Counts")
    }
}

impl Collector for Counts {
    fn encode(&self, mut page: DescriptorEncoder<'_>) -> std::fmt::Result {
        let metrics = self.0.metrics();
        requests(metrics, &mut page)?;
        durations(metrics, &mut page)?;
        for (name, help, value) in [
            ("commits", "Commits in the bucket", metrics.commits()),
            ("mails", "Delivered mails", metrics.mails()),
            ("mail_failures", "Failed deliveries of mails", metrics.mail_failures()),
            ("password_hashes", "Hashed passwords", self.0.password_runs()),
        ] {
            let mut counter = page.encode_descriptor(name, help, None, MetricType::Counter)?;
            counter.encode_counter::<[(&str, &str); 0], _, u64>(&value, None)?;
        }
        Ok(())
    }
}

fn requests(metrics: &Metrics, page: &mut DescriptorEncoder<'_>) -> std::fmt::Result {
    let help = "Requests by function, kind of credential and class of status";
    let mut family = page.encode_descriptor("requests", help, None, MetricType::Counter)?;
    for counts in metrics.requests() {
        let status = format!("{}xx", counts.status_class);
        let labels = [
            ("function", counts.group),
            ("credential", counts.scheme.map_or("none", Scheme::segment)),
            ("status", &status),
        ];
        let mut counter = family.encode_family(&labels)?;
        counter.encode_counter::<[(&str, &str); 0], _, u64>(&counts.total(), None)?;
    }
    Ok(())
}

fn durations(metrics: &Metrics, page: &mut DescriptorEncoder<'_>) -> std::fmt::Result {
    let help = "Duration of requests by function";
    let mut family = page.encode_descriptor("request_duration", help, Some(&Unit::Seconds), MetricType::Histogram)?;
    let upper_bounds = DURATIONS_MS.iter().map(|ms| *ms as f64 / 1e3).chain([f64::INFINITY]);
    let requests = metrics.requests();
    for (function, total_ms) in metrics.total_ms() {
        let mut buckets: Vec<(f64, u64)> = upper_bounds.clone().map(|bound| (bound, 0)).collect();
        for counts in requests.iter().filter(|counts| counts.group == function) {
            for (bucket, count) in buckets.iter_mut().zip(counts.by_duration) {
                bucket.1 += count;
            }
        }
        let count = buckets.iter().map(|bucket| bucket.1).sum();
        if count > 0 {
            let labels = [("function", function)];
            let mut histogram = family.encode_family(&labels)?;
            histogram.encode_histogram::<[(&str, &str); 0]>(total_ms as f64 / 1e3, count, &buckets, None)?;
        }
    }
    Ok(())
}
