//! Compaction and garbage collection: what nobody waits for, and what must never touch anything that is still named.

use std::collections::HashSet;
use std::sync::Arc;

use crate::base::State;
use crate::commit::Refusal;
use crate::engine::{Ablation, Engine};
use crate::environment::hex_16;
use crate::error::Error;
use crate::head::{Base, Head};
use crate::limits::{
    BACKOFF_MIN_MS, BASE_SWITCH_PERCENT, FLOOR_MS, LOCK_WAIT_MAX_MS, LOSSES_BEFORE_LOCK, MAINTENANCE_ATTEMPTS,
    OBJECT_TIMEOUT_MS, TRASH_KEPT_MS,
};
use crate::lock::Locking;
use crate::plan;
use crate::replica::{Known, Replica, within};
use crate::store::{Listed, StoreError};

/// Below these lie all objects that are ever garbage.
const PREFIXES: [&str; 5] = ["chunk/", "probe/", "segment/", "table/", "trash/"];

/// When a compaction is worth it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compact {
    /// Where segments are many, or large for the database.
    WhereWorthIt,
    /// Where there is anything to compact.
    Always,
}

/// What a compaction came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compacted {
    /// There was nothing to do.
    NotNeeded,
    /// The database stands on a new base.
    Done,
    /// Somebody else switched the base first: what was written for this one is garbage.
    Abandoned,
}

/// What a garbage collection came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Collected {
    /// Objects that were deleted.
    pub deleted: usize,
    /// Nothing created at or before this moment of the store's clock can be named any more. Milliseconds since 1970.
    pub floor_ms: u64,
}

/// What one attempt came to.
enum Attempt<T> {
    Done(T),
    /// Again, after a while.
    Wait(u64),
    Lost(String),
}

/// A compaction under way.
#[derive(Default)]
struct Compaction {
    /// The base that it began with.
    from: Option<String>,
    /// The base that it last wrote.
    ours: Option<Base>,
    losses: u32,
    last: String,
}

impl Engine {
    /// Rewrites what segments changed into a new base, so that `head` and cold starts stay small. Meant for a scheduled
    /// function; writers go on meanwhile.
    ///
    /// # Errors
    /// [`Error::Unavailable`] where other writers, or the store, do not let it through; it does no harm to repeat it.
    pub async fn compact(&self, when: Compact) -> Result<Compacted, Error> {
        let mut locking = Locking::new(&self.replica);
        let compacted = self.replica.compact(when, &mut locking).await;
        locking.release(&self.replica).await;
        compacted
    }

    /// Deletes objects that nothing names, a day after they were created, and what bases no longer need, after a week.
    ///
    /// # Errors
    /// [`Error::Unavailable`]; it does no harm to repeat it.
    pub async fn collect_garbage(&self) -> Result<Collected, Error> {
        self.replica.collect_garbage().await
    }
}

impl Replica {
    pub(crate) fn check_writable(&self, head: &Head) -> Result<(), Error> {
        if head.min_writer > self.code_version {
            return Err(Error::Unsupported(format!(
                "it is written from schema {} on, this code knows {}",
                head.min_writer, self.code_version
            )));
        }
        Ok(())
    }

    async fn compact(self: &Arc<Self>, when: Compact, locking: &mut Locking) -> Result<Compacted, Error> {
        let mut compaction = Compaction::default();
        for _ in 0..MAINTENANCE_ATTEMPTS {
            match self.try_compact(when, &mut compaction, locking).await {
                Ok(Attempt::Done(compacted)) => return Ok(compacted),
                Ok(Attempt::Wait(ms)) => self.pause(ms).await,
                Ok(Attempt::Lost(detail)) | Err(Refusal::Lost(detail)) => {
                    compaction.losses += 1;
                    compaction.last = detail;
                }
                Err(Refusal::Busy(detail)) => {
                    compaction.last = detail;
                    self.pause(BACKOFF_MIN_MS).await;
                }
                Err(Refusal::Failed(error)) => return Err(error),
            }
        }
        Err(Error::unavailable(format!("compaction gives way: {}", compaction.last)))
    }

    /// Begins from `head` as it is now, every time: an edit that was computed for another `head` is never applied.
    async fn try_compact(
        self: &Arc<Self>,
        when: Compact,
        compaction: &mut Compaction,
        locking: &mut Locking,
    ) -> Result<Attempt<Compacted>, Refusal> {
        let date_ms = self.refresh().await?;
        let mut known = self.known.load_full();
        let json = &known.head.json;
        self.check_writable(json)?;
        if let Some(ours) = &compaction.ours
            && self.goes_on_blindly(&compaction.last)
        {
            let blind = plan::with_base_blindly(&known.head, ours.clone(), hex_16(&*self.random));
            self.put_head(blind, &known.etag, date_ms).await?;
            return Ok(Attempt::Done(Compacted::Done));
        }
        if compaction.ours.as_ref().is_some_and(|ours| ours.id == json.base.id) {
            return Ok(Attempt::Done(Compacted::Done));
        }
        if *compaction.from.get_or_insert_with(|| json.base.id.clone()) != json.base.id {
            return Ok(Attempt::Done(Compacted::Abandoned));
        }
        if !self.is_worth_it(json, when) {
            return Ok(Attempt::Done(Compacted::NotNeeded));
        }
        if locking.is_locked_out(&known, date_ms) {
            return Ok(Attempt::Wait(LOCK_WAIT_MAX_MS));
        }
        if compaction.losses >= LOSSES_BEFORE_LOCK && !locking.holds(&known) {
            known = locking.take(self, &known, date_ms).await?;
        }
        let Some(state) = self.state_of(&known) else {
            return Ok(Attempt::Lost("the local copy moved on".to_owned()));
        };
        let base = self.store_base(&known, state).await?;
        compaction.ours = Some(base.clone());
        let head = plan::with_base(&known.head, base, hex_16(&*self.random));
        let switched = self.put_head(head, &known.etag, date_ms).await?;
        locking.cleared();
        self.publish(&switched);
        Ok(Attempt::Done(Compacted::Done))
    }

    /// What a test leaves out: looking at what became of the last attempt.
    fn goes_on_blindly(&self, last: &str) -> bool {
        let refused = last == StoreError::PreconditionFailed.to_string();
        match self.ablation {
            Some(Ablation::CompactionReapplied) => !refused,
            Some(Ablation::NoBaseIds) => refused,
            _ => false,
        }
    }

    fn is_worth_it(&self, head: &Head, when: Compact) -> bool {
        match when {
            Compact::Always => !head.segments.is_empty() || !head.tail.is_empty(),
            Compact::WhereWorthIt => {
                let bytes: u64 = head.segments.iter().map(|segment| segment.len).sum();
                let database = u64::from(head.page_count) * u64::from(head.page_size);
                head.segments.len() > self.tuning.compaction_segments
                    || bytes > self.tuning.base_switch_min_bytes && bytes * 100 > database * BASE_SWITCH_PERCENT
            }
        }
    }

    /// The local copy as the content of a base, where it is at `known`.
    fn state_of(&self, known: &Known) -> Option<State> {
        let local = self.local();
        let json = &known.head.json;
        let fits = (local.page_count, local.checksum) == (json.page_count, json.checksum);
        (!local.dirty && local.version == known.version() && fits).then(|| State {
            staged: None,
            generation: local.generation,
            page_count: local.page_count,
            seq: json.seq,
            stamp: plan::stamp_of(json),
        })
    }

    async fn collect_garbage(self: &Arc<Self>) -> Result<Collected, Error> {
        let locking = Locking::new(self);
        let mut last = String::new();
        for _ in 0..MAINTENANCE_ATTEMPTS {
            match self.try_collect(&locking).await {
                Ok(Attempt::Done(collected)) => return Ok(collected),
                Ok(Attempt::Wait(ms)) => self.pause(ms).await,
                Ok(Attempt::Lost(detail)) | Err(Refusal::Lost(detail)) => last = detail,
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
    async fn try_collect(self: &Arc<Self>, locking: &Locking) -> Result<Attempt<Collected>, Refusal> {
        let early = self.names_too_early().await?;
        let listed = self.list_all().await?;
        let date_ms = self.refresh().await?;
        let known = self.known.load_full();
        self.check_writable(&known.head.json)?;
        if locking.is_locked_out(&known, date_ms) {
            return Ok(Attempt::Wait(LOCK_WAIT_MAX_MS));
        }
        let (young, old): (Vec<_>, Vec<_>) = listed
            .into_iter()
            .partition(|object| object.key.starts_with("trash/") && date_ms < object.last_modified_ms + TRASH_KEPT_MS);
        let mut kept = match early {
            Some(early) => early,
            None => self.names_of(&known).await?,
        };
        for trash in &young {
            kept.extend(self.trash(&trash.key).await?.names);
        }
        let floor_ms = known.head.json.floor_ms.max(date_ms.saturating_sub(FLOOR_MS));
        if self.ablation != Some(Ablation::GcWithoutFloor) {
            let head = plan::with_floor(&known.head, floor_ms, hex_16(&*self.random));
            let raised = self.put_head(head, &known.etag, date_ms).await?;
            self.publish(&raised);
        }
        let garbage = old
            .into_iter()
            .filter(|object| object.last_modified_ms <= floor_ms && !kept.contains(&object.key));
        let mut deleted = 0;
        // Ordered by key: trash comes last, so that what it names is never forgotten before it is gone.
        for object in garbage {
            within(&*self.clock, OBJECT_TIMEOUT_MS, self.store.delete(&object.key)).await?;
            deleted += 1;
        }
        Ok(Attempt::Done(Collected { deleted, floor_ms }))
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
