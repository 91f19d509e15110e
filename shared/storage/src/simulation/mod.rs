//! Deterministic simulation of many processes on one store.
//!
//! # Purpose
//!
//! The simulation shows that no schedule of calls, faults, crashes and stalls loses a write, applies one twice, or
//! makes one visible in part. The engine is the real one. Its store, its clock, its randomness and its scheduler are
//! simulated on one thread, and follow from a seed. The local copies are SQLite files or, for many more schedules in
//! the same time, a model of pages ([`Model`]).
//!
//! # Contents
//!
//! - `schedule`: one schedule. `starts` begins operations and processes, `faults` injects faults, and `invariants`
//!   checks the results.
//! - `network`: the store and the time. Every call waits until the schedule delivers it, and again until it is
//!   answered.
//! - `endpoints`: the store and the clock of a process.
//! - `checker` and `restorable`: check the objects in the store at every PUT of `head`, and at the end.
//! - `executor`: polls the tasks. `dice` makes random decisions.
//! - `process`, `operation` and `model`: the processes, their operations, and the model of SQLite.
//! - `plan` and `report`: the parameters and the results.
//!
//! # Dependencies
//!
//! The simulation depends on all other modules, and no other module depends on it.
//!
//! # Failures
//!
//! A failure is reported with its seed. Playing that seed again gives the same schedule, which is then recorded step by
//! step.
//!
//! # Adding an operation or a fault
//!
//! An operation is a variant of `operation::Kind`, with its probability in `Kind::any`. A fault is a branch of
//! `Schedule::inject_fault`. For a new rule of the protocol, add an [`Ablation`](crate::Ablation) and a test in
//! `tests/simulation.rs` that the simulation fails without the rule.

mod checker;
mod dice;
mod endpoints;
mod executor;
mod faults;
mod invariants;
mod model;
mod network;
mod operation;
mod plan;
mod process;
mod report;
mod restorable;
mod schedule;
mod starts;

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

pub use model::Model;
pub use plan::{Copies, Plan};
pub use report::{SimulationFailure, SimulationReport, SimulationStatistics};

use schedule::Schedule;

/// Plays one schedule.
///
/// # Errors
/// The violation and the recorded schedule.
pub fn play(seed: u64, plan: &Plan) -> Result<SimulationStatistics, Box<SimulationFailure>> {
    Schedule::new(seed, plan, false)
        .play()
        .map_err(|failure| match Schedule::new(seed, plan, true).play() {
            Err(recorded) if recorded.what == failure.what => Box::new(recorded),
            _ => Box::new(SimulationFailure {
                what: format!("{} (and not again: the simulation is not deterministic)", failure.what),
                ..failure
            }),
        })
}

/// Plays a schedule for each seed on `threads` threads. Ends after `failures_max` failures. Calls `progress` with the
/// number of completed schedules.
pub fn simulate(
    seeds: Range<u64>,
    plan: &Plan,
    threads: usize,
    failures_max: usize,
    progress: &(dyn Fn(u64) + Sync),
) -> SimulationReport {
    let (next, done) = (AtomicU64::new(seeds.start), AtomicU64::new(0));
    let report = Mutex::new(SimulationReport::default());
    let locked = || report.lock().unwrap_or_else(PoisonError::into_inner);
    std::thread::scope(|scope| {
        for _ in 0..threads.max(1) {
            scope.spawn(|| {
                let mut statistics = SimulationStatistics::default();
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds.end || locked().failures.len() >= failures_max {
                        break;
                    }
                    match play(seed, plan) {
                        Ok(played) => statistics.add(&played),
                        Err(failure) => locked().failures.push(*failure),
                    }
                    progress(done.fetch_add(1, Ordering::Relaxed) + 1);
                }
                locked().statistics.add(&statistics);
            });
        }
    });
    let mut report = report.into_inner().unwrap_or_else(PoisonError::into_inner);
    report.failures.sort_by_key(|failure| failure.seed);
    report
}
