//! [`Operation`]: an operation of a client or of the maintenance in a simulation, and its execution on an engine.

use rusqlite::{Connection, params};

use super::dice::Dice;
use super::model::{MODEL_PAGE_BYTES, Model};
use super::plan::Plan;
use crate::commit::write::{CommitId, WriteTarget};
use crate::engine::Engine;
use crate::error::Error;
use crate::format::checksum;
use crate::maintenance::compaction::Compact;
use crate::maintenance::restore::RestorePoint;
use crate::sync::reads::Freshness;
use crate::version::Version;

/// Maximum number of filler pages of a model.
const FILLER_PAGES_MAX: usize = 24;

/// The kind of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Adds its id to the ledger, and changes this number of additional pages.
    Write(usize),
    /// Reads the ledger.
    Read,
    /// Reads the ledger in a new process.
    Cold,
    Compact(Compact),
    /// Merges the young segments.
    Merge,
    Collect,
    /// Restores the state of this many milliseconds ago.
    Restore(u64),
    /// Restores the state before the last commits. The number is that of the commits.
    RestoreTo(u64),
    /// Freezes a usage batch with its id.
    Count,
    /// Stores the frozen usage batches of its process.
    PutUsage,
    /// Applies the stored usage batches of all processes.
    MergeUsage,
}

impl Kind {
    /// Returns a random kind.
    pub(super) fn any(dice: &mut Dice, plan: &Plan) -> Self {
        match dice.below(if plan.is_model() { 34 } else { 32 }) {
            0..=7 => Self::Write(0),
            8..=12 => Self::Write(1 + dice.index(3)),
            13 => Self::Write(4 + dice.index(9)),
            14..=17 => Self::Read,
            18 => Self::Compact(Compact::Always),
            19 => Self::Compact(Compact::WhereWorthIt),
            20..=21 => Self::Collect,
            22..=24 => Self::Count,
            25 => Self::PutUsage,
            26..=27 => Self::MergeUsage,
            28..=29 => Self::Merge,
            32 => Self::Restore([100, 1_000, 60_000, 25 * 3_600_000][dice.index(4)]),
            33 => Self::RestoreTo(dice.below(8)),
            _ => Self::Cold,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Progress {
    Pending,
    /// Running in this process.
    Running(usize),
    Done,
    /// The outcome is unknown, and the client does not retry.
    GivenUp,
}

/// An operation and its progress.
pub(super) struct Operation {
    pub(super) kind: Kind,
    pub(super) progress: Progress,
    /// The process in which it has to run. `None` for any.
    pub(super) process: Option<usize>,
    /// Start of its first attempt, by the store's clock. Milliseconds since 1970.
    pub(super) first_ms: Option<u64>,
    /// Number of writes that were acknowledged before its first attempt.
    pub(super) acknowledged: usize,
    /// The ledger that a read returned.
    pub(super) ledger: Vec<u32>,
    /// The counted ids that a read returned.
    pub(super) counted: Vec<u32>,
    /// The process in which it succeeded.
    pub(super) done_at: Option<usize>,
}

/// The result of an operation.
#[derive(Debug)]
pub(super) enum Outcome {
    Written,
    Done,
    Read {
        ledger: Vec<u32>,
        counted: Vec<u32>,
        /// Versions and digests of the complete local copy.
        digests: Vec<(Version, u64)>,
    },
    Failed(Error),
}

impl Operation {
    pub(super) fn new(kind: Kind) -> Self {
        Self {
            kind,
            progress: Progress::Pending,
            process: None,
            first_ms: None,
            acknowledged: 0,
            ledger: Vec::new(),
            counted: Vec::new(),
            done_at: None,
        }
    }

    pub(super) fn at(kind: Kind, process: usize) -> Self {
        Self {
            process: Some(process),
            ..Self::new(kind)
        }
    }

    pub(super) fn is_done(&self) -> bool {
        self.progress == Progress::Done
    }

    pub(super) fn begin(&mut self, process: usize, now_ms: u64, acknowledged: usize) {
        self.progress = Progress::Running(process);
        if self.first_ms.is_none() {
            self.first_ms = Some(now_ms);
            self.acknowledged = acknowledged;
        }
    }

    /// Returns the id of an operation in the ledger.
    pub(super) fn id_of(index: usize) -> u32 {
        u32::try_from(index).unwrap_or(u32::MAX) + 1
    }

    pub(super) fn index_of(id: u32) -> u32 {
        id - 1
    }
}

/// Performs an operation on an engine.
pub(super) async fn perform(engine: Engine, kind: Kind, index: usize, model: bool) -> Outcome {
    match perform_or(engine, kind, index, model).await {
        Ok(outcome) => outcome,
        Err(error) => Outcome::Failed(error),
    }
}

async fn perform_or(engine: Engine, kind: Kind, index: usize, model: bool) -> Result<Outcome, Error> {
    match kind {
        Kind::Write(pages) => {
            let id = Operation::id_of(index);
            let write = move |target: WriteTarget<'_>| match target {
                WriteTarget::Simulated(model) => Ok(write_model(Model::of_target(model), id, pages)),
                WriteTarget::Sqlite(connection) => write_sqlite(connection, id, pages).map_err(Error::from),
            };
            engine
                .write_to::<u32, Error>(CommitId::new(id.to_string())?, write)
                .await?;
            Ok(Outcome::Written)
        }
        Kind::Compact(when) => engine.compact(when).await.map(|_| Outcome::Done),
        Kind::Merge => engine.merge_segments().await.map(|_| Outcome::Done),
        Kind::Restore(ago_ms) => {
            let now_ms = engine.sync().refresh().await?;
            restore(&engine, RestorePoint::Before(now_ms.saturating_sub(ago_ms))).await
        }
        Kind::RestoreTo(ago) => {
            let Version { epoch, seq } = engine.ping().await?;
            let seq = seq.saturating_sub(ago);
            restore(&engine, RestorePoint::At(Version { epoch, seq })).await
        }
        Kind::Collect => engine.collect_garbage().await.map(|_| Outcome::Done),
        Kind::Count => {
            engine.freeze_usage(Operation::id_of(index).to_le_bytes().to_vec());
            Ok(Outcome::Done)
        }
        Kind::PutUsage => engine.put_usage().await.map(|()| Outcome::Done),
        Kind::MergeUsage => engine.apply_stored_usage().await.map(|_| Outcome::Done),
        Kind::Read | Kind::Cold if model => {
            let read = engine
                .read_with(Freshness::Strict, |replica| replica.read_bytes())
                .await?;
            let model = Model::decode(&read.value);
            Ok(Outcome::Read {
                ledger: model.ledger,
                counted: model.counted,
                digests: vec![(read.version, checksum::object_digest(&read.value))],
            })
        }
        Kind::Read | Kind::Cold => {
            let ledger = engine
                .read(Freshness::Strict, |connection| ids_of(connection, "ledger"))
                .await?;
            let counted = engine
                .read(Freshness::Local, |connection| ids_of(connection, "counted"))
                .await?;
            let bytes = engine
                .read_with::<_, Error>(Freshness::Local, |replica| replica.read_bytes())
                .await?;
            Ok(Outcome::Read {
                ledger: ledger.value,
                counted: counted.value,
                digests: vec![(bytes.version, checksum::object_digest(&bytes.value))],
            })
        }
    }
}

/// Restores a state, or learns that it is not kept because it is too old. `restorable` checks at the end of each
/// schedule that every younger state can be restored.
async fn restore(engine: &Engine, point: RestorePoint) -> Result<Outcome, Error> {
    match engine.restore(point).await {
        Ok(_) | Err(Error::NotRestorable(_)) => Ok(Outcome::Done),
        Err(error) => Err(error),
    }
}

fn write_model(model: &mut Model, id: u32, pages: usize) -> u32 {
    model.ledger.push(id);
    let mut dice = Dice::new(u64::from(id));
    if pages > 8 {
        // Shrinks the database like VACUUM.
        model.filler.truncate(FILLER_PAGES_MAX / 4);
    }
    for _ in 0..pages {
        let noise: Vec<u8> = (0..MODEL_PAGE_BYTES / 8)
            .flat_map(|_| dice.next().to_le_bytes())
            .collect();
        let place = dice.index(FILLER_PAGES_MAX);
        match model.filler.get_mut(place) {
            Some(page) => *page = noise,
            None => model.filler.push(noise),
        }
    }
    u32::try_from(model.ledger.len()).unwrap_or(u32::MAX)
}

fn write_sqlite(connection: &Connection, id: u32, pages: usize) -> rusqlite::Result<u32> {
    let mut dice = Dice::new(u64::from(id));
    let mut insert = connection.prepare_cached("INSERT INTO ledger (id) VALUES (?1) RETURNING place")?;
    let place = insert.query_row([id], |row| row.get(0))?;
    if pages > 8 {
        connection.execute("DELETE FROM filler WHERE id % 2 = ?1", [id % 2])?;
    }
    for _ in 0..pages {
        let noise: Vec<u8> = (0..MODEL_PAGE_BYTES / 8)
            .flat_map(|_| dice.next().to_le_bytes())
            .collect();
        let sql = "INSERT OR REPLACE INTO filler (id, noise) VALUES (?1, ?2)";
        let at = dice.below(FILLER_PAGES_MAX as u64).cast_signed();
        connection.prepare_cached(sql)?.execute(params![at, noise])?;
    }
    Ok(place)
}

fn ids_of(connection: &Connection, table: &str) -> Result<Vec<u32>, Error> {
    let mut statement = connection.prepare_cached(&format!("SELECT id FROM {table} ORDER BY place"))?;
    let rows = statement.query_map([], |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}
