//! The parsers of request bodies ([`Format`]) and their decompression ([`Encoding`]). Each checks its bounds before or while it parses,
//! so that time and memory grow linearly with the body.

use std::cell::Cell;
use std::io::Read;
use std::rc::Rc;

use bespoke_core::decode_text;
use bytes::Bytes;
use flate2::bufread::{GzDecoder, ZlibDecoder};
use http::{HeaderMap, header};
use serde_json::Value;
use serde_saphyr::budget::BudgetReport;
use serde_saphyr::options::DuplicateKeyPolicy;
use serde_saphyr::{MergeKeyPolicy, Options};

use super::json_object::JsonObject;
use crate::response::Error;

/// The byte order mark of UTF-8, with which some editors begin a file.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Maximum size of a YAML body, in bytes.
pub(super) const MAX_YAML_BYTES: usize = 64 * 1024;

/// The maximum number of values in a JSON body, because 12 MiB of tiny values would occupy a hundred times that in memory.
pub(super) const MAX_VALUES: usize = 100_000;
/// The maximum number of values in a JSON body on a route without authentication.
pub(super) const MAX_PUBLIC_VALUES: usize = 1_000;
/// The maximum number of values in a YAML body, including those that aliases repeat. A body of [`MAX_YAML_BYTES`] without aliases has fewer.
const MAX_YAML_VALUES: usize = 40_000;
/// The deepest nesting of lists and mappings in YAML. The JSON parser has its own limit of 128.
const MAX_YAML_DEPTH: usize = 64;
/// The maximum number of anchors in a YAML body.
const MAX_YAML_ANCHORS: usize = 100;
/// The maximum number of aliases in a YAML body.
const MAX_YAML_ALIASES: usize = 1_000;
/// The maximum number of parser events that the aliases of a YAML body repeat.
const MAX_YAML_REPEATED_EVENTS: usize = 10_000;

/// The format of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Json,
    Yaml,
}

impl Format {
    /// Parses a body in UTF-8: an object, or a list. An empty body is an empty object. A byte order mark is skipped.
    ///
    /// # Errors
    /// 400 for a malformed document and for any other value; 413 for too many values in YAML.
    pub(crate) fn parse(self, bytes: &[u8]) -> Result<Value, Error> {
        let bytes = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes);
        let value = match self {
            _ if bytes.trim_ascii().is_empty() => Value::Null,
            Self::Json => serde_json::from_slice(bytes).map_err(|_| Error::bad_request("badRequest"))?,
            Self::Yaml => yaml(bytes)?,
        };
        match value {
            value @ (Value::Object(_) | Value::Array(_)) => Ok(value),
            Value::Null if self == Self::Yaml || bytes.trim_ascii().is_empty() => Ok(JsonObject::new().into()),
            _ => Err(Error::bad_request("badRequest")),
        }
    }

    /// Returns an upper bound of the number of values in a body, without parsing it.
    pub(crate) fn most_values(self, bytes: &[u8]) -> usize {
        match self {
            Self::Json => most_json_values(bytes),
            Self::Yaml => MAX_YAML_VALUES.min(bytes.len()),
        }
    }
}

/// Returns the number of values in a JSON document, or a few more. It counts the commas and brackets outside of texts, because each value but
/// the first follows one of them.
fn most_json_values(bytes: &[u8]) -> usize {
    let mut values = 1;
    let (mut in_text, mut escaped) = (false, false);
    for byte in bytes {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = in_text,
            b'"' => in_text = !in_text,
            b',' | b'[' | b'{' if !in_text => values += 1,
            _ => {}
        }
    }
    values
}

fn yaml(bytes: &[u8]) -> Result<Value, Error> {
    if bytes.len() > MAX_YAML_BYTES {
        return Err(Error::body_too_large());
    }
    yaml_with(bytes, yaml_options())
}

fn yaml_with(bytes: &[u8], options: Options) -> Result<Value, Error> {
    serde_saphyr::from_slice_with_options(bytes, options).map_err(|_| Error::bad_request("badRequest"))
}

/// Parses a YAML body, and returns the number of parser events, including repeated ones, and the deepest nesting.
pub(crate) fn yaml_cost(bytes: &[u8]) -> (usize, usize) {
    let cost = Rc::new(Cell::new((0, 0)));
    let reported_cost = Rc::clone(&cost);
    let report = move |report: BudgetReport| reported_cost.set((report.events, report.max_depth));
    let _ = yaml_with(bytes, yaml_options().with_budget_report(report));
    cost.get()
}

/// The YAML 1.2 core schema with the bounds above. `<<` has no special meaning.
fn yaml_options() -> Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            flow_nesting_limit: MAX_YAML_DEPTH,
            max_depth: MAX_YAML_DEPTH,
            max_nodes: MAX_YAML_VALUES,
            max_events: 2 * MAX_YAML_VALUES,
            max_anchors: MAX_YAML_ANCHORS,
            max_aliases: MAX_YAML_ALIASES,
            max_recorded_anchor_events: MAX_YAML_VALUES,
            max_recorded_anchor_bytes: 2 * MAX_YAML_BYTES,
            max_documents: 1,
            max_inclusion_depth: 0,
            enforce_alias_anchor_ratio: false,
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: MAX_YAML_REPEATED_EVENTS,
            max_replay_stack_depth: MAX_YAML_DEPTH,
        },
        duplicate_keys: DuplicateKeyPolicy::LastWins,
        merge_keys: MergeKeyPolicy::AsOrdinary,
        strict_booleans: true,
        null_as_string: true,
        leading_zero_numbers_as_strings: true,
        underscored_numbers_as_strings: true,
        with_snippet: false,
    }
}

/// Converts a body in UTF-16, which begins with a byte order mark, to UTF-8. Other bodies stay unchanged.
///
/// # Errors
/// 400 for malformed UTF-16; 413 if the result is larger than `limit`.
pub(crate) fn utf_8_of(bytes: Bytes, limit: usize) -> Result<Bytes, Error> {
    if !bytes.starts_with(b"\xff\xfe") && !bytes.starts_with(b"\xfe\xff") {
        return Ok(bytes);
    }
    let text = decode_text(&bytes).ok_or(Error::bad_request("badRequest"))?;
    if text.len() > limit {
        return Err(Error::body_too_large());
    }
    Ok(text.into_owned().into())
}

/// The encoding of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encoding {
    Identity,
    Gzip,
    Deflate,
}

impl Encoding {
    /// Parses `Content-Encoding`, which may list `identity` next to one encoding.
    ///
    /// # Errors
    /// 415 for an unsupported encoding.
    pub(crate) fn of(headers: &HeaderMap) -> Result<Self, Error> {
        let mut result = Self::Identity;
        let lines = headers.get_all(header::CONTENT_ENCODING).iter();
        for encoding in lines.flat_map(|line| line.to_str().unwrap_or("?").split(',')) {
            let encoding = match encoding.trim().to_ascii_lowercase().as_str() {
                "" | "identity" => continue,
                "gzip" | "x-gzip" => Self::Gzip,
                "deflate" => Self::Deflate,
                _ => return Err(Error::unsupported_media_type()),
            };
            // A body that was compressed twice could expand without a bound.
            if result != Self::Identity {
                return Err(Error::unsupported_media_type());
            }
            result = encoding;
        }
        Ok(result)
    }

    /// Decompresses a body to at most `limit` bytes.
    ///
    /// # Errors
    /// 400 for malformed data, and for bytes after the compressed data; 413 if the result is larger.
    pub(crate) fn decode(self, bytes: Bytes, limit: usize) -> Result<Bytes, Error> {
        let mut plain = Vec::new();
        let most = limit as u64 + 1;
        // One member only: each further member would cost as much as kilobytes of text, and no client sends several.
        let rest = match self {
            Self::Identity => return Ok(bytes),
            Self::Gzip => {
                let mut decoder = GzDecoder::new(&bytes[..]);
                let read = decoder.by_ref().take(most).read_to_end(&mut plain);
                read.map(|_| decoder.into_inner())
            }
            Self::Deflate => {
                let mut decoder = ZlibDecoder::new(&bytes[..]);
                let read = decoder.by_ref().take(most).read_to_end(&mut plain);
                read.map(|_| decoder.into_inner())
            }
        };
        let rest = rest.map_err(|_| Error::bad_request("badRequest"))?;
        if plain.len() > limit {
            Err(Error::body_too_large())
        } else if rest.is_empty() {
            Ok(plain.into())
        } else {
            Err(Error::bad_request("badRequest"))
        }
    }
}

#[cfg(test)]
mod tests;
