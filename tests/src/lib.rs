//! The tests that need more than one crate, and what they stand on.
//!
//! [`support`] drives built binaries the way their host would. It knows the host's protocol and nothing of our routes.
//! To add one more host, give it a module there and prove it against `examples/echo.rs`.

pub mod support;
