//! A stand-in for SQLite: a ledger, `_commits` and some filler in pages, so that a schedule costs no system call.

use std::io;
use std::path::PathBuf;
use std::sync::Mutex;

use bytes::Bytes;

use crate::checksum;
use crate::delta::Delta;
use crate::error::Error;
use crate::job::{Ran, Seen, Waiting};
use crate::limits::{COMMITS_KEPT_MS, PURGED_PER_COMMIT};
use crate::local::{Local, LocalCopy};
use crate::pages::Pages;
use crate::stage::{Batch, Now, Staging};
use crate::usage;

/// Bytes.
pub(super) const MODEL_PAGE_BYTES: usize = 512;
const HEADER_PAGES: usize = 1;
const LEDGER_PAGES: usize = 4;
const COMMITS_PAGES: usize = 8;
const COUNTED_PAGES: usize = 1;
const MERGED_PAGES: usize = 2;
/// Where each table begins. Bytes.
const LEDGER_AT: usize = HEADER_PAGES * MODEL_PAGE_BYTES;
const COMMITS_AT: usize = LEDGER_AT + LEDGER_PAGES * MODEL_PAGE_BYTES;
const COUNTED_AT: usize = COMMITS_AT + COMMITS_PAGES * MODEL_PAGE_BYTES;
const MERGED_AT: usize = COUNTED_AT + COUNTED_PAGES * MODEL_PAGE_BYTES;
const FILLER_AT: usize = MERGED_AT + MERGED_PAGES * MODEL_PAGE_BYTES;
/// Id, result, time. Bytes.
const COMMIT_BYTES: usize = 16;
/// Name, time. Bytes.
const MERGED_BYTES: usize = 12;

/// What a write of a simulation works on.
#[derive(Debug, Clone, Default)]
pub struct Model {
    pub(super) ledger: Vec<u32>,
    commits: Vec<(u32, u32, u64)>,
    /// What was counted, in the order in which it was merged.
    pub(super) counted: Vec<u32>,
    /// Names of batches, shortened, and when they were merged.
    merged: Vec<(u32, u64)>,
    pub(super) filler: Vec<Vec<u8>>,
}

fn word(bytes: &[u8], at: usize) -> u32 {
    bytes
        .get(at..at + 4)
        .and_then(|word| word.try_into().ok())
        .map_or(0, u32::from_le_bytes)
}

impl Model {
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
            merged: rows(3, MERGED_AT, MERGED_BYTES)
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
            self.merged.len(),
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
        for (index, (name, at_ms)) in self.merged.iter().enumerate() {
            let at = MERGED_AT + index * MERGED_BYTES;
            put(at, &name.to_le_bytes());
            put(at + 4, &at_ms.to_le_bytes());
        }
        for page in &self.filler {
            bytes.extend_from_slice(page);
        }
        bytes
    }

    /// As [`usage::fold`] does it in SQLite.
    fn fold(&mut self, batch: &usage::Batch, now: &Now<'_>) -> bool {
        let name = checksum::of_object(batch.name.as_bytes()) as u32;
        if now.names {
            if self.merged.iter().any(|(merged, _)| *merged == name) {
                return false;
            }
            let oldest = now.date_ms.saturating_sub(now.remembered_ms);
            self.merged.retain(|(_, at_ms)| *at_ms >= oldest);
            self.merged.push((name, now.date_ms));
        }
        self.counted.push(word(&batch.body, 0));
        true
    }
}

/// The pages by which `new` differs from `old`.
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
pub(super) struct ModelPlace;

impl Local for ModelPlace {
    fn create(&self) -> io::Result<(PathBuf, Pages)> {
        Ok((PathBuf::new(), Pages::Memory(Mutex::default())))
    }

    fn first_delta(&self, _: u32) -> Result<Delta, Error> {
        Ok(difference(&[], &Model::default().encode()))
    }

    fn staging(&self) -> Box<dyn Staging> {
        Box::new(ModelStaging)
    }
}

struct ModelStaging;

impl Staging for ModelStaging {
    fn run(&mut self, local: &LocalCopy, batch: &mut [Waiting], now: &Now<'_>) -> Result<Batch, Error> {
        let old = local.bytes(MODEL_PAGE_BYTES as u32)?;
        let mut model = Model::decode(&old);
        let mut changes = 0;
        for waiting in batch.iter_mut() {
            let id = checksum::of_object(waiting.id.as_str().as_bytes()) as u32;
            if now.look
                && let Some((_, result, _)) = model.commits.iter().find(|(landed, ..)| *landed == id)
            {
                waiting.job.replay(result.to_string().as_bytes());
                continue;
            }
            let before = model.clone();
            match waiting.job.run(Seen::Model(&mut model)) {
                Ran::Value(json) => {
                    changes += 1;
                    let result = serde_json::from_slice(&json).unwrap_or(0);
                    if now.look {
                        model.commits.push((id, result, now.date_ms));
                    }
                }
                Ran::Failed => model = before,
            }
        }
        for usage in usage::taken_along(changes > 0, batch, now) {
            changes += usize::from(model.fold(usage, now));
        }
        if changes == 0 {
            return Ok(Batch::Unchanged);
        }
        let oldest = now.date_ms.saturating_sub(COMMITS_KEPT_MS);
        let mut looked_at = 0;
        model.commits.retain(|(_, _, at_ms)| {
            looked_at += 1;
            looked_at > changes * PURGED_PER_COMMIT || *at_ms >= oldest
        });
        Ok(Batch::Committed(difference(&old, &model.encode()), None, None))
    }

    fn discard(&mut self) -> Result<(), Error> {
        Ok(())
    }

    fn checkpoint(&mut self, local: &LocalCopy, delta: &Delta) -> Result<(), Error> {
        Ok(local.write(delta)?)
    }
}
