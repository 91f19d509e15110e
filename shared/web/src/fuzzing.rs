//! The parsers of request bodies, open to `fuzz/` and to the test of their cost.

use crate::body::{Encoding, Format};

/// Parses a body of JSON; whether it was taken.
pub fn json(bytes: &[u8]) -> bool {
    Format::Json.parse(bytes).is_ok()
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
