//! Fuzz target: the parsers of untrusted text: YAML, JSON, e-mail addresses, `.env` files, trace headers and networks.

#![no_main]

use bespoke_core::Networks;
use bespoke_core::validate::{clean_email, is_email};
use bespoke_web::fuzzing;

/// YAML events that aliases may repeat, and those of an empty document.
const FIXED_EVENTS: usize = 10_100;
/// Maximum length of a `tracestate` that is propagated, in bytes.
const MAX_STATE_BYTES: usize = 512;

// The first byte selects the parser for the other bytes.
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Some((parser, bytes)) = bytes.split_first() else {
        return;
    };
    let text = String::from_utf8_lossy(bytes);
    match parser % 6 {
        0 => {
            fuzzing::yaml(bytes);
            let (events, _) = fuzzing::yaml_cost(bytes);
            assert!(events <= 2 * bytes.len() + FIXED_EVENTS, "{events} events");
        }
        1 => _ = fuzzing::json(bytes),
        2 => _ = is_email(&clean_email(&text)),
        3 => _ = fuzzing::env_file(&text),
        4 => {
            if let Some(context) = fuzzing::trace_context(bytes) {
                let written = context.traceparent();
                assert_eq!(written.as_bytes()[2..53], bytes[2..53]);
                assert!(context.state.is_none_or(|state| state.len() <= MAX_STATE_BYTES));
            }
        }
        _ => _ = Networks::parse(text.split(',')),
    }
});
