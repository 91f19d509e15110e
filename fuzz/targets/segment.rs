//! Fuzz target: segments of the storage engine.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| bespoke_storage::fuzzing::segment(bytes));
