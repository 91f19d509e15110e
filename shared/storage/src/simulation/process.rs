//! The processes of a simulation, and what they are started with.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::dice::Dice;
use super::model::{MODEL_PAGE_BYTES, ModelPlace};
use super::{Copies, Plan};
use crate::engine::{Engine, Migration, Options};
use crate::environment::{Clock, SeededRandom};
use crate::error::Error;
use crate::limits::{READ_TIMEOUT_MS, WRITE_DEADLINE_MS};
use crate::local::{Local, LocalFolder, SqlitePlace};

/// What a patient process gives a write. Milliseconds.
const PATIENT_MS: u64 = 10 * 24 * 3_600 * 1_000;

/// The tables of a simulation with SQLite. Not every process knows the second step.
const STEPS: &[Migration] = &[
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

enum Life {
    Boots,
    Up(Engine),
    Over,
}

/// Where a process that boots leaves its engine.
#[derive(Clone)]
pub(super) struct Slot(Arc<Mutex<Life>>);

pub(super) struct Process {
    /// Started for one read only.
    pub(super) cold: bool,
    slot: Slot,
}

impl Slot {
    fn life(&self) -> MutexGuard<'_, Life> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn open(&self, engine: Engine) {
        *self.life() = Life::Up(engine);
    }

    pub(super) fn fail(&self) {
        *self.life() = Life::Over;
    }

    pub(super) fn end_cold(&self) {
        *self.life() = Life::Over;
    }
}

impl Process {
    pub(super) fn new(cold: bool) -> Self {
        Self {
            cold,
            slot: Slot(Arc::new(Mutex::new(Life::Boots))),
        }
    }

    pub(super) fn slot(&self) -> Slot {
        self.slot.clone()
    }

    pub(super) fn engine(&self) -> Option<Engine> {
        match &*self.slot.life() {
            Life::Up(engine) => Some(engine.clone()),
            Life::Boots | Life::Over => None,
        }
    }

    pub(super) fn boots(&self) -> bool {
        matches!(*self.slot.life(), Life::Boots)
    }

    pub(super) fn lives(&self) -> bool {
        !matches!(*self.slot.life(), Life::Over)
    }

    pub(super) fn serves(&self) -> bool {
        matches!(*self.slot.life(), Life::Up(_))
    }

    pub(super) fn die(&self) {
        let before = std::mem::replace(&mut *self.slot.life(), Life::Over);
        drop(before);
    }
}

/// What a process is started with.
pub(super) fn options_of(plan: &Plan, dice: &mut Dice, clock: Arc<dyn Clock>) -> Options {
    let steps = if plan.is_model() { 0 } else { 1 + dice.index(2) };
    let write_deadline_ms = if dice.one_in(3) { PATIENT_MS } else { WRITE_DEADLINE_MS };
    Options {
        local_dir: plan.local_dir(),
        migrations: &STEPS[..steps],
        read_timeout_ms: READ_TIMEOUT_MS,
        write_deadline_ms,
        page_size: MODEL_PAGE_BYTES as u32,
        clock,
        random: Arc::new(SeededRandom::new(dice.next())),
        usage_fold: Some(|connection, body| {
            let id = body.try_into().map_or(0, u32::from_le_bytes);
            connection
                .execute("INSERT INTO counted (id) VALUES (?1)", [id])
                .map(|_| ())
        }),
        on_change: None,
        ablation: plan.ablation,
    }
}

pub(super) fn place_of(plan: &Plan, options: &Options) -> Result<Box<dyn Local>, Error> {
    Ok(match &plan.copies {
        Copies::Model => Box::new(ModelPlace),
        Copies::Sqlite(folder) => Box::new(SqlitePlace {
            folder: LocalFolder::claim(folder, &*options.random)?,
            clock: Arc::clone(&options.clock),
        }),
    })
}
