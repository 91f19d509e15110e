//! The stored formats: bytes in, values out.
//!
//! # Contents
//!
//! - `keys`: the keys of all objects.
//! - `head`: the one mutable object. `head_edit` computes its successors.
//! - `delta`: the pages that a commit changed. A segment is one encoded delta in an object of its own.
//! - `chunk_table`: a base, which is the database file in chunks, and the table that names the chunks.
//! - `history`: single commits, so that every state of the last days can be restored.
//! - `trash`: the objects that a change of `head` made useless.
//! - `wal`: the write-ahead log of SQLite, from which a delta is read.
//! - `frame`, `checksum` and `compression`: building blocks of the other formats.
//!
//! # Dependencies
//!
//! This module does no I/O and knows neither clock nor randomness. It depends on `error`, `limits` and `version` only.
//! Every `decode` accepts arbitrary bytes: it returns an error that names the damage and never panics. `fuzzing`
//! exposes the decoders to the fuzz targets.
//!
//! # Data flow
//!
//! A commit leaves its pages in SQLite's log. `wal` turns the log into a `Delta`, which is encoded into the tail of
//! `head`. When the tail is full, its deltas become a segment for readers and a history object for restores. A
//! compaction writes the database as chunks and a table, and puts the names of the objects that it replaces into a
//! trash object.
//!
//! # Adding a format
//!
//! Give it a prefix in `keys` and a module with `encode` and `decode`. Test a round trip, every truncation and every
//! flipped byte. Add the decoder to `fuzzing`, and the prefix to the list of garbage collection if such objects can
//! become garbage. A change that older code cannot read raises [`FORMAT`](crate::limits::FORMAT).

pub(crate) mod checksum;
pub(crate) mod chunk_table;
pub(crate) mod compression;
pub(crate) mod delta;
pub(crate) mod frame;
pub(crate) mod head;
pub(crate) mod head_edit;
pub(crate) mod history;
pub(crate) mod keys;
pub(crate) mod trash;
pub(crate) mod wal;
