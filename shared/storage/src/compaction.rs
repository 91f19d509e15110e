//! Compaction: `head` and cold starts stay small, and writers go on meanwhile (decision 0012).

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::base::State;
use crate::catch_up::{Stumble, decode_segments};
use crate::commit::Refusal;
use crate::delta::Delta;
use crate::engine::{Ablation, Engine};
use crate::environment::hex_16;
use crate::error::Error;
use crate::head::{Base, FullHead, Head, Segment};
use crate::limits::{
    BACKOFF_MIN_MS, LOCK_WAIT_MAX_MS, LOSSES_BEFORE_LOCK, MAINTENANCE_ATTEMPTS, PARALLEL_CHUNKS_BESIDE,
    PARALLEL_OBJECTS,
};
use crate::lock::Locking;
use crate::plan;
use crate::replica::{Known, Replica};
use crate::store::{ETag, StoreError};
use crate::trash::Trash;

/// When a compaction is worth it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compact {
    /// Where segments are many, or large for the database.
    WhereWorthIt,
    /// Where there is anything to compact.
    Always,
}

/// What a compaction is after.
#[derive(Clone, Copy)]
enum Goal {
    /// A base, so many chunks at once.
    Base(Compact, usize),
    /// Fewer segments.
    Merge,
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

/// What one attempt came to.
enum Attempt {
    Done(Compacted),
    /// Again, after a while.
    Wait(u64),
    /// Again.
    Prepared,
}

/// What a compaction puts into `head`.
enum Made {
    Base(Base),
    /// One segment for those of these names.
    Segment(Segment, Vec<String>),
}

impl Made {
    fn is_in(&self, head: &Head) -> bool {
        match self {
            Self::Base(base) => base.id == head.base.id,
            Self::Segment(made, _) => head.segments.iter().any(|segment| segment.key == made.key),
        }
    }

    /// `head` with it; nothing where what it takes the place of is not there.
    fn put_into(&self, head: &FullHead, nonce: String) -> Option<FullHead> {
        match self {
            Self::Base(base) => Some(plan::with_base(head, base.clone(), nonce)),
            Self::Segment(segment, keys) => plan::with_segment(head, segment, keys, nonce),
        }
    }
}

/// What no `head` names yet.
struct Prepared {
    made: Made,
    /// When its first object was written, at the earliest, by the store's clock. Milliseconds since 1970.
    began_ms: u64,
    /// Of the `head` that was there then.
    etag: ETag,
}

impl Prepared {
    /// Whether no garbage collection can have deleted anything of it: the floor lies before it, or `head` is what it was. That
    /// counts where the floor lies in the future, because the store's clock was turned back.
    fn is_whole(&self, known: &Known) -> bool {
        known.head.json.floor_ms < self.began_ms || known.etag == self.etag
    }
}

/// A compaction under way.
#[derive(Default)]
struct Compaction {
    /// The base that it began with.
    from: Option<String>,
    /// What it last wrote.
    ours: Option<Prepared>,
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
        let _alone = self.replica.compacting.lock().await;
        self.replica.compact(Goal::Base(when, PARALLEL_OBJECTS)).await
    }

    /// Makes one segment of the young ones.
    pub(crate) async fn merge_segments(&self) -> Result<Compacted, Error> {
        let _alone = self.replica.compacting.lock().await;
        self.replica.compact(Goal::Merge).await
    }

    /// From now on compactions begin by themselves, beside writes. Not for a process that is frozen between its calls.
    pub fn compact_by_itself(&self) {
        self.replica.compacts_by_itself.store(true, Ordering::Relaxed);
    }
}

impl Replica {
    /// How many segments there may be before a commit writes a new base.
    pub(crate) fn segments_max(&self) -> usize {
        if self.compacting.try_lock().is_err() {
            self.tuning.segments_max_meanwhile
        } else {
            self.tuning.segments_max
        }
    }

    /// Begins a compaction where that is due after the commit of `known`, and none is under way.
    pub(crate) fn compact_beside(self: &Arc<Self>, known: &Known) {
        let head = &known.head.json;
        let are_many = head.segments.len() >= self.tuning.compacted_beside_segments;
        let are_huge = plan::are_huge(head, &self.tuning);
        if !(are_many || are_huge) || !self.compacts_by_itself.load(Ordering::Relaxed) {
            return;
        }
        let Ok(alone) = Arc::clone(&self.compacting).try_lock_owned() else {
            return;
        };
        let goal = if are_huge || plan::young(&head.segments).len() * 2 < head.segments.len() {
            Goal::Base(Compact::WhereWorthIt, PARALLEL_CHUNKS_BESIDE)
        } else {
            Goal::Merge
        };
        let replica = Arc::clone(self);
        self.tasks.spawn(Box::pin(async move {
            let _alone = alone;
            if let Err(error) = replica.compact(goal).await {
                tracing::warn!(%error, "a compaction beside writes came to nothing");
            }
        }));
    }

    /// For who holds `compacting`.
    async fn compact(self: &Arc<Self>, goal: Goal) -> Result<Compacted, Error> {
        let mut locking = Locking::new(self);
        let compacted = self.compact_with(goal, &mut locking).await;
        locking.release(self).await;
        compacted
    }

    async fn compact_with(self: &Arc<Self>, goal: Goal, locking: &mut Locking) -> Result<Compacted, Error> {
        let mut compaction = Compaction::default();
        for _ in 0..MAINTENANCE_ATTEMPTS {
            match self.try_compact(goal, &mut compaction, locking).await {
                Ok(Attempt::Done(compacted)) => return Ok(compacted),
                Ok(Attempt::Wait(ms)) => self.pause(ms).await,
                Ok(Attempt::Prepared) => {}
                Err(Refusal::Lost(detail)) => {
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

    /// Writes a base of the state that is the newest now, or one segment for several; what is committed meanwhile stays in `head`
    /// beside it. The switch looks at `head` as it is then: what was made for another base, or may be gone, is never put.
    async fn try_compact(
        self: &Arc<Self>,
        goal: Goal,
        compaction: &mut Compaction,
        locking: &mut Locking,
    ) -> Result<Attempt, Refusal> {
        let turn = self.changing.lock().await;
        let date_ms = self.refresh().await?;
        let mut known = self.known.load_full();
        let json = &known.head.json;
        self.check_writable(json)?;
        if let Some(Prepared {
            made: Made::Base(base), ..
        }) = &compaction.ours
            && self.goes_on_blindly(&compaction.last)
        {
            let blind = plan::with_base(&known.head, base.clone(), hex_16(&*self.random));
            self.put_head(blind, &known.etag, date_ms).await?;
            return Ok(Attempt::Done(Compacted::Done));
        }
        if compaction.ours.as_ref().is_some_and(|ours| ours.made.is_in(json)) {
            return Ok(Attempt::Done(Compacted::Done));
        }
        if *compaction.from.get_or_insert_with(|| json.base.id.clone()) != json.base.id {
            return Ok(Attempt::Done(Compacted::Abandoned));
        }
        let is_worth_it = match goal {
            Goal::Base(when, _) => self.is_worth_it(json, when),
            Goal::Merge => plan::young(&json.segments).len() > 1,
        };
        if !is_worth_it {
            return Ok(Attempt::Done(Compacted::NotNeeded));
        }
        let forgets_floor = self.ablation == Some(Ablation::CompactionForgetsFloor);
        let is_whole = |ours: &&Prepared| forgets_floor || ours.is_whole(&known);
        let Some(ours) = compaction.ours.as_ref().filter(is_whole) else {
            drop(turn);
            let made = match goal {
                Goal::Base(_, parallel) => Made::Base(self.store_base(&known, self.state_of(&known)?, parallel).await?),
                Goal::Merge => self.merge(&known, plan::young(&json.segments)).await?,
            };
            compaction.ours = Some(Prepared {
                made,
                began_ms: date_ms,
                etag: known.etag.clone(),
            });
            return Ok(Attempt::Prepared);
        };
        if locking.is_locked_out(&known, date_ms) {
            return Ok(Attempt::Wait(LOCK_WAIT_MAX_MS));
        }
        if compaction.losses >= LOSSES_BEFORE_LOCK && !locking.holds(&known) {
            known = locking.take(self, &known, date_ms).await?;
        }
        let Some(head) = ours.made.put_into(&known.head, hex_16(&*self.random)) else {
            return Ok(Attempt::Done(Compacted::Abandoned));
        };
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
            Compact::WhereWorthIt => head.segments.len() > self.tuning.compaction_segments || plan::are_large(head),
        }
    }

    /// One segment that does what all of `segments` do, and what it will make useless under its name.
    async fn merge(self: &Arc<Self>, known: &Known, segments: &[Segment]) -> Result<Made, Refusal> {
        let (Some(first), Some(last)) = (segments.first(), segments.last()) else {
            return Err(Error::Corrupt("nothing to merge".to_owned()).into());
        };
        let keys: Vec<_> = segments.iter().map(|segment| segment.key.clone()).collect();
        let bodies = self.fetch_all(keys.clone()).await.map_err(|stumble| match stumble {
            // Where `head` has not moved, whoever reads from the beginning says that it is damaged.
            Stumble::Missing(key) => Refusal::Lost(format!("{key} is gone")),
            other => other.into(),
        })?;
        let of = segments.to_vec();
        let merge = move || Delta::encode_merged(decode_segments(&of, &bodies)?).map_err(Stumble::from);
        let body = self.tasks.blocking(merge).await??;
        let trash = Trash {
            names: keys.clone(),
            head: known.head.clone(),
        };
        self.put_trash(&trash).await?;
        let segment = self.put_segment(first.from, last.to, last.stamp, body).await?;
        Ok(Made::Segment(segment, keys))
    }

    /// The local copy as the content of a base, where it is at `known`.
    fn state_of(&self, known: &Known) -> Result<State, Refusal> {
        let local = self.local();
        let json = &known.head.json;
        let fits = (local.page_count, local.checksum) == (json.page_count, json.checksum);
        if local.dirty || local.version != known.version() || !fits {
            return Err(Refusal::Lost("the local copy moved on".to_owned()));
        }
        Ok(State {
            past: local.past(json.page_size, None).map_err(Error::from)?,
            seq: json.seq,
            stamp: plan::stamp_of(json),
        })
    }
}
