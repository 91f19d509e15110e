//! [`read`]: reads SQLite's write-ahead log, in which a local COMMIT leaves its pages.
//!
//! The format is described at <https://www.sqlite.org/fileformat2.html#walformat>: a header of 32 bytes, then frames of
//! a 24-byte header and a page each. A log may end with frames of an older generation or with a torn write. Therefore
//! the first frame whose salts or running checksum differ ends the log, and frames after the last commit frame are
//! ignored.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::format::delta::{Delta, is_page_size};

const HEADER_BYTES: usize = 32;
const FRAME_HEADER_BYTES: usize = 24;
/// The magic number without its last bit, which specifies the byte order of the checksums.
const MAGIC: u32 = 0x377f_0682;
const FORMAT: u32 = 3_007_000;

/// Both halves of the running checksum.
type Sums = (u32, u32);

fn word(bytes: &[u8], at: usize) -> u32 {
    bytes
        .get(at..at + 4)
        .and_then(|four| four.try_into().ok())
        .map_or(0, u32::from_be_bytes)
}

/// Extends the running checksum by `bytes`, whose length is a multiple of 8.
fn extend_checksum(mut sums: Sums, bytes: &[u8], big_endian: bool) -> Sums {
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

/// Returns the committed content of a log: the last content of each page, and the page count of the last commit frame.
/// `None` if the log is empty, its header is damaged, or it contains no commit.
pub(crate) fn read(log: &Bytes) -> Option<Delta> {
    let header = log.get(..HEADER_BYTES)?;
    let (magic, page_size) = (word(header, 0), word(header, 8));
    if magic & !1 != MAGIC || word(header, 4) != FORMAT || !is_page_size(page_size) {
        return None;
    }
    let big_endian = magic & 1 == 1;
    let salts = &header[16..24];
    let mut sums = extend_checksum((0, 0), &header[..24], big_endian);
    if sums != (word(header, 24), word(header, 28)) {
        return None;
    }
    let frame_bytes = FRAME_HEADER_BYTES + page_size as usize;
    let mut committed: Option<Delta> = None;
    let mut pending = BTreeMap::new();
    for (index, frame) in log[HEADER_BYTES..].chunks_exact(frame_bytes).enumerate() {
        let (frame_header, page) = frame.split_at(FRAME_HEADER_BYTES);
        let (number, page_count) = (word(frame_header, 0), word(frame_header, 4));
        sums = extend_checksum(extend_checksum(sums, &frame_header[..8], big_endian), page, big_endian);
        if number == 0 || &frame_header[8..16] != salts || sums != (word(frame_header, 16), word(frame_header, 20)) {
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
    // Like a checkpoint, this drops the pages after the end of the database, according to the last page count only.
    let mut delta = committed?;
    delta.pages.split_off(&delta.page_count.saturating_add(1));
    Some(delta)
}

/// Returns the log with valid salts and checksums, so that a fuzz target reaches the code after their check.
pub(crate) fn with_valid_checksums(log: &[u8]) -> Bytes {
    let mut log = log.to_vec();
    let page_bytes = word(&log, 8) as usize;
    let Some((header, frames)) = log.split_first_chunk_mut::<HEADER_BYTES>() else {
        return log.into();
    };
    let big_endian = header[3] & 1 == 1;
    let mut sums = extend_checksum((0, 0), &header[..24], big_endian);
    put(&mut header[24..], sums);
    for frame in frames.chunks_exact_mut(FRAME_HEADER_BYTES + page_bytes) {
        let (frame_header, page) = frame.split_at_mut(FRAME_HEADER_BYTES);
        frame_header[8..16].copy_from_slice(&header[16..24]);
        sums = extend_checksum(extend_checksum(sums, &frame_header[..8], big_endian), page, big_endian);
        put(&mut frame_header[16..], sums);
    }
    log.into()
}

fn put(place: &mut [u8], sums: Sums) {
    place[..4].copy_from_slice(&sums.0.to_be_bytes());
    place[4..8].copy_from_slice(&sums.1.to_be_bytes());
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::{Path, PathBuf};

    use proptest::prelude::*;
    use rusqlite::Connection;
    use rusqlite::config::DbConfig;

    use super::*;
    use crate::copy::file_builder::{FileBuilder, Layer};
    use crate::copy::pages::Pages;

    /// A database in WAL mode without checkpoints, and a copy of its file before the first frame of the log.
    struct Logged {
        connection: Connection,
        path: PathBuf,
        before: Vec<u8>,
        folder: tempfile::TempDir,
    }

    impl Logged {
        fn new(page_size: u32, auto_vacuum: u32) -> Self {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("db");
            let connection = Connection::open(&path).unwrap();
            let setup = format!(
                "PRAGMA page_size = {page_size}; PRAGMA auto_vacuum = {auto_vacuum}; PRAGMA synchronous = OFF;
                 CREATE TABLE t (id INTEGER PRIMARY KEY, body BLOB, word TEXT); CREATE INDEX by_word ON t (word);
                 WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60)
                 INSERT INTO t SELECT i, zeroblob(i * 40), 'word ' || i FROM n;
                 PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0;"
            );
            connection.execute_batch(&setup).unwrap();
            connection
                .set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)
                .unwrap();
            let before = fs::read(&path).unwrap();
            Self {
                connection,
                path,
                before,
                folder,
            }
        }

        fn log(&self) -> Bytes {
            fs::read(self.folder.path().join("db-wal")).unwrap_or_default().into()
        }

        /// Applies `delta` to the file before the log with the code of the engine.
        fn patched(&self, delta: &Delta) -> FileBuilder {
            let path = self.folder.path().join("patched");
            let file = fs::File::options()
                .create_new(true)
                .read(true)
                .write(true)
                .open(&path)
                .unwrap();
            let builder = FileBuilder::on(path, Pages::File(file), delta.page_size);
            let size = delta.page_size as usize;
            let before = self
                .before
                .chunks_exact(size)
                .zip(1..)
                .map(|(page, n)| (n, Bytes::copy_from_slice(page)));
            let page_count = u32::try_from(self.before.len() / size).unwrap();
            let before = Delta {
                page_size: delta.page_size,
                page_count,
                pages: before.collect(),
            };
            for (index, delta) in [&before, delta].into_iter().enumerate() {
                let packed = delta.encode().unwrap();
                builder.write_delta(Layer::of_delta(index), &packed, "a delta").unwrap();
            }
            builder.finish().unwrap();
            builder
        }

        /// Returns the file after a checkpoint by SQLite.
        fn checkpointed(&self) -> Vec<u8> {
            self.connection
                .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
                .unwrap();
            fs::read(&self.path).unwrap()
        }
    }

    fn integrity(path: &Path) -> String {
        let connection = Connection::open(path).unwrap();
        connection
            .query_row("PRAGMA integrity_check", [], |row| row.get(0))
            .unwrap()
    }

    fn statements() -> impl Strategy<Value = String> {
        prop_oneof![
            (1..200_u32, 0..9_000_u32).prop_map(|(id, bytes)| format!(
                "INSERT OR REPLACE INTO t VALUES ({id}, randomblob({bytes}), 'new {id}')"
            )),
            (1..90_u32).prop_map(|id| format!("DELETE FROM t WHERE id % 7 = {id} % 7 AND id < {id}")),
            (1..90_u32).prop_map(|id| format!("UPDATE t SET word = word || 'x' WHERE id = {id}")),
            Just("DELETE FROM t".to_owned()),
            Just("ALTER TABLE t ADD COLUMN more INTEGER DEFAULT 7".to_owned()),
            Just("CREATE TABLE IF NOT EXISTS other (a, b, UNIQUE (a, b))".to_owned()),
            Just("DROP TABLE IF EXISTS other".to_owned()),
            Just("REINDEX".to_owned()),
            Just("ANALYZE".to_owned()),
            Just("PRAGMA incremental_vacuum(3)".to_owned()),
            Just("VACUUM".to_owned()),
            Just("BEGIN; DELETE FROM t WHERE id > 30; INSERT INTO t (word) VALUES ('kept'); COMMIT".to_owned()),
            Just("BEGIN; DELETE FROM t; ROLLBACK".to_owned()),
        ]
    }

    fn page_sizes() -> impl Strategy<Value = u32> {
        (9_u32..=16).prop_map(|power| 1 << power)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn delta_of_a_log_equals_a_checkpoint(
            page_size in page_sizes(),
            auto_vacuum in 0_u32..3,
            sql in proptest::collection::vec(statements(), 1..12),
        ) {
            let logged = Logged::new(page_size, auto_vacuum);
            for statement in &sql {
                // A duplicate column is an error of the statement, which changes nothing.
                let _ = logged.connection.execute_batch(statement);
            }
            let delta = read(&logged.log());
            let patched = delta.as_ref().map(|delta| logged.patched(delta));
            let expected = logged.checkpointed();
            match patched {
                Some(_builder) => {
                    let path = logged.folder.path().join("patched");
                    prop_assert!(fs::read(&path).unwrap() == expected, "{page_size} {auto_vacuum} {sql:?}");
                    prop_assert_eq!(integrity(&path), "ok");
                }
                None => prop_assert!(logged.before == expected),
            }
        }

        #[test]
        fn damaged_log_ends_at_the_last_complete_commit(
            page_size in page_sizes(),
            sql in proptest::collection::vec(statements(), 1..6),
            at in any::<prop::sample::Index>(),
            bit in 0_u8..8,
        ) {
            let logged = Logged::new(page_size, 0);
            let mut prefixes = vec![(HEADER_BYTES, None)];
            for statement in &sql {
                let _ = logged.connection.execute_batch(statement);
                let log = logged.log();
                if let Some(delta) = read(&log) {
                    prefixes.push((log.len(), Some(delta)));
                }
            }
            let log = logged.log();
            prop_assume!(!log.is_empty());
            let at = at.index(log.len());
            let expected = |end: usize| {
                let whole = prefixes.iter().rev().find(|(bytes, _)| *bytes <= end);
                whole.and_then(|(_, delta)| delta.clone())
            };
            prop_assert_eq!(read(&log.slice(..at)), expected(at), "cut");
            let mut damaged = log.to_vec();
            damaged[at] ^= 1 << bit;
            prop_assert_eq!(read(&damaged.into()), expected(at), "damaged");
        }

        #[test]
        fn noise_is_not_a_log(noise in proptest::collection::vec(any::<u8>(), 0..2_000)) {
            prop_assert_eq!(read(&noise.into()), None);
        }
    }

    #[test]
    fn frames_of_an_older_generation_are_ignored() {
        let logged = Logged::new(4_096, 0);
        logged
            .connection
            .execute_batch("UPDATE t SET body = randomblob(3000)")
            .unwrap();
        let longer = logged.log();
        // The log starts again from its beginning, with new salts, over the old frames.
        logged
            .connection
            .query_row("PRAGMA wal_checkpoint(RESTART)", [], |_| Ok(()))
            .unwrap();
        logged
            .connection
            .execute_batch("UPDATE t SET word = 'one' WHERE id = 1")
            .unwrap();
        let log = logged.log();
        assert_eq!(log.len(), longer.len(), "the old frames are still in the file");
        let delta = read(&log).unwrap();
        assert!(delta.pages.len() < 6, "{}", delta.pages.len());
    }
}
