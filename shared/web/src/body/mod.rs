//! The body of a request: size limits, decompression, and the JSON and YAML parsers.
//!
//! A handler takes [`Body`] (JSON) or [`DocumentBody`] (JSON or YAML) as its last argument. The extractor checks the announced length, reserves
//! memory, reads the body within a deadline, decompresses it, and parses it. A parser checks its bounds before or while it parses, so that
//! time and memory grow linearly with the body; `tests/linear.rs` of this crate counts the steps. The result is a [`JsonObject`], from which
//! the modules of `content` take their fields.
//!
//! This module must not know the fields of any route.
//!
//! To add a format, add a variant of `parse::Format` with constant bounds, a content type in `extract`, a function of
//! [`fuzzing`](crate::fuzzing), and a case in `tests/linear.rs`.

mod extract;
mod json_object;
mod parse;

pub(crate) use extract::BodyLimit;
pub use extract::{Body, DocumentBody};
pub use json_object::{JsonObject, truthy};
pub(crate) use parse::{Encoding, Format, yaml_cost};
