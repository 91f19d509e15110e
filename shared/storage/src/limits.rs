//! Constants of the engine: limits with their units, and reasons where a value is not arbitrary.
//!
//! # Glossary
//!
//! - `head`: the one mutable object. It names the base and the segments, and contains the newest deltas.
//! - Delta: the pages that one commit, or several consecutive commits, changed.
//! - Tail: the newest deltas, which are stored inside `head`.
//! - Segment: a delta in an object of its own.
//! - Base: the database file, stored as chunks and a table of their names. Segments and tail are applied to it.
//! - Chunk: a part of a base in an object of its own. It consists of zstd frames.
//! - Trash: lists of objects that a change of `head` made unreferenced. They are kept for some days for restores.
//! - Garbage: objects that may be deleted, because neither `head` nor a restore needs them.
//! - Frozen usage batch: usage counters that a process has closed as one batch, and that wait in its memory until a
//!   commit applies them or they are stored.

/// Version of the storage format in the bucket: the one that this code writes, and the newest that it reads.
pub const FORMAT: u32 = 1;

/// Maximum size of `head`, in bytes.
pub const HEAD_MAX_BYTES: usize = 256 * 1024;
/// Maximum total size of the newest deltas, which are stored inside `head` (its tail), in bytes.
pub const TAIL_MAX_BYTES: usize = 128 * 1024;
/// A larger compressed delta becomes a segment instead of a part of `head`, in bytes.
pub const INLINE_DELTA_MAX_BYTES: usize = 64 * 1024;
/// Uncompressed length of a chunk of a base. Bytes. A multiple of every SQLite page size.
pub const CHUNK_BYTES: usize = 1024 * 1024;
/// Uncompressed length of a zstd frame in a chunk. Bytes. A multiple of every SQLite page size.
///
/// Touching fresh memory dominates the time to decompress a small database; decompression frame by frame touches
/// little.
pub(crate) const ZSTD_FRAME_BYTES: usize = 128 * 1024;
/// A commit writes a new base instead of a delta only if the delta has more uncompressed bytes than this. It starts a
/// compaction because of the size of the segments only if they have more stored bytes than this.
pub const BASE_SWITCH_MIN_BYTES: u64 = 1024 * 1024;
/// A new base replaces a delta or the segments because of their size only if they exceed this share of the database.
/// Percent.
pub const BASE_SWITCH_PERCENT: u64 = 25;
/// A scheduled compaction runs only with more segments than this, or if the segments exceed [`BASE_SWITCH_PERCENT`] of
/// the database.
pub const COMPACTION_SEGMENTS: usize = 16;
/// A commit that leaves at least this many segments starts a compaction in the background, if its process allows that.
/// The compaction merges the young segments. If fewer than half of the segments can be merged, it writes a base.
pub const BACKGROUND_COMPACTION_SEGMENTS: usize = 32;
/// Maximum size of a merged segment, so that it can be decompressed in memory. Compressed bytes.
pub const MERGED_MAX_BYTES: u64 = 16 * 1024 * 1024;
/// The number of segments at which a commit that would add another one writes a new base itself, so that `head` and cold
/// starts remain bounded.
pub const SEGMENTS_MAX: usize = 64;
/// The limit instead of [`SEGMENTS_MAX`] while this process compacts, because the compaction will remove most segments.
/// 256 segments take 48 KB of `head`.
pub const SEGMENTS_MAX_DURING_COMPACTION: usize = 256;

/// Maximum size of the result of a write, which is recorded as JSON in `_commits`, in bytes.
pub const RESULT_MAX_BYTES: usize = 256;
/// Maximum length of a commit id, in bytes.
pub const COMMIT_ID_MAX_BYTES: usize = 64;
/// Lifetime of a row of `_commits`, by the store's clock, in milliseconds.
pub const COMMITS_KEPT_MS: u64 = 24 * 60 * 60 * 1000;
/// A write is not retried later than this after its first attempt, by the store's clock, in milliseconds.
///
/// Half of [`COMMITS_KEPT_MS`], so that the row that reveals an earlier success cannot have been purged.
pub const RETRY_MAX_MS: u64 = 12 * 60 * 60 * 1000;
/// Number of expired rows of `_commits` that a commit purges for each row that it adds. It is small so that no delta
/// grows by a purge.
pub const PURGED_PER_COMMIT: usize = 4;

/// A process drops usage batches that it has not stored or applied within this time, by its own clock, in milliseconds.
pub const USAGE_BATCH_KEPT_MS: u64 = 3 * 24 * 60 * 60 * 1000;
/// Objects with usage batches that were not applied within this time are deleted, by the store's clock, in milliseconds.
pub const USAGE_OBJECT_KEPT_MS: u64 = 5 * 24 * 60 * 60 * 1000;
/// Lifetime of the recorded name of an applied usage batch, by the store's clock, in milliseconds.
///
/// Much longer than the lifetimes of the batch in a process and in the store, so that no batch is applied twice.
pub const USAGE_NAME_KEPT_MS: u64 = 30 * 24 * 60 * 60 * 1000;
/// Maximum number of its own process's usage batches that one commit applies.
pub const USAGE_BATCHES_PER_COMMIT: usize = 4;
/// Maximum number of stored usage batches that a commit of maintenance applies.
pub const USAGE_BATCHES_PER_MERGE: usize = 64;

/// Minimum age of garbage, by the store's clock, in milliseconds.
///
/// A writer that stalls for longer between storing an object and referring to it from `head` loses its PUT of `head`.
pub const GARBAGE_MIN_AGE_MS: u64 = 24 * 60 * 60 * 1000;
/// Every state that was committed within this time can be restored, in milliseconds.
pub const HISTORY_MS: u64 = 7 * 24 * 60 * 60 * 1000;
/// Maximum age of the objects that a restore uses, by the store's clock, in milliseconds.
///
/// [`HISTORY_MS`] and an hour, because clocks differ.
pub const RESTORABLE_MS: u64 = HISTORY_MS + 60 * 60 * 1000;
/// Lifetime of trash and history, by the store's clock, in milliseconds.
///
/// A day longer than [`RESTORABLE_MS`], so that garbage collection does not delete an object during a restore that uses
/// it.
pub const TRASH_KEPT_MS: u64 = RESTORABLE_MS + GARBAGE_MIN_AGE_MS;
/// Maximum difference between the clocks of process and store, in milliseconds, up to which the local clock dates
/// commits. The local clock is preferred, because a store may report whole seconds only.
pub const CLOCK_TOLERANCE_MS: u64 = 5_000;
/// Maximum number of attempts of a compaction, a garbage collection or a restore.
pub const MAINTENANCE_ATTEMPTS: u32 = 20;

/// Maximum age of the last revalidation of `head`, in milliseconds, at which a writer commits without another one. Its
/// PUT of `head` fails if the copy is outdated.
pub const HEAD_TRUSTED_MS: u64 = 300;
/// Maximum number of commits after one revalidation, so that writers of other processes get a chance.
pub const HEAD_TRUSTED_COMMITS: u32 = 16;
/// A writer assumes contention for this time after it last lost against another process, in milliseconds.
pub const CONTENDED_MS: u64 = 2_000;
/// Number of commits that a contention window contains at least if other processes write too. Passing on to another
/// writer costs one round trip, so that a window of one commit would take as long as one of two.
pub const CONTENDED_COMMITS_MIN: u32 = 2;
/// Duration of a contention window if other processes write too, in milliseconds. On a fast store, it allows several
/// commits.
pub const CONTENDED_WINDOW_MS: u64 = 40;
/// A writer counts as active for this time after its last commit, in milliseconds.
pub const ACTIVE_WRITER_MS: u64 = 30_000;
/// Maximum number of recent writers in `head`.
pub const RECENT_WRITERS_MAX: usize = 64;
/// Maximum time that a writer waits for the windows of others, in milliseconds.
pub const WINDOW_WAIT_MAX_MS: u64 = 4_000;

/// Lifetime of the lock in `head`, by the store's clock, in milliseconds.
pub const LOCK_MS: u64 = 10_000;
/// Number of lost races after which a writer takes the lock.
pub const LOSSES_BEFORE_LOCK: u32 = 2;
/// Maximum number of doublings of the wait after a lost race. The first wait is about twice as long as the race took.
///
/// Without the wait, writers that lose together retry together and lose again: eight writers on a store that serves one
/// request at a time need 15 requests for each commit, and between 4 and 5 with the wait (measured).
pub const RACE_BACKOFF_DOUBLINGS_MAX: u32 = 3;
/// First wait for the lock of another process, in milliseconds. It grows by half each time.
pub const LOCK_WAIT_MIN_MS: u64 = 4;
/// Maximum wait for the lock of another process, in milliseconds.
pub const LOCK_WAIT_MAX_MS: u64 = 200;
/// First wait if the object store is overloaded or temporarily unavailable, in milliseconds. It doubles each time.
pub const BUSY_BACKOFF_MIN_MS: u64 = 20;
/// Maximum wait if the object store is overloaded or temporarily unavailable, in milliseconds.
pub const BUSY_BACKOFF_MAX_MS: u64 = 1_000;

/// A starting process retries for this time if the store is busy or does not respond, in milliseconds.
pub const START_PATIENCE_MS: u64 = 30_000;
/// Maximum number of GETs of `head` that a process has in flight. Further callers share the next one.
pub const HEAD_GETS_MAX: usize = 8;
/// Time limit of a GET or PUT of `head`, in milliseconds.
pub const HEAD_TIMEOUT_MS: u64 = 2_000;
/// Time limit of a request for another object, in milliseconds.
pub const OBJECT_TIMEOUT_MS: u64 = 30_000;
/// Number of races in which a new bucket has to prove that its conditional PUT is atomic.
pub const PROBE_ROUNDS: usize = 3;
/// Number of writers in each of these races.
pub const PROBE_WRITERS: usize = 8;
/// Maximum size of the decompression buffer that a thread keeps, in bytes.
pub(crate) const DECOMPRESSION_BUFFER_MAX_BYTES: usize = CHUNK_BYTES;
/// A larger delta is decompressed on a thread for blocking work. Compressed bytes.
pub(crate) const INLINE_DECOMPRESSION_MAX_BYTES: usize = 128 * 1024;
/// A base with more chunks is decompressed on threads for blocking work. For a process whose local copy is still empty,
/// and so has no reads to delay, fewer chunks decompress faster than threads start.
pub(crate) const INLINE_DECOMPRESSION_MAX_CHUNKS: usize = 2;
/// Maximum number of segments and chunks that are decompressed at once on threads for blocking work, each in a buffer
/// of its own.
pub(crate) const PARALLEL_DECOMPRESSIONS: usize = 4;
/// Maximum number of objects that are fetched or stored at once.
pub const PARALLEL_OBJECTS: usize = 16;
/// Maximum number of chunks that a background compaction packs and stores at once. It is small so that writes hardly
/// slow down.
pub const PARALLEL_CHUNKS_IN_BACKGROUND: usize = 2;
/// Maximum number of attempts to bring the local copy up to date with `head`. Each further attempt follows a change of
/// `head`.
pub const SYNC_ATTEMPTS: u32 = 20;

/// Maximum number of writes in a batch.
pub const BATCH_MAX: usize = 256;
/// Maximum time that a batch waits until the callers of the previous batch have queued their next writes (group
/// commit), in milliseconds.
pub(crate) const BATCH_WAIT_MAX_MS: u64 = 5;
/// Maximum number of writes in the queue. Further writes return [`crate::Error::Unavailable`].
pub const QUEUE_MAX: usize = 4_096;
/// Time after which a caller may retry, as suggested by [`crate::Error::Unavailable`], in milliseconds.
pub const RETRY_AFTER_MS: u64 = 1_000;

/// Default of [`crate::Options::read_timeout_ms`].
pub const READ_TIMEOUT_MS: u64 = 5_000;
/// Default of [`crate::Options::write_deadline_ms`]. Longer than [`LOCK_MS`], so that the lock of a process that died
/// expires first.
pub const WRITE_DEADLINE_MS: u64 = 20_000;
/// Default of [`crate::Options::page_size`], in bytes.
pub const PAGE_SIZE: u32 = 4_096;

/// Size of the statement cache of a connection.
pub(crate) const STATEMENTS_CACHED: usize = 64;
/// Number of steps of SQLite's virtual machine between two checks of the deadline. They take some tens of microseconds.
pub(crate) const STEPS_PER_DEADLINE_CHECK: i32 = 4_000;
/// Maximum number of rows in a [`crate::Change`].
pub(crate) const CHANGED_ROWS_MAX: usize = 4_096;
/// Maximum number of idle read connections.
pub(crate) const IDLE_READERS_MAX: usize = 64;
/// Size of the page cache of a connection. KiB.
pub(crate) const PAGE_CACHE_KIB: i64 = 4_096;
/// Offset of the byte that SQLite uses for locks. SQLite never writes the page with this byte.
pub(crate) const LOCK_BYTE: u32 = 1 << 30;
/// Compression level of zstd for deltas and chunks.
///
/// Encrypted fields hardly compress. Level 3 saves almost no additional bytes and makes a commit a third slower
/// (measured).
pub(crate) const ZSTD_LEVEL: i32 = 1;

/// The limits that determine the shape of `head`. A simulation uses small ones, so that little data exercises every
/// case.
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
    /// [`SEGMENTS_MAX_DURING_COMPACTION`].
    pub(crate) segments_max_during_compaction: usize,
    /// [`COMPACTION_SEGMENTS`].
    pub(crate) compaction_segments: usize,
    /// [`BACKGROUND_COMPACTION_SEGMENTS`].
    pub(crate) background_compaction_segments: usize,
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
            segments_max_during_compaction: SEGMENTS_MAX_DURING_COMPACTION,
            compaction_segments: COMPACTION_SEGMENTS,
            background_compaction_segments: BACKGROUND_COMPACTION_SEGMENTS,
            chunk_bytes: CHUNK_BYTES,
        }
    }
}
