//! Converts rows of the legacy database to records.
//!
//! `tables` lists the tables and their columns. For each table, one function of `accounts` or `content` reads the
//! columns of a row with `Fields` and returns a `Converted`.
//!
//! **Does not depend on** the file of the legacy database and on the order of its rows.
//!
//! **To add a table,** write its function and add an entry to `TABLES`.

mod accounts;
mod content;
mod converted;
mod fields;
mod tables;

pub(super) use converted::Converted;
pub(super) use fields::{Fields, RowContext, cell, shown};
pub(super) use tables::{TABLES, Table};
