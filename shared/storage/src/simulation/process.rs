//! [`Process`]: a simulated process with its engine, and the options of the engine.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::dice::Dice;
use super::model::{MODEL_PAGE_BYTES, ModelBackend, ModelStaging};
use super::plan::{Copies, Plan};
use crate::clock::StorageClock;
use crate::engine::options::{Migration, Options};
use crate::engine::{Engine, Environment};
use crate::error::Error;
use crate::limits::{READ_TIMEOUT_MS, Tuning, WRITE_DEADLINE_MS};
use crate::random::SeededRandom;
use crate::tasks::Tasks;

/// The write deadline of a patient process, in milliseconds.
const PATIENT_MS: u64 = 10 * 24 * 3_600 * 1_000;

/// The schema of a simulation with SQLite. Some processes know only the first step.
const MIGRATIONS: &[Migration] = &[
    Migration {
        version: 1,
        sql: "CREATE TABLE ledger (place INTEGER PRIMARY KEY, id INTEGER NOT NULL);
              CREATE TABLE filler (id INTEGER PRIMARY KEY, noise BLOB NOT NULL);
              CREATE TABLE counted (place INTEGER PRIMARY KEY, id INTEGER NOT NULL);",
        min_reader: 0,
        min_writer: 0,
    },
    Migration {
        version: 2,
        sql: "CREATE TABLE more (id INTEGER PRIMARY KEY, noise BLOB)",
        min_reader: 0,
        min_writer: 0,
    },
];

enum ProcessState {
    Starting,
    Running(Engine),
    Ended,
}

/// The state of a process, which the task that starts the process changes.
#[derive(Clone)]
pub(super) struct EngineSlot(Arc<Mutex<ProcessState>>);

/// A simulated process.
pub(super) struct Process {
    /// Whether it was started for one read only.
    pub(super) is_cold: bool,
    slot: EngineSlot,
}

impl EngineSlot {
    fn state(&self) -> MutexGuard<'_, ProcessState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn open(&self, engine: Engine) {
        *self.state() = ProcessState::Running(engine);
    }

    pub(super) fn fail(&self) {
        *self.state() = ProcessState::Ended;
    }

    pub(super) fn end_cold(&self) {
        *self.state() = ProcessState::Ended;
    }
}

impl Process {
    pub(super) fn new(is_cold: bool) -> Self {
        Self {
            is_cold,
            slot: EngineSlot(Arc::new(Mutex::new(ProcessState::Starting))),
        }
    }

    pub(super) fn slot(&self) -> EngineSlot {
        self.slot.clone()
    }

    pub(super) fn engine(&self) -> Option<Engine> {
        match &*self.slot.state() {
            ProcessState::Running(engine) => Some(engine.clone()),
            ProcessState::Starting | ProcessState::Ended => None,
        }
    }

    pub(super) fn is_starting(&self) -> bool {
        matches!(*self.slot.state(), ProcessState::Starting)
    }

    pub(super) fn is_alive(&self) -> bool {
        !matches!(*self.slot.state(), ProcessState::Ended)
    }

    pub(super) fn is_running(&self) -> bool {
        matches!(*self.slot.state(), ProcessState::Running(_))
    }

    pub(super) fn die(&self) {
        // The engine is dropped after the lock is released.
        let state = std::mem::replace(&mut *self.slot.state(), ProcessState::Ended);
        drop(state);
    }
}

/// Returns random options for a process.
pub(super) fn options_of(plan: &Plan, dice: &mut Dice, clock: Arc<dyn StorageClock>) -> Options {
    let migrations = if plan.is_model() { 0 } else { 1 + dice.index(2) };
    let write_deadline_ms = if dice.one_in(3) { PATIENT_MS } else { WRITE_DEADLINE_MS };
    Options {
        local_dir: plan.local_dir(),
        migrations: &MIGRATIONS[..migrations],
        read_timeout_ms: READ_TIMEOUT_MS,
        write_deadline_ms,
        page_size: MODEL_PAGE_BYTES as u32,
        clock,
        random: Arc::new(SeededRandom::new(dice.next())),
        apply_usage: Some(|connection, body| {
            let id = body.try_into().map_or(0, u32::from_le_bytes);
            connection
                .execute("INSERT INTO counted (id) VALUES (?1)", [id])
                .map(|_| ())
        }),
        on_change: None,
        ablation: plan.ablation,
    }
}

/// Returns the environment of a process: SQLite files, or the model.
pub(super) fn environment_of(
    plan: &Plan,
    options: &Options,
    tasks: Tasks,
    tuning: Tuning,
) -> Result<Environment, Error> {
    match &plan.copies {
        Copies::Sqlite(_) => Environment::sqlite(options, tasks, tuning),
        Copies::Model => Ok(Environment {
            backend: Box::new(ModelBackend),
            new_staging: Box::new(|| Box::new(ModelStaging)),
            tasks,
            tuning,
        }),
    }
}
