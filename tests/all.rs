//! Tests that need more than one crate, in one binary.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

mod clients;
mod command;
mod connections;
mod env_files;
mod imports;
mod lambda;
mod lookups;
mod metrics;
mod moving;
mod programs;
mod readme;
mod routes;
mod spans;
mod workspace;
mod yaml_readers;
