//! [`Framing`]: finds the ends of the heads and bodies of the requests on a connection (RFC 9112), and refuses ambiguous
//! ones.
//!
//! hyper is lenient in cases where a proxy and the server may disagree about the end of a request: it accepts a bare LF
//! as the end of a line, drops `Content-Length` next to `Transfer-Encoding`, and does not require `Host`. An attacker
//! can use such a disagreement to smuggle a request past the proxy. Therefore heads are checked here before hyper gets
//! them, with the parser that hyper uses. Each byte is examined a fixed number of times, regardless of the sizes of the
//! reads.

mod chunks;

use std::mem::MaybeUninit;

use http::Uri;
use httparse::{Header, Request, Status};

use self::chunks::Chunks;

/// The method of the request that hyper gets in place of a refused head, so that it sends the error response. A request
/// of a client with this method is refused.
pub(super) const REFUSED: &str = "REFUSED";
/// Maximum length of the head of a request, in bytes, including empty lines before it.
pub(super) const MAX_HEAD_BYTES: usize = 16 * 1024;
/// Maximum `Content-Length`, in bytes. hyper uses the largest values of `u64` as markers.
const MAX_LENGTH: u64 = i64::MAX as u64;
/// The maximum number of fields in a head. hyper has the same limit.
const MAX_FIELDS: usize = 100;

/// The reason why a request is refused before hyper parses it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The head violates the protocol, or does not say unambiguously where the request ends.
    Malformed,
    /// The head is longer than [`MAX_HEAD_BYTES`] or has more than [`MAX_FIELDS`] fields.
    HeadTooLarge,
    /// Unfinished heads use all the memory that is available for them.
    Busy,
}

/// The bytes that follow the valid ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Remainder {
    /// All bytes are valid.
    Empty,
    /// The remainder is the beginning of a head.
    UnfinishedHead,
    /// The remainder begins with a refused head. No later bytes are read as a request.
    Refused(Refusal),
    /// The remainder violates the chunked coding of the current body.
    BrokenBody,
}

/// The result of a scan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Scan {
    /// The number of bytes at the beginning that belong to valid requests, and may be passed to hyper.
    pub(super) valid_bytes: usize,
    pub(super) remainder: Remainder,
}

/// The position in the sequence of requests on a connection.
#[derive(Debug)]
pub(super) struct Framing {
    position: Position,
}

#[derive(Debug)]
enum Position {
    Head(HeadSearch),
    /// In a body of which this many bytes are still to come.
    Body(u64),
    Chunks(Chunks),
    /// After a refused head or a broken body.
    Stopped,
}

impl Framing {
    pub(super) fn new() -> Self {
        Self {
            position: Position::Head(HeadSearch::default()),
        }
    }

    /// Returns whether the next byte belongs to the head of a request. It does not after a part of a body, a broken
    /// body, or a refused head.
    pub(super) fn is_at_head(&self) -> bool {
        matches!(self.position, Position::Head(_))
    }

    /// Scans `bytes`, which follow the valid bytes of the previous call. After [`Remainder::UnfinishedHead`], they must
    /// begin with the same unfinished head; the part that was searched already is not searched again.
    pub(super) fn scan(&mut self, bytes: &[u8]) -> Scan {
        let mut at = 0;
        loop {
            let rest = &bytes[at..];
            let scan = |remainder| Scan {
                valid_bytes: at,
                remainder,
            };
            if rest.is_empty() {
                return scan(Remainder::Empty);
            }
            match &mut self.position {
                Position::Head(search) => match search.find_end(rest) {
                    Ok(None) => return scan(Remainder::UnfinishedHead),
                    Ok(Some(end)) => match after_head(&rest[..end]) {
                        Ok(position) => {
                            self.position = position;
                            at += end;
                        }
                        Err(refusal) => return self.refuse(at, refusal),
                    },
                    Err(refusal) => return self.refuse(at, refusal),
                },
                Position::Body(missing) => {
                    let body_bytes = (*missing).min(rest.len() as u64);
                    *missing -= body_bytes;
                    at += body_bytes as usize;
                    if *missing == 0 {
                        self.position = Position::Head(HeadSearch::default());
                    }
                }
                Position::Chunks(chunks) => match chunks.scan(rest) {
                    Ok((body_bytes, is_end)) => {
                        at += body_bytes;
                        if is_end {
                            self.position = Position::Head(HeadSearch::default());
                        }
                    }
                    Err(chunks::Broken) => {
                        self.position = Position::Stopped;
                        return scan(Remainder::BrokenBody);
                    }
                },
                // After a refusal, callers read nothing more, so the body is broken.
                Position::Stopped => return scan(Remainder::BrokenBody),
            }
        }
    }

    fn refuse(&mut self, valid_bytes: usize, refusal: Refusal) -> Scan {
        self.position = Position::Stopped;
        Scan {
            valid_bytes,
            remainder: Remainder::Refused(refusal),
        }
    }
}

/// The search for the empty line at the end of a head.
#[derive(Debug, Default)]
struct HeadSearch {
    /// The number of bytes that were searched.
    searched: usize,
    /// The offset of the current line.
    line_start: usize,
    /// Whether a non-empty line was found. Empty lines before the request line are skipped.
    has_line: bool,
}

impl HeadSearch {
    fn find_end(&mut self, bytes: &[u8]) -> Result<Option<usize>, Refusal> {
        let searched = std::mem::replace(&mut self.searched, bytes.len());
        for found in memchr::memchr_iter(b'\n', &bytes[searched..]) {
            let end = searched + found;
            let Some(line) = bytes[self.line_start..end].strip_suffix(b"\r") else {
                // Parsers disagree whether a bare LF ends a line.
                return Err(Refusal::Malformed);
            };
            if end >= MAX_HEAD_BYTES {
                return Err(Refusal::HeadTooLarge);
            }
            self.line_start = end + 1;
            if !line.is_empty() {
                self.has_line = true;
            } else if self.has_line {
                return Ok(Some(end + 1));
            }
        }
        if bytes.len() >= MAX_HEAD_BYTES {
            return Err(Refusal::HeadTooLarge);
        }
        Ok(None)
    }
}

/// The fields of a head that determine the end of the request and its target host.
#[derive(Default)]
struct FramingFields<'a> {
    hosts: usize,
    length: Option<&'a [u8]>,
    coding: Option<&'a [u8]>,
}

/// Returns the position after a complete head.
fn after_head(head: &[u8]) -> Result<Position, Refusal> {
    let mut fields = [const { MaybeUninit::<Header<'_>>::uninit() }; MAX_FIELDS];
    let mut request = Request::new(&mut []);
    match request.parse_with_uninit_headers(head, &mut fields) {
        Ok(Status::Complete(length)) if length == head.len() => {}
        Err(httparse::Error::TooManyHeaders) => return Err(Refusal::HeadTooLarge),
        _ => return Err(Refusal::Malformed),
    }
    if request.method == Some(REFUSED) || !has_valid_target(&request) {
        return Err(Refusal::Malformed);
    }
    let is_1_1 = request.version == Some(1);
    let FramingFields { hosts, length, coding } = framing_fields(request.headers).ok_or(Refusal::Malformed)?;
    if hosts > 1 || (hosts == 0 && is_1_1) {
        return Err(Refusal::Malformed);
    }
    let position = match (length, coding) {
        (None, None) => Position::Head(HeadSearch::default()),
        (Some(length), None) => match parse_length(length).ok_or(Refusal::Malformed)? {
            0 => Position::Head(HeadSearch::default()),
            length => Position::Body(length),
        },
        (None, Some(coding)) if is_1_1 && coding.eq_ignore_ascii_case(b"chunked") => {
            Position::Chunks(Chunks::default())
        }
        _ => return Err(Refusal::Malformed),
    };
    Ok(position)
}

/// Returns whether the target has a form of RFC 9112 section 3.2. A bare host is valid only for CONNECT.
fn has_valid_target(request: &Request<'_, '_>) -> bool {
    let target = request.path.and_then(|target| target.parse::<Uri>().ok());
    target.is_some_and(|target| !target.path().is_empty() || request.method == Some("CONNECT"))
}

/// Returns the fields that determine the end of the request and its host. `None` if a host is invalid, or a length or a
/// coding is repeated.
fn framing_fields<'a>(fields: &[Header<'a>]) -> Option<FramingFields<'a>> {
    let mut found = FramingFields::default();
    for field in fields {
        let value = field.value.trim_ascii();
        // The length is compared first, because it rules out most of the other fields.
        let is_acceptable = match field.name.len() {
            4 if field.name.eq_ignore_ascii_case("host") => {
                found.hosts += 1;
                is_host(value)
            }
            14 if field.name.eq_ignore_ascii_case("content-length") => found.length.replace(value).is_none(),
            17 if field.name.eq_ignore_ascii_case("transfer-encoding") => found.coding.replace(value).is_none(),
            _ => true,
        };
        if !is_acceptable {
            return None;
        }
    }
    Some(found)
}

/// Returns whether the value has only characters of a host and port (RFC 3986 section 3.2.2). It may be empty.
fn is_host(value: &[u8]) -> bool {
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=%:[]".contains(byte);
    value.iter().all(is_part)
}

/// Parses a length that consists only of digits: no sign and no list.
fn parse_length(value: &[u8]) -> Option<u64> {
    if !value.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let length = std::str::from_utf8(value).ok()?.parse().ok()?;
    (length <= MAX_LENGTH).then_some(length)
}

#[cfg(test)]
mod tests;
