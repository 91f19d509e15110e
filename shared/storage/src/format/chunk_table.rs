//! [`ChunkTable`]: a base, which is the database file in chunks of 1 MiB, each an object, and the table that names
//! the chunks.
//!
//! Layout of the table: magic (4 bytes), page size (4), length of the file (8), then for each chunk its ULID (16), its
//! stored length (4) and the digest of its raw bytes (8), and finally the digest of all preceding bytes (8). Numbers
//! are little-endian.
//!
//! Layout of a chunk: consecutive zstd frames of [`ZSTD_FRAME_BYTES`](crate::limits::ZSTD_FRAME_BYTES) uncompressed
//! bytes each.

use bytes::Bytes;
use ulid::Ulid;

use crate::format::delta::is_page_size;
use crate::format::keys::CHUNK_PREFIX;
use crate::format::{checksum, compression};

const MAGIC: [u8; 4] = *b"BST1";
/// Length of the header: magic, page size, length of the file, in bytes.
const HEADER_BYTES: usize = 16;
/// Length of a row: ULID, length, digest, in bytes.
const ROW_BYTES: usize = 28;
/// Length of the digest at the end, in bytes.
const DIGEST_BYTES: usize = 8;

/// One chunk of a base.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ChunkRow {
    pub(crate) ulid: Ulid,
    /// Stored length, in bytes.
    pub(crate) len: u32,
    /// Digest of the raw bytes.
    pub(crate) digest: u64,
}

impl ChunkRow {
    pub(crate) fn key(&self) -> String {
        format!("{CHUNK_PREFIX}{}", self.ulid)
    }
}

/// All chunks of a base, in the order of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ChunkTable {
    /// Bytes.
    pub(crate) page_size: u32,
    /// Length of the database file, in bytes.
    pub(crate) file_bytes: u64,
    pub(crate) rows: Vec<ChunkRow>,
    /// Raw length of every chunk except the last, in bytes. It is not stored.
    pub(crate) chunk_bytes: usize,
}

/// Returns the number of chunks of a file.
pub(crate) fn chunk_count(file_bytes: u64, chunk_bytes: usize) -> u64 {
    file_bytes.div_ceil(chunk_bytes as u64)
}

impl ChunkTable {
    pub(crate) fn encode(&self) -> Bytes {
        let mut body = Vec::with_capacity(HEADER_BYTES + self.rows.len() * ROW_BYTES + DIGEST_BYTES);
        body.extend(MAGIC);
        body.extend(self.page_size.to_le_bytes());
        body.extend(self.file_bytes.to_le_bytes());
        for row in &self.rows {
            body.extend(row.ulid.to_bytes());
            body.extend(row.len.to_le_bytes());
            body.extend(row.digest.to_le_bytes());
        }
        body.extend(checksum::object_digest(&body).to_le_bytes());
        body.into()
    }

    /// # Errors
    /// Returns a description of the damage.
    pub(crate) fn decode(body: &[u8], chunk_bytes: usize) -> Result<Self, String> {
        let (content, digest) = body.split_last_chunk::<DIGEST_BYTES>().ok_or("too short")?;
        if *digest != checksum::object_digest(content).to_le_bytes() {
            return Err("its digest does not fit".to_owned());
        }
        let (header, rows) = content.split_first_chunk::<HEADER_BYTES>().ok_or("too short")?;
        let page_size = header[4..8].try_into().map_or(0, u32::from_le_bytes);
        let file_bytes = header[8..].try_into().map_or(0, u64::from_le_bytes);
        let has_all_rows =
            rows.len() % ROW_BYTES == 0 && (rows.len() / ROW_BYTES) as u64 == chunk_count(file_bytes, chunk_bytes);
        if header[..4] != MAGIC || !is_page_size(page_size) || !has_all_rows {
            return Err("not a chunk table".to_owned());
        }
        let rows = rows.chunks_exact(ROW_BYTES).map(|row| ChunkRow {
            ulid: Ulid::from_bytes(row[..16].try_into().unwrap_or_default()),
            len: row[16..20].try_into().map_or(0, u32::from_le_bytes),
            digest: row[20..].try_into().map_or(0, u64::from_le_bytes),
        });
        Ok(Self {
            page_size,
            file_bytes,
            rows: rows.collect(),
            chunk_bytes,
        })
    }

    /// Returns the raw length of the chunk with this index in bytes.
    pub(crate) fn raw_bytes_of(&self, index: usize) -> usize {
        let rest = self.file_bytes.saturating_sub(index as u64 * self.chunk_bytes as u64);
        usize::try_from(rest).unwrap_or(self.chunk_bytes).min(self.chunk_bytes)
    }
}

/// Encodes the raw bytes of a chunk.
pub(crate) fn compress_chunk(raw: &[u8]) -> std::io::Result<Bytes> {
    compression::compress_frames(raw).map(Bytes::from)
}

/// Decodes a chunk frame by frame, and calls `work` with the bytes of each frame and their offset in the chunk.
///
/// If `expected_digest` is given, it is compared after the last frame, so `work` may see damaged bytes before this
/// returns an error.
///
/// # Errors
/// Returns a description of the damage, or the error of `work` as the inner result.
pub(crate) fn decompress_chunk<E>(
    stored: &[u8],
    expected_digest: Option<u64>,
    raw_bytes: usize,
    mut work: impl FnMut(usize, &[u8]) -> Result<(), E>,
) -> Result<Result<(), E>, String> {
    let mut digest = checksum::ObjectDigest::new();
    let result = compression::decompress_frames(stored, raw_bytes, |offset, raw| {
        if expected_digest.is_some() {
            digest.update(raw);
        }
        work(offset, raw)
    })?;
    if result.is_ok() && expected_digest.is_some_and(|expected| expected != digest.digest()) {
        return Err("its digest does not fit".to_owned());
    }
    Ok(result)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::{CHUNK_BYTES, ZSTD_FRAME_BYTES};

    #[test]
    fn table_survives_a_round_trip_and_damage_is_an_error() {
        let row = |n| ChunkRow {
            ulid: Ulid::from_parts(n, 7),
            len: 9,
            digest: n,
        };
        let table = ChunkTable {
            page_size: 4_096,
            file_bytes: CHUNK_BYTES as u64 + 4_096,
            rows: vec![row(1), row(2)],
            chunk_bytes: CHUNK_BYTES,
        };
        let body = table.encode();
        assert_eq!(body.len(), 16 + 2 * 28 + 8);
        assert_eq!(ChunkTable::decode(&body, CHUNK_BYTES).unwrap(), table);
        assert_eq!((table.raw_bytes_of(0), table.raw_bytes_of(1)), (CHUNK_BYTES, 4_096));
        for cut in 0..body.len() {
            ChunkTable::decode(&body[..cut], CHUNK_BYTES).unwrap_err();
        }
        for at in 0..body.len() {
            let mut damaged = body.to_vec();
            damaged[at] ^= 0x10;
            ChunkTable::decode(&damaged, CHUNK_BYTES).unwrap_err();
        }
    }

    #[test]
    fn chunk_survives_a_round_trip_and_damage_is_an_error() {
        let raw: Vec<u8> = (0..2 * ZSTD_FRAME_BYTES + 10_000).map(|at| (at >> 12) as u8).collect();
        let stored = compress_chunk(&raw).unwrap();
        let digest = Some(checksum::object_digest(&raw));
        let unpack = |stored: &[u8], digest, raw_bytes| {
            let mut raw = Vec::new();
            let done = decompress_chunk(stored, digest, raw_bytes, |offset, frame| {
                assert_eq!(offset, raw.len());
                raw.extend_from_slice(frame);
                Ok::<_, std::convert::Infallible>(())
            });
            done.map(|Ok(())| raw)
        };
        assert_eq!(unpack(&stored, digest, raw.len()).unwrap(), raw);
        assert_eq!(unpack(&stored, None, raw.len()).unwrap(), raw);
        unpack(&stored[1..], digest, raw.len()).unwrap_err();
        unpack(&stored, Some(1), raw.len()).unwrap_err();
        unpack(&stored, digest, raw.len() - 1).unwrap_err();
        unpack(&stored, digest, raw.len() + 1).unwrap_err();
        let one_frame = compression::compress_after(&[], &raw).unwrap();
        assert_eq!(unpack(&one_frame, digest, raw.len()).unwrap(), raw);
    }
}
