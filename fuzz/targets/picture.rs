//! Fuzz target: uploaded pictures.

#![no_main]

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bespoke_services::images::prepare;

// The input as a client sends it, and the file in it.
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Ok(text) = std::str::from_utf8(bytes) {
        let _ = prepare(text);
    }
    let _ = prepare(&format!("data:image/png;base64,{}", STANDARD.encode(bytes)));
});
