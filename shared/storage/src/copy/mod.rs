//! The local copy: the database as a SQLite file of one process.
//!
//! # Contents
//!
//! - `replica`: the local copy with the `head` that it corresponds to, behind a reader/writer lock.
//! - `local_copy`: the file with its version, page count and checksum.
//! - `snapshot`: copy-on-write snapshots of the file, for compactions.
//! - `file_builder`: builds a database file from the pieces that a `head` names, in any order.
//! - `readers` and `write_session`: the connections of SQLite. `deadline`, `authorizer` and `row_changes` watch them.
//! - `backend`, `folder` and `pages`: the place of the file. A simulation uses memory instead.
//! - `engine_tables`: the engine's own tables inside the database.
//!
//! # Dependencies
//!
//! This module depends on `format` and `store` (for ETags), and on neither `sync`, `commit` nor `maintenance`. It sends
//! no request to the store.
//!
//! # Data flow
//!
//! The copy is a cache: every acknowledged write is in the store, so nothing is fsynced. A read holds the lock shared
//! and uses a connection that opens the file as immutable. A change holds the lock exclusively: it closes the readers,
//! saves the old pages for snapshots, writes the pages, and publishes the new `head`. If a change fails halfway, the
//! copy is marked dirty. `sync` then replaces it, and no reader sees it.
//!
//! # Adding a backend
//!
//! Implement [`CopyBackend`](backend::CopyBackend) here and `Staging` in `commit`, and open an engine with both.
//! `simulation::model` is an example.

pub(crate) mod authorizer;
pub(crate) mod backend;
pub(crate) mod deadline;
pub(crate) mod engine_tables;
pub(crate) mod file_builder;
pub(crate) mod folder;
pub(crate) mod known_head;
pub(crate) mod local_copy;
pub(crate) mod pages;
pub(crate) mod readers;
pub(crate) mod replica;
pub(crate) mod row_changes;
pub(crate) mod snapshot;
pub(crate) mod write_session;
