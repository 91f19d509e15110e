//! The parsers of request bodies, trace contexts and `.env`, public for `fuzz/` and for the test of their cost.

use bespoke_storage::trace::{TRACEPARENT, TRACESTATE, TraceContext};
use http::{HeaderMap, HeaderValue};

use crate::body::{Encoding, Format};
use crate::config::EnvFile;
use crate::observability::trace_context;

/// Parses a JSON body. Returns whether it is accepted.
pub fn json(bytes: &[u8]) -> bool {
    Format::Json.parse(bytes).is_ok()
}

/// Parses a trace context. The first line is `traceparent`, and each following line is one of `tracestate`.
pub fn trace_context(bytes: &[u8]) -> Option<TraceContext> {
    let mut headers = HeaderMap::new();
    let mut lines = bytes.split(|byte| *byte == b'\n').map(HeaderValue::from_bytes);
    headers.insert(TRACEPARENT, lines.next()?.ok()?);
    for line in lines.map_while(Result::ok) {
        headers.append(TRACESTATE, line);
    }
    trace_context::of_headers(&headers)
}

/// Parses a `.env` file. Returns its variables in the order of the file, and the number of the first unreadable line.
pub fn env_file(text: &str) -> (Vec<(String, String)>, Option<usize>) {
    let file = EnvFile::parse(text);
    (file.variables, file.unreadable_line)
}

/// Parses a YAML body. Returns whether it is accepted.
pub fn yaml(bytes: &[u8]) -> bool {
    Format::Yaml.parse(bytes).is_ok()
}

/// Parses a YAML body. Returns the number of parser events, including repeated ones, and the deepest nesting.
pub fn yaml_cost(bytes: &[u8]) -> (usize, usize) {
    crate::body::yaml_cost(bytes)
}

/// Decompresses a gzip body to at most `limit` bytes. Returns whether it is accepted.
pub fn gunzip(bytes: &[u8], limit: usize) -> bool {
    Encoding::Gzip.decode(bytes.to_vec().into(), limit).is_ok()
}
