//! The parsers of request bodies and of trace contexts, open to `fuzz/` and to the test of their cost.

use bespoke_storage::trace::{TRACEPARENT, TRACESTATE, TraceContext};
use http::{HeaderMap, HeaderValue};

use crate::body::{Encoding, Format};
use crate::trace_context;

/// Parses a body of JSON; whether it was taken.
pub fn json(bytes: &[u8]) -> bool {
    Format::Json.parse(bytes).is_ok()
}

/// Parses a trace context: the first line is `traceparent`, each other line is one of `tracestate`.
pub fn trace_context(bytes: &[u8]) -> Option<TraceContext> {
    let mut headers = HeaderMap::new();
    let mut lines = bytes.split(|byte| *byte == b'\n').map(HeaderValue::from_bytes);
    headers.insert(TRACEPARENT, lines.next()?.ok()?);
    for line in lines.map_while(Result::ok) {
        headers.append(TRACESTATE, line);
    }
    trace_context::of_headers(&headers)
}

/// Parses a body of YAML; whether it was taken.
pub fn yaml(bytes: &[u8]) -> bool {
    Format::Yaml.parse(bytes).is_ok()
}

/// Parses a body of YAML; the number of parser events, repeated ones included, and the deepest nesting.
pub fn yaml_cost(bytes: &[u8]) -> (usize, usize) {
    crate::body::yaml_cost(bytes)
}

/// Decompresses a body of gzip to at most `limit` bytes; whether it was taken.
pub fn gunzip(bytes: &[u8], limit: usize) -> bool {
    Encoding::Gzip.decode(bytes.to_vec().into(), limit).is_ok()
}
