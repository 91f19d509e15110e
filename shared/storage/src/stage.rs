//! Stages a batch of writes on the local copy, and turns what they changed into a delta.

use std::sync::Arc;

use bytes::Bytes;

use crate::change::ChangedRow;
use crate::delta::Delta;
use crate::engine::Ablation;
use crate::error::Error;
use crate::head::Head;
use crate::job::{SchemaEdit, Waiting};
use crate::local::LocalCopy;
use crate::plan;
use crate::replica::{Known, Replica};
use crate::usage::{self, UsageFold};

/// A local COMMIT that the store has not accepted yet.
pub(crate) struct Staged {
    pub(crate) delta: Delta,
    /// The delta as the store gets it; empty where a new base takes its place.
    pub(crate) encoded: Bytes,
    pub(crate) checksum: u64,
    /// Of the local copy that it stands on.
    pub(crate) generation: u64,
    pub(crate) schema: Option<SchemaEdit>,
    /// The rows that it changed, where they are known.
    pub(crate) rows: Option<Vec<ChangedRow>>,
    /// Counts of this process that it takes along.
    pub(crate) usage: Vec<Arc<usage::Batch>>,
}

/// What staging a batch came to.
pub(crate) enum Stage {
    /// The local copy is not at the `head` that was named, or does not fit it.
    Moved,
    /// Nothing changed; every write has its outcome.
    Unchanged,
    Staged(Box<Staged>),
    /// The transaction was lost to one of the writes: each has to run alone.
    Left(Error),
}

/// What a batch is run against.
pub(crate) struct Now<'a> {
    pub(crate) head: &'a Head,
    /// The store's clock. Milliseconds since 1970.
    pub(crate) date_ms: u64,
    /// Whether `_commits` is looked into; only a test says no.
    pub(crate) look: bool,
    /// Counts that the commit takes along, if there is one.
    pub(crate) usage: &'a [Arc<usage::Batch>],
    /// Brings them into the database.
    pub(crate) fold: Option<UsageFold>,
    /// Whether their names are noted; only a test says no.
    pub(crate) names: bool,
    /// How long they are. Milliseconds.
    pub(crate) remembered_ms: u64,
}

/// What running a batch came to.
pub(crate) enum Batch {
    /// With the rows that it changed, where they are known.
    Committed(Delta, Option<SchemaEdit>, Option<Vec<ChangedRow>>),
    Unchanged,
    Left(Error),
}

/// Where writes run before the store has accepted them. The local copy itself stays what it is.
pub(crate) trait Staging: Send {
    /// Runs a batch on top of `local`, from nothing: what an earlier run left is gone.
    fn run(&mut self, local: &LocalCopy, batch: &mut [Waiting], now: &Now<'_>) -> Result<Batch, Error>;
    /// Forgets what was run: the store did not accept it.
    fn discard(&mut self) -> Result<(), Error>;
    /// Moves what was run, which changed `delta`, into the local copy: the store accepted it.
    fn checkpoint(&mut self, local: &LocalCopy, delta: &Delta) -> Result<(), Error>;
}

/// Stages `batch` on top of `known`. `date_ms` is the store's clock. Blocks; holds off patches while it runs.
pub(crate) fn stage(
    replica: &Replica,
    session: &mut dyn Staging,
    batch: &mut [Waiting],
    known: &Known,
    date_ms: u64,
) -> Result<Stage, Error> {
    let local = replica.local();
    let head = &known.head.json;
    if local.dirty || local.version != head.version() {
        return Ok(Stage::Moved);
    }
    if (local.checksum, local.page_count) != (head.checksum, head.page_count) {
        drop(local);
        replica.local_mut().dirty = true;
        return Ok(Stage::Moved);
    }
    let usage = replica.usage_to_fold();
    let now = Now {
        head,
        date_ms,
        look: replica.ablation != Some(Ablation::NoCommitsTest),
        usage: &usage,
        fold: replica.usage_fold,
        names: replica.ablation != Some(Ablation::UsageWithoutName),
        remembered_ms: replica.usage_remembered_ms(),
    };
    let (mut delta, schema, rows) = match session.run(&local, batch, &now) {
        Ok(Batch::Committed(delta, schema, rows)) => (delta, schema, rows),
        Ok(Batch::Unchanged) => return Ok(Stage::Unchanged),
        Ok(Batch::Left(error)) => {
            session.discard()?;
            return Ok(Stage::Left(error));
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
    delta.fill_growth(local.page_count);
    let checksum = local.checksum_after(&delta)?;
    let encoded = if plan::is_huge(&delta, &replica.tuning) {
        Bytes::new()
    } else {
        delta.encode()?
    };
    Ok(Stage::Staged(Box::new(Staged {
        delta,
        encoded,
        checksum,
        generation: local.generation,
        schema,
        rows,
        usage,
    })))
}
