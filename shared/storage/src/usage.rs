//! Counts that wait outside the database, so that a read stays a read.
//!
//! A process gathers counts in memory and freezes them, now and then, as one batch under a name that nobody else has. The next
//! commit of the process takes the batch along; where there is none, the batch goes to the store as an object, and maintenance
//! brings it into the database later. Whichever comes first: a commit that takes a batch along notes its name in the table
//! `_usage_merged`, so that none is counted twice. A process that is killed loses what it had not frozen, and what it had not put.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::FuturesOrdered;
use rusqlite::{Connection, params};

use crate::engine::{Ablation, Engine};
use crate::error::Error;
use crate::guard::USAGE_TABLE;
use crate::job::{CommitId, Waiting};
use crate::limits::{
    OBJECT_TIMEOUT_MS, PURGED_PER_COMMIT, USAGE_BATCH_KEPT_MS, USAGE_FOLDED_MAX, USAGE_MERGED_KEPT_MS,
    USAGE_MERGED_MAX, USAGE_OBJECT_KEPT_MS,
};
use crate::replica::{Replica, within};
use crate::stage::Now;
use crate::store::{Fetched, Listed, PutCondition, StoreError};

const PREFIX: &str = "usage/";
/// One day: what is too short. Milliseconds.
const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// Brings the content of one batch into the database. Runs inside a transaction of the engine, and may run again.
pub type UsageFold = fn(&Connection, &[u8]) -> rusqlite::Result<()>;

/// Counts under a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Batch {
    pub(crate) name: String,
    /// When it was frozen, by this process's clock. Milliseconds since 1970.
    frozen_ms: u64,
    pub(crate) body: Bytes,
}

/// What this process has frozen and nobody else has yet.
#[derive(Default)]
pub(crate) struct Frozen(Mutex<Vec<Arc<Batch>>>);

impl Frozen {
    fn batches(&self) -> MutexGuard<'_, Vec<Arc<Batch>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// They are in the database, or in the store.
    pub(crate) fn forget(&self, gone: &[Arc<Batch>]) {
        self.batches()
            .retain(|batch| !gone.iter().any(|gone| gone.name == batch.name));
    }
}

impl Engine {
    /// Freezes counts: a commit of this process takes them along, unless [`Engine::put_usage`] comes first.
    pub fn freeze_usage(&self, body: impl Into<Bytes>) {
        let replica = &self.replica;
        let batch = Batch {
            name: replica.fresh_name(),
            frozen_ms: replica.clock.unix_ms(),
            body: body.into(),
        };
        replica.frozen.batches().push(Arc::new(batch));
    }

    /// What this process has frozen and no commit has taken along yet.
    #[must_use]
    pub fn frozen_usage(&self) -> Vec<Bytes> {
        let batches = self.replica.frozen.batches();
        batches.iter().map(|batch| batch.body.clone()).collect()
    }

    /// Puts what is frozen into the store, for maintenance to merge.
    ///
    /// # Errors
    /// [`Error::Unavailable`]; what was not put is kept, and it does no harm to put it again.
    pub async fn put_usage(&self) -> Result<(), Error> {
        self.replica.put_usage().await
    }

    /// What other processes have put and nobody has merged, as far as the local copy knows. Counts that were merged meanwhile
    /// may be among it.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn waiting_usage(&self) -> Result<Vec<Bytes>, Error> {
        let batches = self.replica.fetch_usage(self.replica.list_usage().await?).await?;
        let unmerged = self
            .read::<_, Error>(crate::engine::Freshness::Local, |connection| {
                let mut bodies = Vec::new();
                for batch in &batches {
                    if !is_merged(connection, &batch.name)? {
                        bodies.push(batch.body.clone());
                    }
                }
                Ok(bodies)
            })
            .await?;
        Ok(unmerged.value)
    }

    /// Brings what processes have put into the database, and deletes it from the store. Meant for a scheduled function. Returns
    /// how many batches there were.
    ///
    /// # Errors
    /// [`Error::Unavailable`]; it does no harm to repeat it.
    pub async fn merge_usage(&self) -> Result<usize, Error> {
        let now_ms = self.replica.refresh().await?;
        let is_old = |object: &Listed| now_ms.saturating_sub(object.last_modified_ms) > USAGE_OBJECT_KEPT_MS;
        let (old, young): (Vec<_>, Vec<_>) = self.replica.list_usage().await?.into_iter().partition(is_old);
        self.replica.delete_usage(&old).await?;
        for some in young.chunks(USAGE_MERGED_MAX) {
            let batches = self.replica.fetch_usage(some.to_vec()).await?;
            let (id, count) = (CommitId::random(&*self.replica.random), batches.len());
            self.enqueue_with::<_, Error>(id, None, batches, move |_| Ok(count))
                .await?;
            self.replica.delete_usage(some).await?;
        }
        Ok(young.len())
    }
}

impl Replica {
    /// What the next commit takes along.
    pub(crate) fn usage_to_fold(&self) -> Vec<Arc<Batch>> {
        self.drop_old_usage();
        let batches = self.frozen.batches();
        batches.iter().take(USAGE_FOLDED_MAX).cloned().collect()
    }

    /// What is too old may have been counted so long ago that nobody remembers.
    fn drop_old_usage(&self) {
        let now_ms = self.clock.unix_ms();
        let mut batches = self.frozen.batches();
        let before = batches.len();
        batches.retain(|batch| now_ms.saturating_sub(batch.frozen_ms) <= USAGE_BATCH_KEPT_MS);
        if batches.len() < before {
            tracing::warn!(
                batches = before - batches.len(),
                "counts are lost: the store did not take them for days"
            );
        }
    }

    async fn put_usage(&self) -> Result<(), Error> {
        self.drop_old_usage();
        let batches = self.frozen.batches().clone();
        for batch in batches {
            let key = format!("{PREFIX}{}", batch.name);
            let put = self.store.put(&key, batch.body.clone(), PutCondition::CreateOnly);
            match within(&*self.clock, OBJECT_TIMEOUT_MS, put).await {
                // An earlier attempt landed after all.
                Ok(_) | Err(StoreError::PreconditionFailed) => self.frozen.forget(&[batch]),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    async fn list_usage(&self) -> Result<Vec<Listed>, Error> {
        Ok(within(&*self.clock, OBJECT_TIMEOUT_MS, self.store.list(PREFIX)).await?)
    }

    async fn delete_usage(&self, objects: &[Listed]) -> Result<(), Error> {
        for object in objects {
            within(&*self.clock, OBJECT_TIMEOUT_MS, self.store.delete(&object.key)).await?;
        }
        Ok(())
    }

    /// The batches in these objects; those that were deleted meanwhile are merged.
    async fn fetch_usage(&self, objects: Vec<Listed>) -> Result<Vec<Arc<Batch>>, Error> {
        let mut under_way: FuturesOrdered<_> = objects
            .into_iter()
            .map(|object| async move {
                let got = within(&*self.clock, OBJECT_TIMEOUT_MS, self.store.get(&object.key, None)).await;
                got.map(|fetched| (object, fetched))
            })
            .collect();
        let mut batches = Vec::new();
        while let Some(got) = under_way.next().await {
            if let (object, Fetched::Found(found)) = got? {
                batches.push(Arc::new(Batch {
                    name: object.key.trim_start_matches(PREFIX).to_owned(),
                    frozen_ms: object.last_modified_ms,
                    body: found.body,
                }));
            }
        }
        Ok(batches)
    }

    /// How long a name is remembered. Milliseconds.
    pub(crate) fn usage_remembered_ms(&self) -> u64 {
        match self.ablation {
            Some(Ablation::MergedPurgedAfterADay) => DAY_MS,
            _ => USAGE_MERGED_KEPT_MS,
        }
    }
}

/// What a commit takes along: where it is one, or is made to merge counts, also those of this process.
pub(crate) fn taken_along<'a>(changed: bool, waiting: &'a [Waiting], now: &Now<'a>) -> impl Iterator<Item = &'a Batch> {
    let handed_in = waiting.iter().flat_map(|waiting| &waiting.usage);
    let merges = waiting.iter().any(|waiting| !waiting.usage.is_empty());
    let own = if changed || merges { now.usage } else { &[] };
    own.iter().chain(handed_in).map(|batch| &**batch)
}

/// Brings one batch into the database, unless that has been done. True where it did something.
pub(crate) fn fold(connection: &Connection, batch: &Batch, now: &Now<'_>) -> Result<bool, Error> {
    if now.names && !note(connection, &batch.name, now)? {
        return Ok(false);
    }
    let Some(apply) = now.fold else { return Ok(true) };
    connection.execute_batch("SAVEPOINT _usage")?;
    if let Err(error) = apply(connection, &batch.body) {
        if connection.is_autocommit() {
            // SQLite gave up the whole transaction.
            return Err(error.into());
        }
        tracing::error!(%error, name = batch.name, "a batch of counts cannot be read and is dropped");
        connection.execute_batch("ROLLBACK TO _usage")?;
    }
    connection.execute_batch("RELEASE _usage")?;
    Ok(true)
}

/// False where the name is known.
fn note(connection: &Connection, name: &str, now: &Now<'_>) -> Result<bool, Error> {
    let at_ms = i64::try_from(now.date_ms).unwrap_or(i64::MAX);
    let mut insert =
        connection.prepare_cached("INSERT INTO _usage_merged (name, at_ms) VALUES (?1, ?2) ON CONFLICT DO NOTHING")?;
    if insert.execute(params![name, at_ms])? == 0 {
        return Ok(false);
    }
    let mut purge = connection.prepare_cached(
        "DELETE FROM _usage_merged WHERE at_ms < ?1 AND rowid IN (SELECT rowid FROM _usage_merged ORDER BY rowid LIMIT ?2)",
    )?;
    let oldest = i64::try_from(now.date_ms.saturating_sub(now.remembered_ms)).unwrap_or(i64::MAX);
    purge.execute(params![oldest, PURGED_PER_COMMIT as i64])?;
    Ok(true)
}

fn is_merged(connection: &Connection, name: &str) -> rusqlite::Result<bool> {
    connection
        .prepare_cached("SELECT 1 FROM _usage_merged WHERE name = ?1")?
        .exists([name])
}

/// The engine's table of names.
pub(crate) fn schema() -> String {
    format!("CREATE TABLE {USAGE_TABLE} (name TEXT NOT NULL UNIQUE, at_ms INTEGER NOT NULL) STRICT")
}
