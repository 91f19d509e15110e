//! [`probe`]: tests whether the conditional PUT of a new store is atomic, before the first `head` is created.
//!
//! The protocol relies on atomic PUTs. If a store ignores conditions, or checks them and acts later, two writers may both
//! succeed, and the write of one is lost.

use bytes::Bytes;
use futures_util::future::join_all;

use crate::error::Error;
use crate::format::keys::PROBE_PREFIX;
use crate::limits::{PROBE_ROUNDS, PROBE_WRITERS};
use crate::store::{Bucket, ETag, Fetched, PutCondition, StoreError};

/// Runs races of several writers on test objects, and removes the objects.
///
/// # Errors
/// [`Error::Refused`] if a race has not exactly one winner, or [`Error::Unavailable`] if the store does not respond.
pub(crate) async fn probe(bucket: &Bucket) -> Result<(), Error> {
    for _ in 0..PROBE_ROUNDS {
        let key = format!("{PROBE_PREFIX}{}", bucket.fresh_name());
        let result = race_twice(bucket, &key).await;
        // Garbage collection deletes the object if this fails.
        let _ = bucket.delete_small(&key).await;
        result?;
    }
    Ok(())
}

/// Runs a race to create the object, and another one to replace it.
async fn race_twice(bucket: &Bucket, key: &str) -> Result<(), Error> {
    let created = race(bucket, key, PutCondition::CreateOnly).await?;
    race(bucket, key, PutCondition::Match(created)).await.map(|_| ())
}

/// Sends several PUTs with the same condition at once. Returns the ETag of the winner.
async fn race(bucket: &Bucket, key: &str, condition: PutCondition) -> Result<ETag, Error> {
    let bodies: Vec<_> = (0..PROBE_WRITERS).map(|_| Bytes::from(bucket.fresh_nonce())).collect();
    let puts = bodies
        .iter()
        .map(|body| bucket.put_small(key, body.clone(), condition.clone()));
    let results = join_all(puts).await;
    let mut winners = results.iter().zip(&bodies).filter(|(result, _)| result.is_ok());
    let winner = match (winners.next(), winners.count()) {
        (Some((_, body)), 0) => body,
        (Some(_), others) => return Err(not_atomic(others + 1)),
        (None, _) => return Err(without_winner(results)),
    };
    match bucket.get_small(key).await? {
        Fetched::Found(object) if object.body == *winner => Ok(object.etag),
        _ => Err(not_atomic(PROBE_WRITERS)),
    }
}

fn not_atomic(winners: usize) -> Error {
    Error::Refused(format!(
        "its conditional PUT is not atomic: {winners} of {PROBE_WRITERS} writers won a race for one version of an object, so \
         writes would be lost. Use a bucket of AWS S3, or another store that keeps If-Match and If-None-Match under races"
    ))
}

/// Returns the first error that explains why there is no winner.
fn without_winner(results: Vec<Result<ETag, StoreError>>) -> Error {
    let mut errors = results.into_iter().filter_map(Result::err);
    match errors.find(|error| *error != StoreError::PreconditionFailed) {
        Some(error) => error.into(),
        None => Error::Refused(format!(
            "its conditional PUT lets none of {PROBE_WRITERS} writers win: use another store"
        )),
    }
}
