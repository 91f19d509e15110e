//! What reads objects of the bucket and the log on the disk, open to `fuzz/`. Checksums are mended first: they stop accidents, and
//! whoever may write to the bucket computes them too.

use bytes::Bytes;

use crate::chunks::{self, ChunkTable};
use crate::delta::Delta;
use crate::head::FullHead;
use crate::history::{self, HistoryKey};
use crate::limits::CHUNK_BYTES;
use crate::trash::Trash;
use crate::{frame, wal};

/// Reads `head`, trash and history with that JSON and those blobs behind it.
pub fn head(json: &[u8], blobs: &[u8]) {
    let body = frame::close(json, [&Bytes::copy_from_slice(blobs)]);
    if let Ok(head) = FullHead::decode(&body) {
        let _ = head.tail_after(head.json.base.seq);
        let again = head.encode().map(|body| FullHead::decode(&body));
        assert!(again.is_err() || again.is_ok_and(|again| again.is_ok_and(|again| again == head)));
    }
    let _ = Trash::decode("trash/x", &body);
    let named = HistoryKey::parse("history/1-0-3-0-0-x");
    let _ = named.map(|named| history::decode(&named, &body));
}

/// Reads a segment: as it is, and with `bytes` as its raw content. Reads a chunk table.
pub fn segment(bytes: &[u8]) {
    let _ = Delta::decode(bytes);
    let _ = ChunkTable::decode(bytes, CHUNK_BYTES);
    let _ = chunks::with_pieces(bytes, None, CHUNK_BYTES, |_, _| Ok::<(), String>(()));
    if let Ok(delta) = Delta::parse(&Bytes::copy_from_slice(bytes)) {
        let again = delta.encode().ok().map(|packed| Delta::decode(&packed));
        assert_eq!(again, Some(Ok(delta)));
    }
}

/// Reads a write-ahead log.
pub fn log(bytes: &[u8]) {
    let _ = wal::read(&Bytes::copy_from_slice(bytes));
    if let Some(delta) = wal::read(&wal::mended(bytes)) {
        assert!(delta.pages.keys().all(|number| (1..=delta.page_count).contains(number)));
    }
}
