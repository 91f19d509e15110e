//! Fuzz target: write-ahead logs of SQLite.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| bespoke_storage::fuzzing::log(bytes));
