//! [`Unread`]: keeps a connection open or closes it after a request whose body the handler has not read to its end, for
//! example because it rejected the request.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::response::Response;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use http_body_util::BodyExt;
use hyper::Error;
use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};

/// Maximum size of the rest of a body that is read and discarded, so that the connection can serve the next request, in bytes.
const MAX_DRAIN_BYTES: u64 = 256 * 1024;
/// Timeout for receiving the rest of a body, in seconds.
const DRAIN_DEADLINE_S: u64 = 5;
/// The value of `Connection` that ends the connection.
pub(super) const CLOSE: HeaderValue = HeaderValue::from_static("close");

/// The place where a [`WatchedBody`] leaves the rest of the body if the handler drops it early.
#[derive(Clone, Default)]
pub(super) struct Unread(Arc<Mutex<Option<Rest>>>);

/// The rest of a body.
struct Rest {
    body: Incoming,
    /// Whether the connection must close in any case: the body is broken, or the client waits for `100 Continue`
    /// before it sends the body. Reading the body would send `100 Continue`.
    must_close: bool,
}

impl Unread {
    /// Wraps the body for a handler.
    pub(super) fn watch(&self, body: Incoming, headers: &HeaderMap) -> WatchedBody {
        WatchedBody {
            rest: Some(Rest {
                body,
                must_close: headers.contains_key(header::EXPECT),
            }),
            unread: self.clone(),
        }
    }

    /// Decides whether the connection serves more requests after the response. If the rest of the body is small, it is
    /// discarded and the connection stays open. Otherwise the response announces that the connection closes.
    pub(super) fn settle(self, response: &mut Response) {
        let Some(rest) = self.0.lock().unwrap_or_else(PoisonError::into_inner).take() else {
            return;
        };
        let is_small = rest
            .body
            .size_hint()
            .upper()
            .is_some_and(|bytes| bytes <= MAX_DRAIN_BYTES);
        // A client that was too slow for the handler would be too slow again.
        let is_slow = response.status() == StatusCode::REQUEST_TIMEOUT;
        if is_small && !rest.must_close && !is_slow {
            tokio::spawn(tokio::time::timeout(
                Duration::from_secs(DRAIN_DEADLINE_S),
                drain(rest.body),
            ));
        } else {
            response.headers_mut().insert(header::CONNECTION, CLOSE);
        }
    }
}

/// Reads and discards the rest of a small body of known length. If the rest were dropped unread, hyper would close the
/// connection.
async fn drain(mut body: Incoming) {
    while let Some(Ok(_)) = body.frame().await {}
}

/// A body that is passed to [`Unread`] if it is dropped early.
pub(super) struct WatchedBody {
    /// `None` at the end of the body.
    rest: Option<Rest>,
    unread: Unread,
}

impl Body for WatchedBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let Some(rest) = &mut self.rest else {
            return Poll::Ready(None);
        };
        // The poll sends `100 Continue`, so the client no longer waits for it.
        rest.must_close = false;
        let frame = ready!(Pin::new(&mut rest.body).poll_frame(context));
        rest.must_close = matches!(frame, Some(Err(_)));
        if frame.is_none() {
            self.rest = None;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.rest.as_ref().is_none_or(|rest| rest.body.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        self.rest
            .as_ref()
            .map_or_else(|| SizeHint::with_exact(0), |rest| rest.body.size_hint())
    }
}

impl Drop for WatchedBody {
    fn drop(&mut self) {
        let rest = self.rest.take().filter(|rest| !rest.body.is_end_stream());
        if rest.is_some() {
            *self.unread.0.lock().unwrap_or_else(PoisonError::into_inner) = rest;
        }
    }
}
