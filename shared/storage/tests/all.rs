//! The tests of the storage engine through its public interface. They are one program, because each test program takes seconds to link.

#![allow(clippy::unwrap_used, reason = "helpers of tests do not count as tests")]

mod bad_days;
mod conformance;
mod crowd;
mod engine;
mod faults;
mod freshness;
mod maintenance;
mod objects;
mod races;
mod restore;
mod simulation;
mod starts;
mod support;
mod usage;
