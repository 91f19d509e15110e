//! What the clients of a simulation do.

use rusqlite::{Connection, params};

use super::Plan;
use super::dice::Dice;
use super::model::{MODEL_PAGE_BYTES, Model};
use crate::checksum;
use crate::compaction::Compact;
use crate::engine::{Engine, Freshness};
use crate::error::Error;
use crate::job::{CommitId, Seen};
use crate::restore::RestorePoint;
use crate::version::Version;

/// Filler pages of a model at most.
const FILLER_PAGES_MAX: usize = 24;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Adds its id to the ledger, and changes that many pages beside.
    Write(usize),
    /// Reads the ledger.
    Read,
    /// The same in a process of its own.
    Cold,
    Compact(Compact),
    /// Makes one of the young segments.
    Merge,
    Collect,
    /// To what was there so long ago. Milliseconds.
    Restore(u64),
    /// To the state so many commits ago.
    RestoreTo(u64),
    /// Counts its id, and freezes that.
    Count,
    /// Puts what its process has counted into the store.
    PutUsage,
    /// Brings what processes have put into the database.
    MergeUsage,
}

impl Kind {
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
    Waiting,
    /// At this process.
    Running(usize),
    Done,
    /// Its outcome is unknown, and nobody asks any more.
    GivenUp,
}

pub(super) struct Operation {
    pub(super) kind: Kind,
    pub(super) progress: Progress,
    /// Where it has to run, if that matters.
    pub(super) process: Option<usize>,
    /// When it first began, by the store's clock. Milliseconds since 1970.
    pub(super) first_ms: Option<u64>,
    /// How many writes were acknowledged when it first began.
    pub(super) acknowledged: usize,
    /// What a read saw.
    pub(super) ledger: Vec<u32>,
    /// The same of what was counted.
    pub(super) counted: Vec<u32>,
    /// Where it was done.
    pub(super) done_at: Option<usize>,
}

/// What an operation came to.
#[derive(Debug)]
pub(super) enum Outcome {
    Wrote,
    Done,
    Saw {
        ledger: Vec<u32>,
        counted: Vec<u32>,
        /// Of the whole local copy, and what version it was said to be.
        digests: Vec<(Version, u64)>,
    },
    Failed(Error),
}

impl Operation {
    pub(super) fn new(kind: Kind) -> Self {
        Self {
            kind,
            progress: Progress::Waiting,
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

    /// What stands in the ledger.
    pub(super) fn id_of(index: usize) -> u32 {
        u32::try_from(index).unwrap_or(u32::MAX) + 1
    }

    pub(super) fn index_of(id: u32) -> u32 {
        id - 1
    }
}

/// Does it, on one engine.
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
            let write = move |seen: Seen<'_>| match seen {
                Seen::Model(model) => Ok(write_model(model, id, pages)),
                Seen::Sqlite(connection) => write_sqlite(connection, id, pages).map_err(Error::from),
            };
            engine
                .enqueue::<u32, Error>(CommitId::new(id.to_string())?, None, write)
                .await?;
            Ok(Outcome::Wrote)
        }
        Kind::Compact(when) => engine.compact(when).await.map(|_| Outcome::Done),
        Kind::Merge => engine.merge_segments().await.map(|_| Outcome::Done),
        Kind::Restore(ago_ms) => {
            let now_ms = engine.replica.refresh().await?;
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
        Kind::MergeUsage => engine.merge_usage().await.map(|_| Outcome::Done),
        Kind::Read | Kind::Cold if model => {
            let read = engine
                .read_by(Freshness::Strict, |replica| replica.look_at_bytes())
                .await?;
            let model = Model::decode(&read.value);
            Ok(Outcome::Saw {
                ledger: model.ledger,
                counted: model.counted,
                digests: vec![(read.version, checksum::of_object(&read.value))],
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
                .read_by::<_, Error>(Freshness::Local, |replica| replica.look_at_bytes())
                .await?;
            Ok(Outcome::Saw {
                ledger: ledger.value,
                counted: counted.value,
                digests: vec![(bytes.version, checksum::of_object(&bytes.value))],
            })
        }
    }
}

/// Restores, or finds that the state is not kept: it may be older than the days that are kept. That every younger state can be
/// restored is checked at the end of each schedule, where its age is known.
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
        // As VACUUM does.
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
