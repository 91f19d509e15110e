//! Asks a store that is about to get its first `head` whether its conditional PUT is one. Everything rests on that: in a store
//! that ignores conditions, or looks at them and acts later, two writers win, and the write of one is gone.

use bytes::Bytes;
use futures_util::future::join_all;

use crate::environment::{fresh_ulid, hex_16};
use crate::error::Error;
use crate::limits::{HEAD_TIMEOUT_MS, PROBE_ROUNDS, PROBE_WRITERS};
use crate::replica::{Parts, within};
use crate::store::{ETag, Fetched, PutCondition, StoreError};

/// Races writers on objects of its own, and removes them.
///
/// # Errors
/// [`Error::Refused`] where more than one of them won, or the wrong one; [`Error::Unavailable`] where the store did not answer.
pub(crate) async fn probe(parts: &Parts) -> Result<(), Error> {
    for _ in 0..PROBE_ROUNDS {
        let key = format!("probe/{}", fresh_ulid(&*parts.clock, &*parts.random));
        let raced = race_twice(parts, &key).await;
        // What stays is garbage, and collected as such.
        let _ = within(&*parts.clock, HEAD_TIMEOUT_MS, parts.store.delete(&key)).await;
        raced?;
    }
    Ok(())
}

/// To create the object, then to replace it.
async fn race_twice(parts: &Parts, key: &str) -> Result<(), Error> {
    let created = race(parts, key, PutCondition::CreateOnly).await?;
    race(parts, key, PutCondition::Match(created)).await.map(|_| ())
}

/// Has several writers put under one condition at once; returns the version of the one that won.
async fn race(parts: &Parts, key: &str, condition: PutCondition) -> Result<ETag, Error> {
    let bodies: Vec<_> = (0..PROBE_WRITERS)
        .map(|_| Bytes::from(hex_16(&*parts.random)))
        .collect();
    let puts = bodies.iter().map(|body| {
        let put = parts.store.put(key, body.clone(), condition.clone());
        within(&*parts.clock, HEAD_TIMEOUT_MS, put)
    });
    let answers = join_all(puts).await;
    let mut winners = answers.iter().zip(&bodies).filter(|(answer, _)| answer.is_ok());
    let winner = match (winners.next(), winners.count()) {
        (Some((_, body)), 0) => body,
        (Some(_), others) => return Err(not_atomic(others + 1)),
        (None, _) => return Err(without_winner(answers)),
    };
    match within(&*parts.clock, HEAD_TIMEOUT_MS, parts.store.get(key, None)).await? {
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

/// Nobody won: the first answer that says more than that says why.
fn without_winner(answers: Vec<Result<ETag, StoreError>>) -> Error {
    let mut errors = answers.into_iter().filter_map(Result::err);
    match errors.find(|error| *error != StoreError::PreconditionFailed) {
        Some(error) => error.into(),
        None => Error::Refused(format!(
            "its conditional PUT lets none of {PROBE_WRITERS} writers win: use another store"
        )),
    }
}
