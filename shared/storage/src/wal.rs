//! Reads SQLite's write-ahead log: what a local COMMIT staged.
//!
//! The format is SQLite's own, described at <https://www.sqlite.org/fileformat2.html#walformat>: a header of 32 bytes, then
//! frames of 24 bytes and a page each. A log may end in frames of an older generation or in a torn write; the first frame whose
//! salts or running checksum differ ends it, and only what a commit frame covers counts.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::delta::{Delta, is_page_size};

const HEADER_BYTES: usize = 32;
const FRAME_HEADER_BYTES: usize = 24;
/// The last bit of the magic number says in which byte order the checksums are computed.
const MAGIC: u32 = 0x377f_0682;
const FORMAT: u32 = 3_007_000;

/// The running checksum of a log: both halves of the header's and of each frame.
type Sums = (u32, u32);

fn word(bytes: &[u8], at: usize) -> u32 {
    bytes
        .get(at..at + 4)
        .and_then(|four| four.try_into().ok())
        .map_or(0, u32::from_be_bytes)
}

/// Carries `sums` on over `bytes`, whose length is a multiple of 8.
fn carry_on(mut sums: Sums, bytes: &[u8], big_endian: bool) -> Sums {
    let number = |four: &[u8]| {
        let four = four.try_into().unwrap_or_default();
        if big_endian {
            u32::from_be_bytes(four)
        } else {
            u32::from_le_bytes(four)
        }
    };
    for eight in bytes.chunks_exact(8) {
        sums.0 = sums.0.wrapping_add(number(&eight[..4])).wrapping_add(sums.1);
        sums.1 = sums.1.wrapping_add(number(&eight[4..])).wrapping_add(sums.0);
    }
    sums
}

/// The committed content of a log: the last image of each page, and the page count of the last commit frame. Nothing where the
/// log is empty, damaged in its header, or holds no commit.
pub(crate) fn read(log: &Bytes) -> Option<Delta> {
    let header = log.get(..HEADER_BYTES)?;
    let (magic, page_size) = (word(header, 0), word(header, 8));
    if magic & !1 != MAGIC || word(header, 4) != FORMAT || !is_page_size(page_size) {
        return None;
    }
    let big_endian = magic & 1 == 1;
    let salts = &header[16..24];
    let mut sums = carry_on((0, 0), &header[..24], big_endian);
    if sums != (word(header, 24), word(header, 28)) {
        return None;
    }
    let frame_bytes = FRAME_HEADER_BYTES + page_size as usize;
    let mut committed: Option<Delta> = None;
    let mut pending = BTreeMap::new();
    for (index, frame) in log[HEADER_BYTES..].chunks_exact(frame_bytes).enumerate() {
        let (about, page) = frame.split_at(FRAME_HEADER_BYTES);
        let (number, page_count) = (word(about, 0), word(about, 4));
        sums = carry_on(carry_on(sums, &about[..8], big_endian), page, big_endian);
        if number == 0 || &about[8..16] != salts || sums != (word(about, 16), word(about, 20)) {
            break;
        }
        let from = HEADER_BYTES + index * frame_bytes + FRAME_HEADER_BYTES;
        pending.insert(number, log.slice(from..from + page_size as usize));
        if page_count > 0 {
            let delta = committed.get_or_insert_with(|| Delta {
                page_size,
                page_count,
                pages: BTreeMap::new(),
            });
            delta.pages.append(&mut pending);
            delta.page_count = page_count;
        }
    }
    // As a checkpoint does it: pages behind the end go at the end, not at the commit that cut them off.
    let mut delta = committed?;
    delta.pages.split_off(&delta.page_count.saturating_add(1));
    Some(delta)
}
