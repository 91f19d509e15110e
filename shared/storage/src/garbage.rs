//! Garbage collection: what must never touch anything that is still named.

use std::collections::HashSet;
use std::sync::Arc;

use crate::commit::Refusal;
use crate::engine::{Ablation, Engine};
use crate::environment::hex_16;
use crate::error::Error;
use crate::head::Segment;
use crate::history::HISTORY;
use crate::limits::{
    BACKOFF_MIN_MS, FLOOR_MS, LOCK_WAIT_MAX_MS, MAINTENANCE_ATTEMPTS, OBJECT_TIMEOUT_MS, TRASH_KEPT_MS,
};
use crate::lock::Locking;
use crate::plan;
use crate::replica::{Known, Replica, within};
use crate::store::Listed;

const TRASH: &str = "trash/";
/// Below these lie all objects that are ever garbage.
const PREFIXES: [&str; 6] = ["chunk/", HISTORY, "probe/", "segment/", "table/", TRASH];

/// What a garbage collection came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Collected {
    /// Objects that were deleted.
    pub deleted: usize,
    /// Nothing created at or before this moment of the store's clock can be named any more. Milliseconds since 1970.
    pub floor_ms: u64,
}

/// What one attempt came to.
enum Attempt {
    Done(Collected),
    /// Somebody else holds the lock.
    Locked,
}

impl Engine {
    /// Deletes objects that nothing names, a day after they were created, and what only a restore needs, a day after it may no longer
    /// need it ([`crate::limits::TRASH_KEPT_MS`]).
    ///
    /// # Errors
    /// [`Error::Unavailable`]; it does no harm to repeat it.
    pub async fn collect_garbage(&self) -> Result<Collected, Error> {
        self.replica.collect_garbage().await
    }
}

impl Replica {
    async fn collect_garbage(self: &Arc<Self>) -> Result<Collected, Error> {
        let locking = Locking::new(self);
        let mut last = String::new();
        for _ in 0..MAINTENANCE_ATTEMPTS {
            match self.try_collect(&locking).await {
                Ok(Attempt::Done(collected)) => return Ok(collected),
                Ok(Attempt::Locked) => self.pause(LOCK_WAIT_MAX_MS).await,
                Err(Refusal::Lost(detail)) => last = detail,
                Err(Refusal::Busy(detail)) => {
                    last = detail;
                    self.pause(BACKOFF_MIN_MS).await;
                }
                Err(Refusal::Failed(error)) => return Err(error),
            }
        }
        Err(Error::unavailable(format!("garbage collection gives way: {last}")))
    }

    /// LIST, then `head`, then the floor, then the deletions: whoever stalled over the floor loses its next PUT instead of
    /// naming what is gone.
    async fn try_collect(self: &Arc<Self>, locking: &Locking) -> Result<Attempt, Refusal> {
        let early = self.names_too_early().await?;
        let listed = self.list_all().await?;
        let date_ms = self.refresh().await?;
        let first = self.known.load_full();
        self.check_writable(&first.head.json)?;
        let is_young = |object: &Listed| date_ms < object.last_modified_ms + TRASH_KEPT_MS;
        let old = listed
            .into_iter()
            .filter(|object| !(self.is_kept(&object.key) && is_young(object)));
        let mut kept = match &early {
            Some(early) => early.clone(),
            None => self.names_of(&first).await?,
        };
        // The trash is listed again, behind `head`: an object that `head` no longer names was put into the trash before, perhaps after
        // the first list was made.
        let trash = within(&*self.clock, OBJECT_TIMEOUT_MS, self.store.list(TRASH)).await?;
        for trash in trash.iter().filter(|object| is_young(object)) {
            kept.extend(self.trash(&trash.key).await?.names);
        }
        let turn = self.changing.lock().await;
        let date_ms = self.refresh().await?;
        let known = self.known.load_full();
        if locking.is_locked_out(&known, date_ms) {
            return Ok(Attempt::Locked);
        }
        if early.is_none() {
            let (before, now) = (&first.head.json, &known.head.json);
            let is_named = |segment: &Segment| now.segments.iter().any(|now| now.key == segment.key);
            if before.base.id != now.base.id || !before.segments.iter().all(is_named) {
                return Err(Refusal::Lost("somebody compacted meanwhile".to_owned()));
            }
            // All that came since: where nobody compacts, `head` only ever names more.
            kept.extend(now.segments.iter().map(|segment| segment.key.clone()));
        }
        let before_ms = known.head.json.floor_ms;
        let floor_ms = before_ms.max(date_ms.saturating_sub(FLOOR_MS));
        let is_garbage = |object: &Listed| object.last_modified_ms <= floor_ms && !kept.contains(&object.key);
        let garbage: Vec<_> = old.filter(is_garbage).collect();
        if garbage.is_empty() {
            return Ok(Attempt::Done(Collected {
                deleted: 0,
                floor_ms: before_ms,
            }));
        }
        if self.ablation != Some(Ablation::GcWithoutFloor) {
            let head = plan::with_floor(&known.head, floor_ms, hex_16(&*self.random));
            let raised = self.put_head(head, &known.etag, date_ms).await?;
            self.publish(&raised);
        }
        drop(turn);
        let deleted = garbage.len();
        // Ordered by key: trash comes last, so that what it names is never forgotten before it is gone.
        for object in garbage {
            within(&*self.clock, OBJECT_TIMEOUT_MS, self.store.delete(&object.key)).await?;
        }
        Ok(Attempt::Done(Collected { deleted, floor_ms }))
    }

    /// Whether it is kept for restores, though nothing names it.
    fn is_kept(&self, key: &str) -> bool {
        let forgets_history = self.ablation == Some(Ablation::HistoryIsGarbage);
        key.starts_with(TRASH) || (key.starts_with(HISTORY) && !forgets_history)
    }

    async fn list_all(&self) -> Result<Vec<Listed>, Refusal> {
        let mut listed = Vec::new();
        for prefix in PREFIXES {
            listed.extend(within(&*self.clock, OBJECT_TIMEOUT_MS, self.store.list(prefix)).await?);
        }
        Ok(listed)
    }

    /// Everything that `head` names.
    pub(crate) async fn names_of(&self, known: &Known) -> Result<HashSet<String>, Refusal> {
        let json = &known.head.json;
        let mut names: HashSet<_> = json.segments.iter().map(|segment| segment.key.clone()).collect();
        names.extend(json.base.table.clone());
        let table = self.table_of(known).await?;
        names.extend(table.iter().flat_map(|table| &table.rows).map(|row| row.key()));
        Ok(names)
    }

    /// What a test gets wrong: asking what is named before asking what is there.
    async fn names_too_early(self: &Arc<Self>) -> Result<Option<HashSet<String>>, Refusal> {
        if self.ablation != Some(Ablation::GetBeforeList) {
            return Ok(None);
        }
        self.refresh().await?;
        self.names_of(&self.known.load_full()).await.map(Some)
    }
}
