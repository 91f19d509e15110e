//! The first `head` of a bucket, and opening one that is there.

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use rusqlite::Connection;
use serde_json::Map;

use crate::delta::{Delta, is_page_size};
use crate::environment::{fresh_ulid, hex_16};
use crate::error::Error;
use crate::head::{Base, FullHead, HEAD_KEY, Head, Stamp, TailEntry};
use crate::image::{Image, Layer};
use crate::limits::{FORMAT, HEAD_TIMEOUT_MS, OBJECT_TIMEOUT_MS, SYNC_ATTEMPTS};
use crate::probe::probe;
use crate::replica::{Known, Parts, within};
use crate::run::first_schema;
use crate::store::{Fetched, PutCondition, StoreError};

/// The newest `head`; creates the database where the store holds nothing at all.
pub(crate) async fn first_head(parts: &Parts, page_size: u32) -> Result<Arc<Known>, Error> {
    let mut last = String::new();
    for _ in 0..SYNC_ATTEMPTS {
        match within(&*parts.clock, HEAD_TIMEOUT_MS, parts.store.get(HEAD_KEY, None)).await {
            Ok(Fetched::Found(object)) => return Known::read(&object),
            Ok(_) => {
                refuse_leftovers(parts).await?;
                match create(parts, page_size).await {
                    Err(Error::Unavailable { detail, .. }) => last = detail,
                    other => other?,
                }
            }
            Err(error @ (StoreError::Busy(_) | StoreError::Unknown(_))) => last = error.to_string(),
            Err(error) => return Err(error.into()),
        }
        if !last.is_empty() {
            parts.clock.sleep(crate::limits::BACKOFF_MIN_MS).await;
        }
    }
    Err(Error::unavailable(last))
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
