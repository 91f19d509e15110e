//! Rules of the protocol that a test can switch off, one at a time.
//!
//! A simulation without a rule must fail. Otherwise either the rule is superfluous or the simulation does not exercise
//! it.

/// A rule that a test switches off.
#[doc(hidden)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ablation {
    /// A write runs without a lookup of its id in `_commits`.
    NoCommitsTest,
    /// A store checks the condition of a PUT when it arrives and applies the PUT later.
    CheckThenAct,
    /// A compaction whose PUT got no response applies its edit again.
    CompactionReapplied,
    /// A compaction whose PUT was rejected applies its edit again without comparing base ids.
    NoBaseIds,
    /// A compaction reads the current local copy instead of a snapshot of the state that it started with.
    CompactionReadsOn,
    /// A compaction puts its base without comparing it with the garbage floor.
    CompactionForgetsFloor,
    /// Garbage is deleted without a preceding PUT of `head` that raises the floor.
    GcWithoutFloor,
    /// Garbage collection gets `head` before it lists the objects.
    GetBeforeList,
    /// Commits that leave `head` together are not stored as history.
    NoHistory,
    /// Garbage collection keeps history no longer than other objects that `head` does not name.
    HistoryIsGarbage,
    /// A write is retried however long ago its first attempt was.
    RerunAfterPurge,
    /// A commit that applies counter batches does not record their names.
    UsageWithoutName,
    /// The names of applied counter batches are kept for one day only.
    MergedPurgedAfterADay,
}
