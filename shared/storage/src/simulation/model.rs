//! [`Model`]: a model of SQLite in memory, so that a schedule needs no system call: a ledger, `_commits`, usage
//! counters and some filler pages.

use std::any::Any;
use std::io;
use std::path::PathBuf;
use std::sync::Mutex;

use bytes::Bytes;

use crate::commit::staging::{BatchOutcome, Staging, StagingContext};
use crate::commit::usage::UsageBatch;
use crate::commit::write::{QueuedWrite, RunOutcome, WriteTarget};
use crate::copy::backend::CopyBackend;
use crate::copy::local_copy::LocalCopy;
use crate::copy::pages::Pages;
use crate::error::Error;
use crate::format::checksum;
use crate::format::delta::Delta;
use crate::limits::{COMMITS_KEPT_MS, PURGED_PER_COMMIT};

/// Size of a page, in bytes.
pub(super) const MODEL_PAGE_BYTES: usize = 512;
// The number of pages of the header, which contains the lengths of the tables, and of each table.
const HEADER_PAGES: usize = 1;
const LEDGER_PAGES: usize = 4;
const COMMITS_PAGES: usize = 8;
const COUNTED_PAGES: usize = 1;
const MERGED_PAGES: usize = 2;
// The offsets of the tables, in bytes.
const LEDGER_AT: usize = HEADER_PAGES * MODEL_PAGE_BYTES;
const COMMITS_AT: usize = LEDGER_AT + LEDGER_PAGES * MODEL_PAGE_BYTES;
const COUNTED_AT: usize = COMMITS_AT + COMMITS_PAGES * MODEL_PAGE_BYTES;
const MERGED_AT: usize = COUNTED_AT + COUNTED_PAGES * MODEL_PAGE_BYTES;
const FILLER_AT: usize = MERGED_AT + MERGED_PAGES * MODEL_PAGE_BYTES;
/// Length of a row of `commits`: id, result and time, in bytes.
const COMMIT_BYTES: usize = 16;
/// Length of a row of `applied_batches`: name and time, in bytes.
const MERGED_BYTES: usize = 12;

/// The database that the writes of a simulation change.
#[derive(Debug, Clone, Default)]
pub struct Model {
    /// The ids of all writes, in the order of their commits.
    pub(super) ledger: Vec<u32>,
    /// The table `_commits`: digest of the commit id, result, and time.
    commits: Vec<(u32, u32, u64)>,
    /// Ids from usage batches, in the order in which they were applied.
    pub(super) counted: Vec<u32>,
    /// The table `_usage_merged`: digests of the names of applied usage batches, and the times of their application.
    applied_batches: Vec<(u32, u64)>,
    /// Pages of noise, so that the size of the database varies.
    pub(super) filler: Vec<Vec<u8>>,
}

fn word(bytes: &[u8], at: usize) -> u32 {
    bytes
        .get(at..at + 4)
        .and_then(|word| word.try_into().ok())
        .map_or(0, u32::from_le_bytes)
}

impl Model {
    /// Returns the model that [`WriteTarget::Simulated`] contains.
    ///
    /// # Panics
    /// If the target contains another type, which no code creates.
    pub(super) fn of_target(target: &mut dyn Any) -> &mut Self {
        target
            .downcast_mut()
            .expect("only `ModelStaging` creates simulated targets")
    }

    pub(super) fn decode(bytes: &[u8]) -> Self {
        let long = |at: usize| u64::from(word(bytes, at)) | u64::from(word(bytes, at + 4)) << 32;
        let rows = |field: usize, from: usize, row_bytes: usize| {
            (0..word(bytes, field * 4) as usize).map(move |index| from + index * row_bytes)
        };
        let filler = bytes.get(FILLER_AT..).unwrap_or_default();
        Self {
            ledger: rows(0, LEDGER_AT, 4).map(|at| word(bytes, at)).collect(),
            commits: rows(1, COMMITS_AT, COMMIT_BYTES)
                .map(|at| (word(bytes, at), word(bytes, at + 4), long(at + 8)))
                .collect(),
            counted: rows(2, COUNTED_AT, 4).map(|at| word(bytes, at)).collect(),
            applied_batches: rows(3, MERGED_AT, MERGED_BYTES)
                .map(|at| (word(bytes, at), long(at + 4)))
                .collect(),
            filler: filler.chunks(MODEL_PAGE_BYTES).map(<[u8]>::to_vec).collect(),
        }
    }

    fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![0; FILLER_AT];
        let mut put = |at: usize, row: &[u8]| bytes[at..at + row.len()].copy_from_slice(row);
        let counts = [
            self.ledger.len(),
            self.commits.len(),
            self.counted.len(),
            self.applied_batches.len(),
        ];
        for (field, count) in counts.into_iter().enumerate() {
            put(field * 4, &u32::try_from(count).unwrap_or(u32::MAX).to_le_bytes());
        }
        for (index, id) in self.ledger.iter().enumerate() {
            put(LEDGER_AT + index * 4, &id.to_le_bytes());
        }
        for (index, (id, result, at_ms)) in self.commits.iter().enumerate() {
            let at = COMMITS_AT + index * COMMIT_BYTES;
            put(at, &id.to_le_bytes());
            put(at + 4, &result.to_le_bytes());
            put(at + 8, &at_ms.to_le_bytes());
        }
        for (index, id) in self.counted.iter().enumerate() {
            put(COUNTED_AT + index * 4, &id.to_le_bytes());
        }
        for (index, (name, at_ms)) in self.applied_batches.iter().enumerate() {
            let at = MERGED_AT + index * MERGED_BYTES;
            put(at, &name.to_le_bytes());
            put(at + 4, &at_ms.to_le_bytes());
        }
        for page in &self.filler {
            bytes.extend_from_slice(page);
        }
        bytes
    }

    /// Applies a usage batch as `usage_transaction::apply` does in SQLite.
    fn apply_usage(&mut self, batch: &UsageBatch, context: &StagingContext<'_>) -> bool {
        let name = checksum::object_digest(batch.name.as_bytes()) as u32;
        if context.records_usage_names {
            if self.applied_batches.iter().any(|(applied, _)| *applied == name) {
                return false;
            }
            let oldest = context.date_ms.saturating_sub(context.usage_name_retention_ms);
            self.applied_batches.retain(|(_, at_ms)| *at_ms >= oldest);
            self.applied_batches.push((name, context.date_ms));
        }
        self.counted.push(word(&batch.body, 0));
        true
    }
}

/// Returns the pages in which `new` differs from `old`.
fn difference(old: &[u8], new: &[u8]) -> Delta {
    let pages = new.chunks(MODEL_PAGE_BYTES).enumerate();
    let changed =
        pages.filter(|(index, page)| old.get(index * MODEL_PAGE_BYTES..(index + 1) * MODEL_PAGE_BYTES) != Some(page));
    let number = |index: usize| u32::try_from(index + 1).unwrap_or(u32::MAX);
    Delta {
        page_size: MODEL_PAGE_BYTES as u32,
        page_count: number(new.len() / MODEL_PAGE_BYTES) - 1,
        pages: changed
            .map(|(index, page)| (number(index), Bytes::copy_from_slice(page)))
            .collect(),
    }
}

/// Local copies in memory.
pub(super) struct ModelBackend;

impl CopyBackend for ModelBackend {
    fn create_file(&self) -> io::Result<(PathBuf, Pages)> {
        Ok((PathBuf::new(), Pages::Memory(Mutex::default())))
    }

    fn first_delta(&self, _: u32) -> Result<Delta, Error> {
        Ok(difference(&[], &Model::default().encode()))
    }
}

/// Runs writes on the model.
pub(super) struct ModelStaging;

impl Staging for ModelStaging {
    fn run(
        &mut self,
        copy: &LocalCopy,
        batch: &mut [QueuedWrite],
        context: &StagingContext<'_>,
    ) -> Result<BatchOutcome, Error> {
        let old = copy.bytes(MODEL_PAGE_BYTES as u32)?;
        let mut model = Model::decode(&old);
        let mut changes = 0;
        for write in batch.iter_mut() {
            let id = checksum::object_digest(write.id.as_str().as_bytes()) as u32;
            if context.uses_commits_table
                && let Some((_, result, _)) = model.commits.iter().find(|(committed, ..)| *committed == id)
            {
                write.pending.replay(result.to_string().as_bytes());
                continue;
            }
            let savepoint = model.clone();
            match write.pending.run(WriteTarget::Simulated(&mut model)) {
                RunOutcome::Value(json) => {
                    changes += 1;
                    let result = serde_json::from_slice(&json).unwrap_or(0);
                    if context.uses_commits_table {
                        model.commits.push((id, result, context.date_ms));
                    }
                }
                RunOutcome::Failed => model = savepoint,
            }
        }
        for usage in context.usage_batches(changes > 0, batch) {
            changes += usize::from(model.apply_usage(usage, context));
        }
        if changes == 0 {
            return Ok(BatchOutcome::Unchanged);
        }
        let oldest = context.date_ms.saturating_sub(COMMITS_KEPT_MS);
        let mut checked = 0;
        model.commits.retain(|(_, _, at_ms)| {
            checked += 1;
            checked > changes * PURGED_PER_COMMIT || *at_ms >= oldest
        });
        Ok(BatchOutcome::Committed(difference(&old, &model.encode()), None, None))
    }

    fn discard(&mut self) -> Result<(), Error> {
        Ok(())
    }

    fn checkpoint(&mut self, copy: &LocalCopy, delta: &Delta) -> Result<(), Error> {
        Ok(copy.write(delta)?)
    }
}
