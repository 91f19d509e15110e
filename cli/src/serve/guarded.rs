//! [`GuardedStream`]: the stream of a connection between the socket and hyper. It passes only valid requests, and limits the memory of the
//! unfinished heads of all connections ([`HeadMemory`]).
//!
//! - hyper gets a head only when the head is complete and valid, so it parses each head once and never buffers an
//!   unfinished one.
//! - hyper starts with the first complete head ([`GuardedStream::poll_first`]), because its buffers take more memory than
//!   the rest of a connection.
//! - A refused head that is not the first is replaced by a request with the method
//!   [`REFUSED`](super::framing::REFUSED), so that the error response is sent after the responses to earlier requests.
//! - When hyper closes the connection before the client has sent its complete request, the stream discards the rest for
//!   a while ("lingers"), so that the client can still read the response.

use std::io::{Error, ErrorKind, Result};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

use super::framing::{Framing, Refusal, Remainder, Scan};

/// How long a connection stays open for reading after the response to a request that was not read completely, in
/// seconds.
const LINGER_DEADLINE_S: u64 = 5;
/// The maximum number of bytes that are read and discarded while a connection lingers.
const MAX_LINGER_BYTES: usize = 64 * 1024 * 1024;
/// Size of a read that is discarded, in bytes.
const LINGER_PIECE_BYTES: usize = 16 * 1024;
/// Size of a read before hyper starts, in bytes. Most requests fit.
const FIRST_PIECE_BYTES: usize = 4 * 1024;

/// Counts the memory of the unfinished heads of all connections, in bytes, and limits it.
#[derive(Debug)]
pub(super) struct HeadMemory {
    taken: AtomicUsize,
    limit: usize,
}

impl HeadMemory {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            taken: AtomicUsize::new(0),
            limit,
        }
    }

    /// Returns the number of bytes in use.
    #[cfg(test)]
    pub(super) fn taken(&self) -> usize {
        self.taken.load(Ordering::Relaxed)
    }

    /// Reserves memory. Returns whether it fits into the limit.
    fn take(&self, bytes: usize) -> bool {
        let taken = self.taken.fetch_add(bytes, Ordering::Relaxed);
        let fits = taken.saturating_add(bytes) <= self.limit;
        if !fits {
            self.give_back(bytes);
        }
        fits
    }

    fn give_back(&self, bytes: usize) {
        self.taken.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// Bytes that were read and not passed to hyper yet.
struct Held {
    bytes: Vec<u8>,
    memory: Arc<HeadMemory>,
}

impl Held {
    /// Adds bytes. Returns whether there was memory for them.
    fn extend(&mut self, bytes: &[u8]) -> bool {
        let fits = self.memory.take(bytes.len());
        if fits {
            self.bytes.extend_from_slice(bytes);
        }
        fits
    }

    /// Removes bytes at the beginning, which then no longer count for the limit. The buffer is freed when it is empty.
    fn remove(&mut self, bytes: usize) {
        self.memory.give_back(bytes);
        if bytes == self.bytes.len() {
            self.bytes = Vec::new();
        } else {
            self.bytes.drain(..bytes);
        }
    }

    /// Removes all but the first `bytes`.
    fn truncate(&mut self, bytes: usize) {
        self.memory.give_back(self.bytes.len() - bytes);
        self.bytes.truncate(bytes);
        // A refused connection may stay open for a while, and its head must not use memory during that time.
        self.bytes.shrink_to_fit();
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.memory.give_back(self.bytes.len());
    }
}

/// A stream that passes only valid requests.
pub(super) struct GuardedStream<S> {
    stream: S,
    framing: Framing,
    /// The valid bytes of [`GuardedStream::poll_first`]. hyper gets them before those in `held`.
    first: Vec<u8>,
    /// Valid bytes, followed by the beginning of a head.
    held: Held,
    /// The number of valid bytes at the beginning of `held`.
    valid_held: usize,
    /// The reason why a head was refused. No bytes after that head are read.
    refusal: Option<Refusal>,
    /// The rest of the request that replaces the refused head.
    stand_in: &'static [u8],
    /// Whether a broken body follows the valid bytes.
    is_broken: bool,
    linger: Option<Linger>,
}

/// The state of a connection that discards the rest of a request after the response.
struct Linger {
    deadline: Pin<Box<Sleep>>,
    discarded_bytes: usize,
}

impl<S: AsyncRead + AsyncWrite + Unpin> GuardedStream<S> {
    pub(super) fn new(stream: S, memory: Arc<HeadMemory>) -> Self {
        Self {
            stream,
            framing: Framing::new(),
            first: Vec::new(),
            held: Held {
                bytes: Vec::new(),
                memory,
            },
            valid_held: 0,
            refusal: None,
            stand_in: &[],
            is_broken: false,
            linger: None,
        }
    }

    /// Reads until the first head is complete or refused, so that a connection without a complete head uses no buffers
    /// of hyper. Returns the reason of a refusal.
    ///
    /// # Errors
    /// The errors of the stream, and `UnexpectedEof` if the client disconnects first.
    pub(super) fn poll_first(&mut self, context: &mut Context<'_>) -> Poll<Result<Option<Refusal>>> {
        while self.first.is_empty() && self.valid_held == 0 {
            if self.refusal.is_some() {
                return Poll::Ready(Ok(self.refusal));
            }
            let mut piece = [0; FIRST_PIECE_BYTES];
            let mut buffer = ReadBuf::new(&mut piece);
            ready!(Pin::new(&mut self.stream).poll_read(context, &mut buffer))?;
            let fresh = buffer.filled();
            if fresh.is_empty() {
                return Poll::Ready(Err(ErrorKind::UnexpectedEof.into()));
            }
            let valid_bytes = self.scan_or_hold(fresh);
            self.first.extend_from_slice(&fresh[..valid_bytes]);
        }
        Poll::Ready(Ok(None))
    }

    /// Fills `buffer` with valid bytes that were read before, or with the stand-in of a refused head. Returns `false` if
    /// there are none.
    fn pass_held(&mut self, buffer: &mut ReadBuf<'_>) -> bool {
        if !self.first.is_empty() {
            let bytes = self.first.len().min(buffer.remaining());
            buffer.put_slice(&self.first[..bytes]);
            self.first.drain(..bytes);
            if self.first.is_empty() {
                self.first = Vec::new();
            }
            return true;
        }
        let bytes = self.valid_held.min(buffer.remaining());
        if bytes > 0 {
            buffer.put_slice(&self.held.bytes[..bytes]);
            self.held.remove(bytes);
            self.valid_held -= bytes;
            return true;
        }
        let bytes = self.stand_in.len().min(buffer.remaining());
        let (now, later) = self.stand_in.split_at(bytes);
        buffer.put_slice(now);
        self.stand_in = later;
        bytes > 0
    }

    /// Scans bytes that were read. Returns how many of them hyper may get directly. If the beginning of a head is held,
    /// the bytes are appended to it, and hyper gets them from `held`.
    fn scan_or_hold(&mut self, fresh: &[u8]) -> usize {
        if self.held.bytes.is_empty() {
            let Scan { valid_bytes, remainder } = self.framing.scan(fresh);
            match remainder {
                Remainder::Empty => {}
                Remainder::UnfinishedHead => {
                    if !self.held.extend(&fresh[valid_bytes..]) {
                        self.refuse(Refusal::Busy);
                    }
                }
                Remainder::Refused(refusal) => self.refuse(refusal),
                Remainder::BrokenBody => self.is_broken = true,
            }
            return valid_bytes;
        }
        if !self.held.extend(fresh) {
            self.held.truncate(0);
            self.refuse(Refusal::Busy);
            return 0;
        }
        let Scan { valid_bytes, remainder } = self.framing.scan(&self.held.bytes);
        self.valid_held = valid_bytes;
        match remainder {
            Remainder::Empty | Remainder::UnfinishedHead => return 0,
            Remainder::Refused(refusal) => self.refuse(refusal),
            Remainder::BrokenBody => self.is_broken = true,
        }
        self.held.truncate(valid_bytes);
        0
    }

    fn refuse(&mut self, refusal: Refusal) {
        self.refusal = Some(refusal);
        self.stand_in = match refusal {
            Refusal::Malformed => b"REFUSED /400 HTTP/1.1\r\nHost: refused\r\n\r\n",
            Refusal::HeadTooLarge => b"REFUSED /431 HTTP/1.1\r\nHost: refused\r\n\r\n",
            Refusal::Busy => b"REFUSED /503 HTTP/1.1\r\nHost: refused\r\n\r\n",
        };
    }

    /// Returns whether the client may still be sending a request that already has a response.
    fn is_mid_request(&self) -> bool {
        self.refusal.is_some() || !self.framing.is_at_head()
    }

    /// Reads and discards bytes before the socket is closed. If a socket is closed with unread bytes, the kernel resets
    /// the connection, and the client may lose a response that it has not read yet.
    fn poll_linger(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let linger = self.linger.get_or_insert_with(|| Linger {
            deadline: Box::pin(tokio::time::sleep(Duration::from_secs(LINGER_DEADLINE_S))),
            discarded_bytes: 0,
        });
        let mut piece = [0; LINGER_PIECE_BYTES];
        while linger.discarded_bytes < MAX_LINGER_BYTES && linger.deadline.as_mut().poll(context).is_pending() {
            let mut buffer = ReadBuf::new(&mut piece);
            match ready!(Pin::new(&mut self.stream).poll_read(context, &mut buffer)) {
                Ok(()) if !buffer.filled().is_empty() => linger.discarded_bytes += buffer.filled().len(),
                _ => break,
            }
        }
        Poll::Ready(())
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for GuardedStream<S> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<Result<()>> {
        let this = &mut *self;
        loop {
            if this.pass_held(buffer) {
                return Poll::Ready(Ok(()));
            }
            if this.is_broken {
                return Poll::Ready(Err(Error::new(
                    ErrorKind::InvalidData,
                    "the chunked coding of the body is invalid",
                )));
            }
            if this.refusal.is_some() {
                // The response closes the connection. Until then, there is nothing to read.
                return Poll::Pending;
            }
            let before = buffer.filled().len();
            ready!(Pin::new(&mut this.stream).poll_read(context, buffer))?;
            if buffer.filled().len() == before {
                return Poll::Ready(Ok(()));
            }
            let valid_bytes = this.scan_or_hold(&buffer.filled()[before..]);
            buffer.set_filled(before + valid_bytes);
            if valid_bytes > 0 {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for GuardedStream<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[std::io::IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        let this = &mut *self;
        // Once it lingers, the socket has been shut down already.
        if this.linger.is_none() {
            ready!(Pin::new(&mut this.stream).poll_shutdown(context))?;
        }
        if this.is_mid_request() {
            ready!(this.poll_linger(context));
        }
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests;
