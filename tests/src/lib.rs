//! Tests that need more than one crate, and their support code.
//!
//! [`support`] runs built binaries as their host would. It implements the host's protocol and knows none of our routes.
//! To add another host, give it a module there and test it with `examples/echo.rs`.

pub mod support;
