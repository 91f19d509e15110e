//! A stand-in for SQLite: a ledger, `_commits` and some filler in pages, so that a schedule costs no system call.

use std::io;
use std::path::PathBuf;
use std::sync::Mutex;

use bytes::Bytes;

use crate::delta::Delta;
use crate::error::Error;
use crate::job::{Ran, Seen, Waiting};
use crate::limits::{COMMITS_KEPT_MS, PURGED_PER_COMMIT};
use crate::local::{Local, LocalCopy};
use crate::pages::Pages;
use crate::stage::{Batch, Now, Staging};

/// Bytes.
pub(super) const MODEL_PAGE_BYTES: usize = 512;
const HEADER_PAGES: usize = 1;
const LEDGER_PAGES: usize = 4;
const COMMITS_PAGES: usize = 8;
const FIXED_PAGES: usize = HEADER_PAGES + LEDGER_PAGES + COMMITS_PAGES;
/// Id, result, time. Bytes.
const COMMIT_BYTES: usize = 16;

/// What a write of a simulation works on.
#[derive(Debug, Clone, Default)]
pub struct Model {
    pub(super) ledger: Vec<u32>,
    commits: Vec<(u32, u32, u64)>,
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
        let (ledger, commits) = (word(bytes, 0) as usize, word(bytes, 4) as usize);
        let from = HEADER_PAGES * MODEL_PAGE_BYTES;
        let ledger = (0..ledger).map(|index| word(bytes, from + index * 4)).collect();
        let from = (HEADER_PAGES + LEDGER_PAGES) * MODEL_PAGE_BYTES;
        let commit = |index: usize| {
            let at = from + index * COMMIT_BYTES;
            let time = u64::from(word(bytes, at + 8)) | u64::from(word(bytes, at + 12)) << 32;
            (word(bytes, at), word(bytes, at + 4), time)
        };
        let filler = bytes.get(FIXED_PAGES * MODEL_PAGE_BYTES..).unwrap_or_default();
        Self {
            ledger,
            commits: (0..commits).map(commit).collect(),
            filler: filler.chunks(MODEL_PAGE_BYTES).map(<[u8]>::to_vec).collect(),
        }
    }

    fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![0; FIXED_PAGES * MODEL_PAGE_BYTES];
        let mut put = |at: usize, word: u32| bytes[at..at + 4].copy_from_slice(&word.to_le_bytes());
        put(0, u32::try_from(self.ledger.len()).unwrap_or(u32::MAX));
        put(4, u32::try_from(self.commits.len()).unwrap_or(u32::MAX));
        let from = HEADER_PAGES * MODEL_PAGE_BYTES;
        for (index, id) in self.ledger.iter().enumerate() {
            put(from + index * 4, *id);
        }
        let from = (HEADER_PAGES + LEDGER_PAGES) * MODEL_PAGE_BYTES;
        for (index, (id, result, at_ms)) in self.commits.iter().enumerate() {
            let at = from + index * COMMIT_BYTES;
            put(at, *id);
            put(at + 4, *result);
            put(at + 8, (*at_ms & u64::from(u32::MAX)) as u32);
            put(at + 12, (*at_ms >> 32) as u32);
        }
        for page in &self.filler {
            bytes.extend_from_slice(page);
        }
        bytes
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
            let id = waiting.id.as_str().parse().unwrap_or(0);
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
        if changes == 0 {
            return Ok(Batch::Unchanged);
        }
        let oldest = now.date_ms.saturating_sub(COMMITS_KEPT_MS);
        let mut looked_at = 0;
        model.commits.retain(|(_, _, at_ms)| {
            looked_at += 1;
            looked_at > changes * PURGED_PER_COMMIT || *at_ms >= oldest
        });
        Ok(Batch::Committed(difference(&old, &model.encode()), None))
    }

    fn discard(&mut self) -> Result<(), Error> {
        Ok(())
    }

    fn checkpoint(&mut self, local: &LocalCopy, delta: &Delta) -> Result<(), Error> {
        Ok(local.write(delta)?)
    }
}
