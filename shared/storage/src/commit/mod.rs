//! Commits writes: runs them locally, stores their pages, and replaces `head` under its ETag.
//!
//! # Contents
//!
//! - `write`: one write with its closure, its result and its reply.
//! - `queue`: the write queue, from which batches are formed (group commit).
//! - `writer`: the task that commits batch after batch, and retries.
//! - `staging` and `transaction`: run a batch in a local transaction and read the changed pages from SQLite's log.
//! - `placement`: decides whether the pages go into `head`, into segments, or into a new base.
//! - `committer`, `publisher` and `base`: store objects and put `head`.
//! - `contention` and `lock`: fairness between writers of different processes.
//! - `usage` and `usage_transaction`: batches of usage counters that a commit applies.
//!
//! # Dependencies
//!
//! This module depends on `sync`, `copy`, `format` and `store`. It does not know `maintenance`: a compaction is started
//! through the callback that the writer calls after each commit.
//!
//! # Data flow
//!
//! A caller queues a write. The writer takes all waiting writes as one batch and makes sure that the local copy is
//! current, by a revalidation or because a recent one is still trusted. `transaction` runs the closures, each in a
//! savepoint, in one local transaction, whose pages stay in SQLite's log. The committer stores them and puts `head`
//! under the ETag of the known `head`. If the PUT is accepted, the batch is committed: the log is moved into the local
//! file and the callers get their results. If the PUT is rejected, the log is deleted and the batch starts again on the
//! newer `head`. If the response is lost, the outcome is unknown: the next attempt finds the ids of the batch in the
//! table `_commits` if the PUT succeeded after all.
//!
//! # Adding a side effect of commits
//!
//! Put it into the same transaction, as `usage_transaction` does, or into the callback after the commit if it may be
//! lost.

pub(crate) mod base;
pub(crate) mod committer;
pub(crate) mod contention;
pub(crate) mod error;
pub(crate) mod lock;
pub(crate) mod placement;
pub(crate) mod publisher;
pub(crate) mod queue;
pub(crate) mod staging;
pub(crate) mod transaction;
pub(crate) mod usage;
pub(crate) mod usage_transaction;
pub(crate) mod write;
pub(crate) mod writer;
