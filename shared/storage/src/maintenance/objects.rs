//! Reads the objects that only maintenance uses.

use crate::commit::error::CommitError;
use crate::format::trash::Trash;
use crate::store::{Bucket, Fetched};

/// Fetches a trash object.
pub(crate) async fn fetch_trash(bucket: &Bucket, key: &str) -> Result<Trash, CommitError> {
    match bucket.get(key).await? {
        Fetched::Found(object) => Ok(Trash::decode(key, &object.body)?),
        _ => Err(CommitError::Lost(format!("{key} is gone"))),
    }
}
