//! Fetches the objects that a `head` names, and checks them ([`fetch`], [`fetch_all`]).

use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream::{FuturesUnordered, TryStreamExt};

use crate::error::Error;
use crate::format::checksum;
use crate::format::delta::Delta;
use crate::format::head::Segment;
use crate::limits::PARALLEL_OBJECTS;
use crate::store::{Bucket, Fetched};
use crate::sync::error::SyncError;

/// Fetches one object.
pub(crate) async fn fetch(bucket: &Bucket, key: &str) -> Result<Bytes, SyncError> {
    match bucket.get(key).await? {
        Fetched::Found(object) => Ok(object.body),
        _ => Err(SyncError::Missing(key.to_owned())),
    }
}

/// Fetches objects, [`PARALLEL_OBJECTS`] at a time. Returns their bodies in the order of `keys`.
pub(crate) async fn fetch_all(bucket: &Arc<Bucket>, keys: Vec<String>) -> Result<Vec<Bytes>, SyncError> {
    if let [key] = keys.as_slice() {
        return Ok(vec![fetch(bucket, key).await?]);
    }
    let mut bodies = vec![Bytes::new(); keys.len()];
    let mut in_flight = FuturesUnordered::new();
    for (index, key) in keys.into_iter().enumerate() {
        if in_flight.len() >= PARALLEL_OBJECTS
            && let Some((index, body)) = in_flight.try_next().await?
        {
            bodies[index] = body;
        }
        let bucket = Arc::clone(bucket);
        in_flight.push(async move { fetch(&bucket, &key).await.map(|body| (index, body)) });
    }
    while let Some((index, body)) = in_flight.try_next().await? {
        bodies[index] = body;
    }
    Ok(bodies)
}

/// Checks and decodes segments.
pub(crate) fn decode_segments(segments: &[Segment], bodies: &[Bytes]) -> Result<Vec<Delta>, SyncError> {
    let decode = |(segment, body): (&Segment, &Bytes)| {
        check_segment(segment, body)?;
        Delta::decode(body).map_err(|detail| Error::damaged(&segment.key, &detail).into())
    };
    segments.iter().zip(bodies).map(decode).collect()
}

/// Compares a segment with its length and its digest.
///
/// # Errors
/// [`Error::Corrupt`].
pub(crate) fn check_segment(segment: &Segment, body: &[u8]) -> Result<(), Error> {
    if body.len() as u64 != segment.len || checksum::object_digest(body) != segment.digest {
        return Err(Error::damaged(&segment.key, "its digest does not fit"));
    }
    Ok(())
}
