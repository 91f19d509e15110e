//! The first `head` of a bucket, and opening one that is there.

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use rusqlite::Connection;
use serde_json::Map;

use crate::delta::{Delta, is_page_size};
use crate::environment::{Clock, Random, below, fresh_ulid, hex_16};
use crate::error::Error;
use crate::head::{Base, FullHead, HEAD_KEY, Head, Stamp, TailEntry};
use crate::image::{Image, Layer};
use crate::limits::{BACKOFF_MAX_MS, BACKOFF_MIN_MS, FORMAT, HEAD_TIMEOUT_MS, OBJECT_TIMEOUT_MS, START_PATIENCE_MS};
use crate::probe::probe;
use crate::replica::{Known, Parts, within};
use crate::run::first_schema;
use crate::store::{Fetched, PutCondition, StoreError};

/// The newest `head`; creates the database where the store holds nothing at all.
///
/// # Errors
/// [`Error::Unavailable`] if an answer is lost; it does no harm to repeat it.
pub(crate) async fn first_head(parts: &Parts, page_size: u32) -> Result<Arc<Known>, Error> {
    let get = || within(&*parts.clock, HEAD_TIMEOUT_MS, parts.store.get(HEAD_KEY, None));
    if let Fetched::Found(object) = get().await? {
        return Known::read(&object);
    }
    refuse_leftovers(parts).await?;
    create(parts, page_size).await?;
    match get().await? {
        Fetched::Found(object) => Known::read(&object),
        _ => Err(Error::unavailable("`head` was created and is not there")),
    }
}

/// The patience of a process that starts: a store that does not answer is asked again for a while.
pub(crate) struct Patience {
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    /// On the clock's monotonic scale. Microseconds.
    ends_us: u64,
    backoff_ms: u64,
}

impl Patience {
    pub(crate) fn new(clock: &Arc<dyn Clock>, random: &Arc<dyn Random>) -> Self {
        Self {
            clock: Arc::clone(clock),
            random: Arc::clone(random),
            ends_us: clock.monotonic_us().saturating_add(START_PATIENCE_MS * 1_000),
            backoff_ms: BACKOFF_MIN_MS,
        }
    }

    /// Whether to try again after `error`. Waits before it says yes.
    pub(crate) async fn lasts(&mut self, error: &Error) -> bool {
        if !error.is_transient() || self.clock.monotonic_us() >= self.ends_us {
            return false;
        }
        tracing::warn!(%error, "the bucket did not answer at the start; trying again");
        let jitter_ms = below(&*self.random, self.backoff_ms / 2 + 1);
        self.clock.sleep(self.backoff_ms - jitter_ms).await;
        self.backoff_ms = (self.backoff_ms * 2).min(BACKOFF_MAX_MS);
        true
    }
}

/// Puts a `head`, if the store is one that keeps it safe. Whether it was us or another process: what lies there then is the
/// database.
async fn create(parts: &Parts, page_size: u32) -> Result<(), Error> {
    if parts.tasks.are_real() {
        probe(parts).await?;
    }
    let head = build(parts, page_size)?;
    let put = parts.store.put(HEAD_KEY, head.encode()?, PutCondition::CreateOnly);
    match within(&*parts.clock, HEAD_TIMEOUT_MS, put).await {
        Ok(_) | Err(StoreError::PreconditionFailed) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// A bucket that holds data without a `head` has lost it: a new one would hide that.
async fn refuse_leftovers(parts: &Parts) -> Result<(), Error> {
    for prefix in ["chunk/", "segment/", "table/"] {
        if !within(&*parts.clock, OBJECT_TIMEOUT_MS, parts.store.list(prefix))
            .await?
            .is_empty()
        {
            // Another process may have created `head` and spilled since we asked.
            let head = within(&*parts.clock, HEAD_TIMEOUT_MS, parts.store.get(HEAD_KEY, None)).await?;
            if let Fetched::Found(_) = head {
                return Ok(());
            }
            return Err(Error::Refused(format!(
                "the store holds objects below {prefix} and no `head`: put `head` back, or use an empty place"
            )));
        }
    }
    Ok(())
}

/// The `head` of a database that holds the engine's own table and nothing else.
fn build(parts: &Parts, page_size: u32) -> Result<FullHead, Error> {
    if !is_page_size(page_size) {
        return Err(Error::Refused(format!("{page_size} is not a page size of SQLite")));
    }
    let delta = parts.local.first_delta(page_size)?;
    let blob = delta.encode()?;
    let image = Image::create(&*parts.local, page_size)?;
    image.lay_delta(Layer::of_delta(0), &blob, HEAD_KEY)?;
    let checksum = image.finish()?;
    let base = Base {
        id: fresh_ulid(&*parts.clock, &*parts.random).to_string(),
        seq: 0,
        table: None,
        stamp: Stamp::default(),
        unknown: Map::new(),
    };
    let json = Head {
        format: FORMAT,
        database: hex_16(&*parts.random),
        epoch: 1,
        seq: 1,
        nonce: hex_16(&*parts.random),
        schema: 0,
        min_reader: 0,
        min_writer: 0,
        page_size,
        page_count: delta.page_count,
        checksum,
        base,
        segments: Vec::new(),
        tail: vec![TailEntry {
            from: 0,
            to: 1,
            len: blob.len() as u64,
            stamp: Stamp::default(),
            unknown: Map::new(),
        }],
        lock: None,
        floor_ms: 0,
        branch: None,
        unknown: Map::new(),
    };
    Ok(FullHead {
        json,
        blobs: vec![blob],
    })
}

/// Everything that an empty database in WAL mode consists of.
pub(crate) fn first_delta(path: &Path, page_size: u32) -> Result<Delta, Error> {
    let connection = Connection::open(path)?;
    connection.execute_batch(&format!(
        "PRAGMA synchronous = OFF; PRAGMA page_size = {page_size}; {}; PRAGMA journal_mode = WAL;",
        first_schema()
    ))?;
    connection.close().map_err(|(_, error)| error)?;
    let file = fs::File::open(path)?;
    let mut bytes = vec![0; usize::try_from(file.metadata()?.len()).map_err(std::io::Error::other)?];
    file.read_exact_at(&mut bytes, 0)?;
    fs::remove_file(path)?;
    let bytes = Bytes::from(bytes);
    let size = page_size as usize;
    let page_count = u32::try_from(bytes.len() / size).map_err(std::io::Error::other)?;
    let pages = (1..=page_count).map(|number| {
        let from = (number as usize - 1) * size;
        (number, bytes.slice(from..from + size))
    });
    Ok(Delta {
        page_size,
        page_count,
        pages: pages.collect(),
    })
}
