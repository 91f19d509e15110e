//! [`Stager`]: runs a batch of writes on the local copy without changing it, and encodes the changed pages as a
//! delta.

use std::sync::Arc;

use bytes::Bytes;

use crate::ablation::Ablation;
use crate::commit::placement;
use crate::commit::usage::{ApplyUsage, FrozenUsage, UsageBatch};
use crate::commit::write::QueuedWrite;
use crate::copy::known_head::KnownHead;
use crate::copy::local_copy::LocalCopy;
use crate::copy::replica::Replica;
use crate::copy::row_changes::ChangedRow;
use crate::error::Error;
use crate::format::delta::Delta;
use crate::format::head::{HeadJson, SchemaEdit};
use crate::limits::{Tuning, USAGE_NAME_KEPT_MS};

/// One day, in milliseconds.
const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// A batch after its local COMMIT. The store has not accepted it yet.
pub(crate) struct StagedCommit {
    pub(crate) delta: Delta,
    /// The encoded delta. Empty if the commit writes a new base instead.
    pub(crate) encoded: Bytes,
    /// Checksum of the database after the commit.
    pub(crate) checksum: u64,
    /// Generation of the local copy on which the batch ran.
    pub(crate) generation: u64,
    pub(crate) schema: Option<SchemaEdit>,
    /// The changed rows, if they are known.
    pub(crate) rows: Option<Vec<ChangedRow>>,
    /// Counter batches of this process that were offered to the commit.
    pub(crate) usage: Vec<Arc<UsageBatch>>,
}

/// The result of staging a batch.
pub(crate) enum StagingOutcome {
    /// The local copy is not at the given `head`, or does not match it.
    CopyChanged,
    /// The batch changed nothing. Every write has its result.
    Unchanged,
    Staged(Box<StagedCommit>),
    /// One of the writes ended the transaction, so each write of the batch must run alone.
    TransactionLost(Error),
}

/// The environment of a batch.
pub(crate) struct StagingContext<'a> {
    pub(crate) head: &'a HeadJson,
    /// The store's time. Milliseconds since 1970.
    pub(crate) date_ms: u64,
    /// Whether the ids of the writes are looked up and recorded in `_commits`. Always `true`, except in tests.
    pub(crate) uses_commits_table: bool,
    /// The counter batches of this process, which the commit applies if it changes data.
    pub(crate) usage: &'a [Arc<UsageBatch>],
    pub(crate) apply_usage: Option<ApplyUsage>,
    /// Whether the names of counter batches are recorded. Always `true`, except in tests.
    pub(crate) records_usage_names: bool,
    /// How long the names of counter batches are kept, in milliseconds.
    pub(crate) usage_name_retention_ms: u64,
}

impl<'a> StagingContext<'a> {
    /// Returns the counter batches that a commit applies: those of its writes and, if the commit changes data or its
    /// writes have batches, also those of this process.
    pub(crate) fn usage_batches(
        &self,
        has_changes: bool,
        writes: &'a [QueuedWrite],
    ) -> impl Iterator<Item = &'a UsageBatch> + use<'a> {
        let of_writes = writes.iter().flat_map(|write| &write.usage);
        let has_any = writes.iter().any(|write| !write.usage.is_empty());
        let of_process = if has_changes || has_any { self.usage } else { &[] };
        of_process.iter().chain(of_writes).map(|batch| &**batch)
    }
}

/// The result of running a batch.
pub(crate) enum BatchOutcome {
    /// The changed pages, the migration, and the changed rows if they are known.
    Committed(Delta, Option<SchemaEdit>, Option<Vec<ChangedRow>>),
    Unchanged,
    TransactionLost(Error),
}

/// The staging transaction: runs writes on top of the local copy without changing its file.
pub(crate) trait Staging: Send {
    /// Runs a batch on `copy`. The pages of an earlier batch are discarded first.
    fn run(
        &mut self,
        copy: &LocalCopy,
        batch: &mut [QueuedWrite],
        context: &StagingContext<'_>,
    ) -> Result<BatchOutcome, Error>;
    /// Discards the pages of the last batch, because the store did not accept it.
    fn discard(&mut self) -> Result<(), Error>;
    /// Moves the pages of the last batch, which are those of `delta`, into the file, because the store accepted it.
    fn checkpoint(&mut self, copy: &LocalCopy, delta: &Delta) -> Result<(), Error>;
}

/// Creates a staging transaction. The writer calls it again if one is lost in a panic.
pub(crate) type NewStaging = Box<dyn Fn() -> Box<dyn Staging> + Send + Sync>;

/// Stages batches.
pub(crate) struct Stager {
    pub(crate) replica: Arc<Replica>,
    pub(crate) usage: Arc<FrozenUsage>,
    pub(crate) apply_usage: Option<ApplyUsage>,
    pub(crate) tuning: Tuning,
    pub(crate) ablation: Option<Ablation>,
}

impl Stager {
    /// Runs `batch` on the state `known`. Blocks, and prevents changes of the local copy meanwhile. `date_ms` is the
    /// store's time.
    pub(crate) fn stage(
        &self,
        session: &mut dyn Staging,
        batch: &mut [QueuedWrite],
        known: &KnownHead,
        date_ms: u64,
    ) -> Result<StagingOutcome, Error> {
        let copy = self.replica.copy();
        let head = &known.head.json;
        if copy.dirty || copy.version != head.version() {
            return Ok(StagingOutcome::CopyChanged);
        }
        if !copy.matches(head.page_count, head.checksum) {
            drop(copy);
            self.replica.copy_mut().dirty = true;
            return Ok(StagingOutcome::CopyChanged);
        }
        let usage = self.usage.for_next_commit();
        let context = self.context(head, date_ms, &usage);
        let (mut delta, schema, rows) = match session.run(&copy, batch, &context) {
            Ok(BatchOutcome::Committed(delta, schema, rows)) => (delta, schema, rows),
            Ok(BatchOutcome::Unchanged) => return Ok(StagingOutcome::Unchanged),
            Ok(BatchOutcome::TransactionLost(error)) => {
                session.discard()?;
                return Ok(StagingOutcome::TransactionLost(error));
            }
            Err(error) => {
                session.discard()?;
                return Err(error);
            }
        };
        if delta.page_size != head.page_size {
            return Err(Error::Refused(format!(
                "the page size is {}, not {}",
                delta.page_size, head.page_size
            )));
        }
        delta.fill_growth(copy.page_count);
        let checksum = copy.checksum_after(&delta)?;
        let encoded = if placement::is_huge(&delta, &self.tuning) {
            Bytes::new()
        } else {
            delta.encode()?
        };
        Ok(StagingOutcome::Staged(Box::new(StagedCommit {
            delta,
            encoded,
            checksum,
            generation: copy.generation,
            schema,
            rows,
            usage,
        })))
    }

    fn context<'a>(&self, head: &'a HeadJson, date_ms: u64, usage: &'a [Arc<UsageBatch>]) -> StagingContext<'a> {
        StagingContext {
            head,
            date_ms,
            uses_commits_table: self.ablation != Some(Ablation::NoCommitsTest),
            usage,
            apply_usage: self.apply_usage,
            records_usage_names: self.ablation != Some(Ablation::UsageWithoutName),
            usage_name_retention_ms: match self.ablation {
                Some(Ablation::MergedPurgedAfterADay) => DAY_MS,
                _ => USAGE_NAME_KEPT_MS,
            },
        }
    }
}
