//! [`UsageMerger`]: stores batches of usage counters as objects, and applies them to the database later.
//!
//! A process without writes stores its frozen batches below `usage/`. A scheduled job applies the batches of all
//! processes in a few commits and deletes the objects. A process that is killed loses the counters that it has neither
//! committed nor stored.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::FuturesOrdered;

use crate::commit::queue::WriteQueue;
use crate::commit::usage::{FrozenUsage, UsageBatch};
use crate::commit::usage_transaction;
use crate::commit::write::CommitId;
use crate::error::Error;
use crate::format::keys::USAGE_PREFIX;
use crate::limits::{USAGE_BATCHES_PER_MERGE, USAGE_OBJECT_KEPT_MS};
use crate::store::{Bucket, Fetched, Listed, StoreError};
use crate::sync::reads::{FreshReads, Freshness};
use crate::sync::synchronizer::Synchronizer;

/// The usage counters of all processes.
pub(crate) struct UsageMerger {
    pub(crate) bucket: Arc<Bucket>,
    pub(crate) sync: Arc<Synchronizer>,
    pub(crate) reads: Arc<FreshReads>,
    pub(crate) queue: WriteQueue,
    pub(crate) frozen: Arc<FrozenUsage>,
}

impl UsageMerger {
    /// Stores the frozen batches of this process.
    pub(crate) async fn store_frozen(&self) -> Result<(), Error> {
        self.frozen.drop_expired();
        let batches = self.frozen.batches().clone();
        for batch in batches {
            let key = format!("{USAGE_PREFIX}{}", batch.name);
            match self.bucket.create(&key, batch.body.clone()).await {
                // If the object exists, an earlier attempt succeeded.
                Ok(_) | Err(StoreError::PreconditionFailed) => self.frozen.remove(&[batch]),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Returns the stored batches that the local copy does not contain.
    pub(crate) async fn unapplied(&self) -> Result<Vec<Bytes>, Error> {
        let listed = self.bucket.list(USAGE_PREFIX).await?;
        let batches = self.fetch(listed).await?;
        let unapplied = self
            .reads
            .read::<_, Error>(Freshness::Local, |replica| {
                replica.read(&mut |connection, _| {
                    let mut bodies = Vec::new();
                    for batch in &batches {
                        if !usage_transaction::is_applied(connection, &batch.name)? {
                            bodies.push(batch.body.clone());
                        }
                    }
                    Ok(bodies)
                })
            })
            .await?;
        Ok(unapplied.value)
    }

    /// Applies the stored batches of all processes, and deletes their objects. Returns the number of batches.
    pub(crate) async fn apply_stored(&self) -> Result<usize, Error> {
        let now_ms = self.sync.refresh().await?;
        let is_expired = |object: &Listed| now_ms.saturating_sub(object.last_modified_ms) > USAGE_OBJECT_KEPT_MS;
        let listed = self.bucket.list(USAGE_PREFIX).await?;
        let (expired, valid): (Vec<_>, Vec<_>) = listed.into_iter().partition(is_expired);
        self.delete(&expired).await?;
        for objects in valid.chunks(USAGE_BATCHES_PER_MERGE) {
            let batches = self.fetch(objects.to_vec()).await?;
            let id = CommitId::random(self.bucket.random());
            let count = batches.len();
            self.queue
                .write::<_, Error>(id, None, batches, move |_| Ok(count))
                .await?;
            self.delete(objects).await?;
        }
        Ok(valid.len())
    }

    async fn delete(&self, objects: &[Listed]) -> Result<(), Error> {
        for object in objects {
            self.bucket.delete(&object.key).await?;
        }
        Ok(())
    }

    /// Fetches the batches of `objects`. An object that was deleted meanwhile has been applied.
    async fn fetch(&self, objects: Vec<Listed>) -> Result<Vec<Arc<UsageBatch>>, Error> {
        let mut in_flight: FuturesOrdered<_> = objects
            .into_iter()
            .map(|object| async move {
                let fetched = self.bucket.get(&object.key).await;
                fetched.map(|fetched| (object, fetched))
            })
            .collect();
        let mut batches = Vec::new();
        while let Some(result) = in_flight.next().await {
            if let (object, Fetched::Found(found)) = result? {
                batches.push(Arc::new(UsageBatch {
                    name: object.key.trim_start_matches(USAGE_PREFIX).to_owned(),
                    frozen_ms: object.last_modified_ms,
                    body: found.body,
                }));
            }
        }
        Ok(batches)
    }
}
