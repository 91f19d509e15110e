//! Limits the memory of responses that their clients have not received yet.

use axum::body::{Body, Bytes, HttpBody as _};
use axum::response::{IntoResponse, Response};
use http::StatusCode;

use super::collect::collect;
use crate::limits::{BodyReservation, BodySender, RESERVATION_WAIT_S};
use crate::response::{Error, Result};
use crate::routes::{CacheKey, Route};
use crate::state::Session;

/// Shorter responses are not counted, because the number of connections limits them. Bytes.
const MIN_COUNTED_BYTES: u64 = 64 * 1024;

/// A body that occupies reserved memory until the host has sent it.
struct UnsentBody {
    bytes: Bytes,
    _reservation: BodyReservation,
}

impl AsRef<[u8]> for UnsentBody {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// Reserves memory for a long response in the share of its receiver, until the host has sent it. Without memory, the response is replaced: on a
/// route that reads by 429 or 503, and on a route that writes by 503 after some seconds, because 429 would say that nothing was written. Static
/// files and streams are not counted, because all responses share the former, and only a piece of the latter is in memory.
pub(super) async fn hold(response: Response, receiver: BodySender, session: &Session, route: &Route) -> Response {
    let bytes = response.body().size_hint().exact();
    let is_static = matches!(route.cache_key, Some(CacheKey::Path));
    let Some(bytes) = bytes.filter(|bytes| *bytes > MIN_COUNTED_BYTES && !is_static) else {
        return response;
    };
    let held = reserve_and_hold(response, bytes, receiver, session, route.writes).await;
    held.unwrap_or_else(IntoResponse::into_response)
}

async fn reserve_and_hold(
    response: Response,
    bytes: u64,
    receiver: BodySender,
    session: &Session,
    writes: bool,
) -> Result<Response> {
    let bytes = usize::try_from(bytes).map_err(Error::internal)?;
    let memory = session.response_memory(receiver);
    let reserved = match memory.try_reserve(receiver, bytes) {
        Err(_) if writes => memory.reserve(receiver, bytes).await,
        reserved => reserved,
    };
    let reservation = reserved.map_err(|error| match error.status() {
        StatusCode::TOO_MANY_REQUESTS if writes => Error::busy(RESERVATION_WAIT_S),
        _ => error,
    })?;
    let (parts, body) = response.into_parts();
    let body = UnsentBody {
        bytes: collect(body).await?,
        _reservation: reservation,
    };
    Ok(Response::from_parts(parts, Body::from(Bytes::from_owner(body))))
}
