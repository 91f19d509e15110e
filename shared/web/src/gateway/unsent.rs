//! Reserves memory for long responses until their clients have received them.

use axum::body::{Body, Bytes, HttpBody as _};
use axum::response::{IntoResponse, Response};
use http::StatusCode;

use super::collect::collect;
use crate::limits::{BodyReservation, RESERVATION_WAIT_S, ShareHolder};
use crate::response::{Error, Result};
use crate::routes::{CacheKey, Route};
use crate::state::Session;

/// Shorter responses are not counted, because the number of connections limits them, in bytes.
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

/// Reserves memory for a long response in the share of its receiver, until the host has sent it.
///
/// If no memory is free, a route that reads sends 429 or 503 instead. A route that writes waits some seconds, and then sends 503, because 429
/// would say that nothing was written.
///
/// Static files are not counted, because all their responses share one copy. Streams are not counted, because only a piece of a stream is in
/// memory.
pub(super) async fn reserve_memory(
    response: Response,
    receiver: ShareHolder,
    session: &Session,
    route: &Route,
) -> Response {
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
    receiver: ShareHolder,
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
