//! Seeded simulations of many processes on one store.
//!
//! What this is for: to show that no schedule of calls, faults, crashes and stalls loses a write, doubles one, or shows one half
//! done. The engine is the real one; only its store, its clock, its randomness and its scheduler are played, on one thread, by a
//! seed. The local copies are SQLite's, or, for many more schedules in the same time, a model of pages ([`Model`]).
//!
//! A failure comes with its seed; playing that seed again gives the same schedule, and prints it.

mod checker;
mod dice;
mod doors;
mod executor;
mod faults;
mod model;
mod network;
mod operation;
mod process;
mod restorable;
mod schedule;
mod starts;
mod verdict;

use std::ops::Range;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

pub use model::Model;

use crate::engine::Ablation;
use schedule::Schedule;

/// What the local copies of a simulation are.
#[derive(Debug, Clone)]
pub enum Copies {
    /// A model in memory: thousands of schedules a second.
    Model,
    /// SQLite's files, below this folder. Best in memory.
    Sqlite(PathBuf),
}

/// What is played.
#[derive(Debug, Clone)]
pub struct Plan {
    /// What the local copies are.
    pub copies: Copies,
    /// A schedule has at least so many processes, at most 6, and cold readers beside.
    pub processes_min: usize,
    /// A rule of the protocol left out, to see that it is noticed.
    #[doc(hidden)]
    pub ablation: Option<Ablation>,
}

impl Plan {
    /// With 3 processes or more, and every rule kept.
    #[must_use]
    pub fn new(copies: Copies) -> Self {
        Self {
            copies,
            processes_min: 3,
            ablation: None,
        }
    }

    fn is_model(&self) -> bool {
        matches!(self.copies, Copies::Model)
    }

    fn local_dir(&self) -> PathBuf {
        match &self.copies {
            Copies::Model => PathBuf::new(),
            Copies::Sqlite(folder) => folder.clone(),
        }
    }
}

/// What a number of schedules went through.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Schedules.
    pub seeds: u64,
    /// What clients and maintenance began, at least 20 in each schedule.
    pub operations: u64,
    /// Writes that were acknowledged.
    pub acknowledged: u64,
    /// Lost requests and answers, late arrivals, crashes, stalls, jumps of the time; at least 2 in each schedule.
    pub faults: u64,
    /// Calls to the store.
    pub calls: u64,
    /// Accepted PUTs of `head`; all of them checked.
    pub head_puts: u64,
    /// Switches of the base.
    pub bases: u64,
    /// Heads that named other segments than the one before.
    pub segments: u64,
    /// Segments that became one.
    pub merges: u64,
    /// Restores.
    pub restores: u64,
    /// Objects that were deleted.
    pub deleted: u64,
}

impl Statistics {
    fn add(&mut self, other: &Self) {
        self.seeds += other.seeds;
        self.operations += other.operations;
        self.acknowledged += other.acknowledged;
        self.faults += other.faults;
        self.calls += other.calls;
        self.head_puts += other.head_puts;
        self.bases += other.bases;
        self.segments += other.segments;
        self.merges += other.merges;
        self.restores += other.restores;
        self.deleted += other.deleted;
    }
}

/// A schedule that broke a promise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Plays it again.
    pub seed: u64,
    /// Which promise.
    pub what: String,
    /// Step by step: the number of the step, the store's clock, what happened.
    pub schedule: Vec<String>,
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "seed {}: {}", self.seed, self.what)?;
        for line in &self.schedule {
            writeln!(f, "{line}")?;
        }
        Ok(())
    }
}

/// What came of many schedules.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// All of them together.
    pub statistics: Statistics,
    /// Those that failed, by their seeds, with their schedules.
    pub failures: Vec<Failure>,
}

/// Plays one schedule.
///
/// # Errors
/// What went wrong, and the whole schedule.
pub fn play(seed: u64, plan: &Plan) -> Result<Statistics, Box<Failure>> {
    Schedule::new(seed, plan, false)
        .play()
        .map_err(|failure| match Schedule::new(seed, plan, true).play() {
            Err(told) if told.what == failure.what => Box::new(told),
            _ => Box::new(Failure {
                what: format!("{} (and not again: the simulation is not deterministic)", failure.what),
                ..failure
            }),
        })
}

/// Plays a schedule for each seed, on `threads` threads; ends early after `failures_max` failures. `progress` is told how many
/// are done.
pub fn simulate(
    seeds: Range<u64>,
    plan: &Plan,
    threads: usize,
    failures_max: usize,
    progress: &(dyn Fn(u64) + Sync),
) -> Report {
    let (next, done) = (AtomicU64::new(seeds.start), AtomicU64::new(0));
    let report = Mutex::new(Report::default());
    let locked = || report.lock().unwrap_or_else(PoisonError::into_inner);
    std::thread::scope(|scope| {
        for _ in 0..threads.max(1) {
            scope.spawn(|| {
                let mut statistics = Statistics::default();
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
