//! Fuzz target: the object `head` of the storage engine.

#![no_main]

use bespoke_storage::fuzzing;

// The JSON ends at the first zero byte, which never occurs in JSON.
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    fuzzing::head(&bytes[..end], bytes.get(end + 1..).unwrap_or_default());
});
