//! Background jobs and restores.
//!
//! # Contents
//!
//! - `compaction`: writes a new base or merges segments, so that `head` and cold starts stay small. `compaction_policy`
//!   decides when.
//! - `garbage`: deletes the objects that neither `head` nor a possible restore needs.
//! - `restore`: makes an earlier state the current one. `timeline` finds the states that can be restored, and the
//!   routes to them.
//! - `usage`: stores batches of usage counters as objects, and applies them to the database later.
//! - `objects`: reads trash objects.
//!
//! # Dependencies
//!
//! This module depends on `commit`, `sync`, `copy`, `format` and `store`. Nothing but the engine depends on it.
//! `timeline` does no I/O, so that the checker of the simulation uses the same code.
//!
//! # Data flow
//!
//! The `maintenance` function runs the jobs on Lambda, and `bespoke serve` runs them on a timer. In addition, the
//! writer of a long-lived process starts a compaction after a commit that makes one worthwhile. A job prepares its
//! objects while writes continue, and then puts `head` like any writer: under its ETag, with the lock after several
//! lost races. Before an object leaves `head`, its name is stored in the trash. Garbage collection raises the floor in
//! `head` before it deletes, so that a process that stalled for a day cannot name a deleted object.
//!
//! # Adding a job
//!
//! Write a type with its dependencies as fields and a method that makes one attempt. Repeat the attempt up to
//! [`MAINTENANCE_ATTEMPTS`](crate::limits::MAINTENANCE_ATTEMPTS) times after a lost race. Add a method to `engine`, and
//! an operation to the simulation.

pub(crate) mod compaction;
pub(crate) mod compaction_policy;
pub(crate) mod garbage;
pub(crate) mod objects;
pub(crate) mod restore;
pub(crate) mod timeline;
pub(crate) mod usage;
