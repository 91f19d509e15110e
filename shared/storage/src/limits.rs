//! Every limit of the engine, with its unit. Where a number comes from stands beside it.

/// The format that this code writes, and the highest it reads.
pub const FORMAT: u32 = 1;

/// A `head` is never larger than this. Bytes.
pub const HEAD_MAX_BYTES: usize = 256 * 1024;
/// The inline deltas of a `head`, together. Bytes.
pub const TAIL_MAX_BYTES: usize = 128 * 1024;
/// A compressed delta above this becomes a segment instead of riding in `head`. Bytes.
pub const INLINE_DELTA_MAX_BYTES: usize = 64 * 1024;
/// One chunk of a base, uncompressed. Bytes. A multiple of every SQLite page size.
pub const CHUNK_BYTES: usize = 1024 * 1024;
/// A chunk is packed in pieces of so much, each a zstd frame: unpacking one after the other touches little memory, and that is most
/// of what unpacking a small database takes. Bytes. A multiple of every SQLite page size.
pub(crate) const PIECE_BYTES: usize = 128 * 1024;
/// A delta is only worth a new base above this many uncompressed bytes...
pub const BASE_SWITCH_MIN_BYTES: u64 = 1024 * 1024;
/// ...and above this share of the database. Percent.
pub const BASE_SWITCH_PERCENT: u64 = 25;
/// More segments than this are worth a compaction; so is [`BASE_SWITCH_PERCENT`] of the base in segments.
pub const COMPACTION_SEGMENTS: usize = 16;
/// An engine that compacts by itself begins to, beside its writes, with this many segments: it merges the young ones. It writes a
/// base once all are large for the database ([`BASE_SWITCH_PERCENT`]).
pub const COMPACTED_BESIDE_SEGMENTS: usize = 32;
/// Segments are merged into one up to this, so that it can be unpacked in memory. Bytes, compressed.
pub const MERGED_MAX_BYTES: u64 = 16 * 1024 * 1024;
/// With this many segments the next commit writes a new base, so that `head` and cold starts stay bounded.
pub const SEGMENTS_MAX: usize = 64;
/// The same while this process compacts, which will take most of them away. 256 are 48 KB of `head`.
pub const SEGMENTS_MAX_MEANWHILE: usize = 256;

/// What a write may leave in `_commits` for its replay, as JSON. Bytes.
pub const RESULT_MAX_BYTES: usize = 256;
/// The longest commit id. Bytes.
pub const COMMIT_ID_MAX_BYTES: usize = 64;
/// How long a row of `_commits` lives, by the store's clock. Milliseconds.
pub const COMMITS_KEPT_MS: u64 = 24 * 60 * 60 * 1000;
/// A write is never run again later than this after its first attempt, by the store's clock. Milliseconds.
/// Half of [`COMMITS_KEPT_MS`]: the row that proves that it landed cannot have been purged yet.
pub const RERUN_MAX_MS: u64 = 12 * 60 * 60 * 1000;
/// Expired rows of `_commits` that one commit removes for each row that it adds, so that no delta grows by a purge.
pub const PURGED_PER_COMMIT: usize = 4;

/// A process drops counts that the store did not take for so long, by its own clock. Milliseconds.
pub const USAGE_BATCH_KEPT_MS: u64 = 3 * 24 * 60 * 60 * 1000;
/// Objects with counts that nobody merged for so long are dropped unread, by the store's clock. Milliseconds.
pub const USAGE_OBJECT_KEPT_MS: u64 = 5 * 24 * 60 * 60 * 1000;
/// How long the name of a batch of counts is remembered, by the store's clock: far longer than any of its copies can be about.
/// Milliseconds.
pub const USAGE_MERGED_KEPT_MS: u64 = 30 * 24 * 60 * 60 * 1000;
/// Batches of counts that one commit takes along.
pub const USAGE_FOLDED_MAX: usize = 4;
/// Batches of counts that one commit of maintenance merges.
pub const USAGE_MERGED_MAX: usize = 64;

/// How old an object must be before it counts as garbage where nothing names it: a writer that stalled for longer loses its
/// PUT instead. By the store's clock. Milliseconds.
pub const FLOOR_MS: u64 = 24 * 60 * 60 * 1000;
/// Every state that was committed within this time can be restored. Milliseconds.
pub const HISTORY_MS: u64 = 7 * 24 * 60 * 60 * 1000;
/// How far back a restore looks for objects, by the store's clock: [`HISTORY_MS`] and an hour for clocks that differ. Milliseconds.
pub const RESTORABLE_MS: u64 = HISTORY_MS + 60 * 60 * 1000;
/// How long trash and history are kept, by the store's clock: a day longer than [`RESTORABLE_MS`], so that a restore never meets a
/// garbage collection that has begun to delete. Milliseconds.
pub const TRASH_KEPT_MS: u64 = RESTORABLE_MS + FLOOR_MS;
/// The clock of a process dates its commits, to the millisecond, if it differs from the store's by no more than this. Otherwise the
/// store's clock does. Milliseconds.
pub const CLOCK_TOLERANCE_MS: u64 = 5_000;
/// Attempts of one compaction, garbage collection or restore.
pub const MAINTENANCE_ATTEMPTS: u32 = 20;

/// A writer that was told so lately that its copy is the newest does not ask again: its PUT of `head` tells. Milliseconds.
pub const TRUSTED_MS: u64 = 300;
/// Commits that a writer makes on one such word: whoever waits beside it for a turn gets a chance.
pub const TRUSTED_COMMITS: u32 = 16;
/// A writer believes that others write too for so long after it has last met one. Milliseconds.
pub const CONTENDED_MS: u64 = 2_000;

/// A lock older than this belongs to nobody, by the store's clock. Milliseconds.
pub const LOCK_MS: u64 = 10_000;
/// Races lost before a writer takes the lock.
pub const LOSSES_BEFORE_LOCK: u32 = 2;
/// After a lost race a writer waits for about twice as long as the race took, and twice as long again for each further loss up to
/// this many. Writers that lose together and try again at once lose together again: eight of them on a store that serves one
/// request at a time then need fifteen requests for a commit, with this wait between four and five (measured).
pub const LOSSES_COUNTED: u32 = 3;
/// First wait for somebody else's lock; grows by half each time. Milliseconds.
pub const LOCK_WAIT_MIN_MS: u64 = 4;
/// Longest wait for somebody else's lock. Milliseconds.
pub const LOCK_WAIT_MAX_MS: u64 = 200;
/// First wait after an answer that says "busy"; doubles each time. Milliseconds.
pub const BACKOFF_MIN_MS: u64 = 20;
/// Longest wait after an answer that says "busy". Milliseconds.
pub const BACKOFF_MAX_MS: u64 = 1_000;

/// How long a process that starts asks a store that does not answer, or is busy. Milliseconds.
pub const START_PATIENCE_MS: u64 = 30_000;
/// Questions for `head` that one process has under way at once; who comes then shares the next.
pub const HEAD_GETS_MAX: usize = 8;
/// A GET or PUT of `head` that takes longer counts as unanswered. Milliseconds.
pub const HEAD_TIMEOUT_MS: u64 = 2_000;
/// The same for chunks, tables and segments. Milliseconds.
pub const OBJECT_TIMEOUT_MS: u64 = 30_000;
/// Times a new bucket is asked whether its conditions hold.
pub const PROBE_ROUNDS: usize = 3;
/// Writers that race each time.
pub const PROBE_WRITERS: usize = 8;
/// Memory that a thread keeps for unpacking the next piece. Bytes.
pub(crate) const UNPACKED_KEPT_BYTES: usize = CHUNK_BYTES;
/// A packed delta up to this is unpacked at once, a larger one on a thread for blocking work. Bytes.
pub(crate) const INLINE_UNPACK_BYTES: usize = 128 * 1024;
/// A base of so many chunks is unpacked at once where nobody reads yet: that takes less than making threads for it.
pub(crate) const INLINE_UNPACK_CHUNKS: usize = 2;
/// Pieces that are unpacked at once, each in memory of its own.
pub(crate) const UNPACKED_AT_ONCE: usize = 4;
/// Objects fetched or stored at once.
pub const PARALLEL_OBJECTS: usize = 16;
/// Chunks packed and stored at once by a compaction beside writes, which shall hardly feel it.
pub const PARALLEL_CHUNKS_BESIDE: usize = 2;
/// Times a catch-up begins again because `head` moved under it.
pub const SYNC_ATTEMPTS: u32 = 20;

/// Writes that share one commit at most.
pub const BATCH_MAX: usize = 256;
/// The longest that a commit waits for those who were just answered and may want to share it. Milliseconds.
pub(crate) const GATHER_MAX_MS: u64 = 5;
/// Writes that wait at most; more are answered [`crate::Error::Unavailable`].
pub const QUEUE_MAX: usize = 4_096;
/// What [`crate::Error::Unavailable`] suggests. Milliseconds.
pub const RETRY_AFTER_MS: u64 = 1_000;

/// Default of [`crate::Options::read_timeout_ms`].
pub const READ_TIMEOUT_MS: u64 = 5_000;
/// Default of [`crate::Options::write_deadline_ms`]: longer than [`LOCK_MS`], so that a dead holder can be outlived.
pub const WRITE_DEADLINE_MS: u64 = 20_000;
/// Default of [`crate::Options::page_size`]. Bytes.
pub const PAGE_SIZE: u32 = 4_096;

/// Prepared statements that a connection keeps.
pub(crate) const STATEMENTS_CACHED: usize = 64;
/// Steps of SQLite's machine between two looks at the deadline: some tens of microseconds.
pub(crate) const STEPS_PER_DEADLINE_CHECK: i32 = 4_000;
/// Rows that [`crate::Change`] names at most.
pub(crate) const CHANGED_ROWS_MAX: usize = 4_096;
/// Idle read connections that are kept.
pub(crate) const IDLE_READERS_MAX: usize = 64;
/// The page cache of one connection. KiB.
pub(crate) const PAGE_CACHE_KIB: i64 = 4_096;
/// SQLite never writes the page that holds this byte.
pub(crate) const LOCK_BYTE: u32 = 1 << 30;
/// zstd's level for deltas and chunks. Encrypted fields leave little to find: level 3 saves next to nothing more, and makes
/// commits a third dearer (measured).
pub(crate) const ZSTD_LEVEL: i32 = 1;

/// The limits that decide the shape of `head`. A simulation makes them small, so that little data goes every way.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tuning {
    /// [`INLINE_DELTA_MAX_BYTES`].
    pub(crate) inline_delta_max_bytes: usize,
    /// [`TAIL_MAX_BYTES`].
    pub(crate) tail_max_bytes: usize,
    /// [`BASE_SWITCH_MIN_BYTES`].
    pub(crate) base_switch_min_bytes: u64,
    /// [`SEGMENTS_MAX`].
    pub(crate) segments_max: usize,
    /// [`SEGMENTS_MAX_MEANWHILE`].
    pub(crate) segments_max_meanwhile: usize,
    /// [`COMPACTION_SEGMENTS`].
    pub(crate) compaction_segments: usize,
    /// [`COMPACTED_BESIDE_SEGMENTS`].
    pub(crate) compacted_beside_segments: usize,
    /// [`CHUNK_BYTES`].
    pub(crate) chunk_bytes: usize,
}

impl Default for Tuning {
    fn default() -> Self {
        Self {
            inline_delta_max_bytes: INLINE_DELTA_MAX_BYTES,
            tail_max_bytes: TAIL_MAX_BYTES,
            base_switch_min_bytes: BASE_SWITCH_MIN_BYTES,
            segments_max: SEGMENTS_MAX,
            segments_max_meanwhile: SEGMENTS_MAX_MEANWHILE,
            compaction_segments: COMPACTION_SEGMENTS,
            compacted_beside_segments: COMPACTED_BESIDE_SEGMENTS,
            chunk_bytes: CHUNK_BYTES,
        }
    }
}
