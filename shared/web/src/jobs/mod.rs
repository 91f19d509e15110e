//! Background jobs: mail delivery and maintenance.
//!
//! No request waits for these jobs. The `maintenance` function runs them on Lambda, on a schedule; `bespoke serve` runs them on a timer, and
//! sends mails right after the commit that queued them. Every job may be repeated, and may run in two processes at the same
//! time.
//!
//! This module depends on `state` and `objects`, and must not depend on a route or a host.
//!
//! To add a job, add a variant of [`maintenance::Task`] to one of its lists (`FREQUENT` or `RARE`), and its code to `Context::maintain`.

mod mail;
pub mod maintenance;
