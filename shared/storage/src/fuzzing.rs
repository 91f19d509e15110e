//! Entry points for the targets in `fuzz/`: the decoders of stored objects and of SQLite's log.
//!
//! Checksums are made valid first. They detect accidents only, because an attacker with write access to the bucket can
//! compute them.

use bytes::Bytes;

use crate::format::chunk_table::ChunkTable;
use crate::format::delta::Delta;
use crate::format::head::Head;
use crate::format::history::HistoryKey;
use crate::format::trash::Trash;
use crate::format::{chunk_table, frame, history, wal};
use crate::limits::CHUNK_BYTES;

/// Decodes `head`, trash and history objects with this JSON and these blobs.
pub fn head(json: &[u8], blobs: &[u8]) {
    let body = frame::encode(json, [&Bytes::copy_from_slice(blobs)]);
    if let Ok(head) = Head::decode(&body) {
        let _ = head.tail_after(head.json.base.seq);
        let again = head.encode().map(|body| Head::decode(&body));
        assert!(again.is_err() || again.is_ok_and(|again| again.is_ok_and(|again| again == head)));
    }
    let _ = Trash::decode("trash/x", &body);
    let named = HistoryKey::parse("history/1-0-3-0-0-x");
    let _ = named.map(|named| history::decode(&named, &body));
}

/// Decodes `bytes` as a segment, as the raw content of a segment, as a chunk table and as a chunk.
pub fn segment(bytes: &[u8]) {
    let _ = Delta::decode(bytes);
    let _ = ChunkTable::decode(bytes, CHUNK_BYTES);
    let _ = chunk_table::decompress_chunk(bytes, None, CHUNK_BYTES, |_, _| Ok::<(), String>(()));
    if let Ok(delta) = Delta::parse(&Bytes::copy_from_slice(bytes)) {
        let again = delta.encode().ok().map(|packed| Delta::decode(&packed));
        assert_eq!(again, Some(Ok(delta)));
    }
}

/// Decodes a write-ahead log, as it is and with valid checksums.
pub fn log(bytes: &[u8]) {
    let _ = wal::read(&Bytes::copy_from_slice(bytes));
    if let Some(delta) = wal::read(&wal::with_valid_checksums(bytes)) {
        assert!(delta.pages.keys().all(|number| (1..=delta.page_count).contains(number)));
    }
}
