//! The framing of requests on a connection (RFC 9112): the end of each head, and of the body that follows.
//!
//! hyper is lenient where two readers of the same bytes may disagree about the end of a request, which lets an
//! attacker hide a request behind a proxy: it accepts a bare LF as the end of a line, drops `Content-Length` next to
//! `Transfer-Encoding`, and does not require `Host`. Therefore heads are checked here before hyper gets them. The
//! parser is the one that hyper uses. Each byte is examined a fixed number of times, regardless of the sizes of the
//! reads.

mod chunks;

use std::mem::MaybeUninit;

use http::Uri;
use httparse::{Header, Request, Status};

use self::chunks::Chunks;

/// The method of the request that replaces a refused head. Clients must not send it.
pub(super) const REFUSED: &str = "REFUSED";
/// The longest head of a request, in bytes, including empty lines before it.
pub(super) const MAX_HEAD_BYTES: usize = 16 * 1024;
/// The largest `Content-Length`, because hyper reserves larger numbers.
const MAX_LENGTH: u64 = i64::MAX as u64;
/// The maximum number of fields in a head. hyper has the same limit.
const MAX_FIELDS: usize = 100;

/// The reason why a request is refused before it is parsed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The head violates the protocol, or does not say unambiguously where the request ends.
    Malformed,
    /// The head is longer than [`MAX_HEAD_BYTES`] or has more than [`MAX_FIELDS`] fields.
    HeadTooLarge,
    /// Unfinished heads use all the memory that is available for them.
    Busy,
}

/// The state after the passed bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Behind {
    /// All bytes were passed.
    Nothing,
    /// The rest is the beginning of a head.
    UnfinishedHead,
    /// The rest is a refused head. No later bytes are read as a request.
    Refused(Refusal),
    /// The rest violates the chunked coding of the body that it should continue.
    BrokenBody,
}

/// The bytes at the beginning of a read that belong to valid requests, and the state behind them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Passed {
    pub(super) bytes: usize,
    pub(super) behind: Behind,
}

/// The position in the sequence of requests on a connection.
#[derive(Debug)]
pub(super) struct Framing {
    position: Position,
}

#[derive(Debug)]
enum Position {
    Head(HeadSearch),
    /// In a body of which this many bytes are missing.
    Body(u64),
    Chunks(Chunks),
    /// After a refused request or a broken body.
    End,
}

impl Framing {
    pub(super) fn new() -> Self {
        Self {
            position: Position::Head(HeadSearch::default()),
        }
    }

    /// Returns whether the rest of a body is missing, or a body is broken.
    pub(super) fn is_mid_body(&self) -> bool {
        !matches!(self.position, Position::Head(_))
    }

    /// Follows the requests in `bytes`, which come after those that were passed before. An unfinished head must be
    /// given again from its beginning, with more bytes appended; bytes that were searched are not searched again.
    pub(super) fn pass(&mut self, bytes: &[u8]) -> Passed {
        let mut at = 0;
        loop {
            let rest = &bytes[at..];
            let passed = |behind| Passed { bytes: at, behind };
            if rest.is_empty() {
                return passed(Behind::Nothing);
            }
            match &mut self.position {
                Position::Head(search) => match search.find_end(rest) {
                    Ok(None) => return passed(Behind::UnfinishedHead),
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
                    let here = usize::try_from(*missing).map_or(rest.len(), |missing| missing.min(rest.len()));
                    *missing -= here as u64;
                    at += here;
                    if *missing == 0 {
                        self.position = Position::Head(HeadSearch::default());
                    }
                }
                Position::Chunks(chunks) => match chunks.pass(rest) {
                    Ok((here, is_end)) => {
                        at += here;
                        if is_end {
                            self.position = Position::Head(HeadSearch::default());
                        }
                    }
                    Err(chunks::Broken) => {
                        self.position = Position::End;
                        return passed(Behind::BrokenBody);
                    }
                },
                Position::End => return passed(Behind::BrokenBody),
            }
        }
    }

    fn refuse(&mut self, bytes: usize, refusal: Refusal) -> Passed {
        self.position = Position::End;
        Passed {
            bytes,
            behind: Behind::Refused(refusal),
        }
    }
}

/// The search for the empty line at the end of a head.
#[derive(Debug, Default)]
struct HeadSearch {
    /// Bytes that were searched.
    searched: usize,
    /// Start of the current line.
    line: usize,
    /// Whether a non-empty line was found. Empty lines before the request line are skipped.
    has_line: bool,
}

impl HeadSearch {
    fn find_end(&mut self, bytes: &[u8]) -> Result<Option<usize>, Refusal> {
        let searched = std::mem::replace(&mut self.searched, bytes.len());
        for found in memchr::memchr_iter(b'\n', &bytes[searched..]) {
            let end = searched + found;
            let Some(length) = (end - self.line).checked_sub(1).filter(|_| bytes[end - 1] == b'\r') else {
                // Readers disagree whether a bare LF ends a line.
                return Err(Refusal::Malformed);
            };
            if end >= MAX_HEAD_BYTES {
                return Err(Refusal::HeadTooLarge);
            }
            self.line = end + 1;
            if length > 0 {
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
struct Framed<'a> {
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
    if request.method == Some(REFUSED) || !has_target(&request) {
        return Err(Refusal::Malformed);
    }
    let is_1_1 = request.version == Some(1);
    let Framed { hosts, length, coding } = framed(request.headers).ok_or(Refusal::Malformed)?;
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
fn has_target(request: &Request<'_, '_>) -> bool {
    let target = request.path.and_then(|target| target.parse::<Uri>().ok());
    target.is_some_and(|target| !target.path().is_empty() || request.method == Some("CONNECT"))
}

/// Returns the fields that determine the end of the request and its host; `None` if one of them is invalid or repeated.
fn framed<'a>(fields: &[Header<'a>]) -> Option<Framed<'a>> {
    let mut framed = Framed::default();
    for field in fields {
        let value = field.value.trim_ascii();
        // The length is compared first, because most fields are different ones.
        match field.name.len() {
            4 if field.name.eq_ignore_ascii_case("host") => {
                framed.hosts += 1;
                is_host(value).then_some(())?;
            }
            14 if field.name.eq_ignore_ascii_case("content-length") => {
                framed.length.replace(value).is_none().then_some(())?;
            }
            17 if field.name.eq_ignore_ascii_case("transfer-encoding") => {
                framed.coding.replace(value).is_none().then_some(())?;
            }
            _ => {}
        }
    }
    Some(framed)
}

/// Returns whether the value has only characters of a host and port (RFC 3986 section 3.2.2). It may be empty.
fn is_host(value: &[u8]) -> bool {
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=%:[]".contains(byte);
    value.iter().all(is_part)
}

/// Parses a length that consists only of digits: no sign and no list.
fn parse_length(value: &[u8]) -> Option<u64> {
    let digits = value.iter().all(u8::is_ascii_digit);
    let length = std::str::from_utf8(value).ok().filter(|_| digits)?.parse().ok()?;
    (length <= MAX_LENGTH).then_some(length)
}

#[cfg(test)]
mod tests;
