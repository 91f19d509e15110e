//! Reads the original on one thread, decrypts on all cores, and hands over whole batches in their order.

use std::sync::Arc;

use anyhow::Result;
use bespoke_core::Random;
use bespoke_database::Database;
use bespoke_database::import::{Batch, Row, Verdict};
use rusqlite::types::Value as Cell;
use tokio::sync::mpsc;

use super::fields::{Fields, Tools, shown};
use super::old_cipher::OldCipher;
use super::source::{Raw, Source};
use super::tables::{Converted, TABLES, Table};

/// Batches that are ready and wait: one is written, one waits, one is made. More would only take memory.
const WAITING: usize = 1;

/// What the batches are made with.
pub(super) struct Workshop {
    pub(super) source: Source,
    pub(super) cipher: OldCipher,
    pub(super) random: Arc<dyn Random>,
    pub(super) instance: String,
    /// Where they go.
    pub(super) database: Database,
    /// Rows of one batch at most.
    pub(super) rows: usize,
}

/// Makes every batch from where each table has come, on a thread of its own. It ends when nobody takes them any more.
pub(super) fn start(workshop: Workshop, reached: Vec<(String, i64)>) -> mpsc::Receiver<Result<Batch>> {
    let (sender, receiver) = mpsc::channel(WAITING);
    std::thread::spawn(move || {
        if let Err(error) = make(&workshop, &reached, &sender) {
            // Nobody may be left who wants to know.
            let _ = sender.blocking_send(Err(error));
        }
    });
    receiver
}

fn make(workshop: &Workshop, reached: &[(String, i64)], sender: &mpsc::Sender<Result<Batch>>) -> Result<()> {
    for table in &TABLES {
        let columns = workshop.source.columns(table)?;
        if columns.is_empty() {
            continue;
        }
        let mut after = reached
            .iter()
            .find(|(name, _)| name == table.name)
            .map_or(0, |(_, last)| *last);
        loop {
            let raw = workshop.source.read(table, columns.len(), after, workshop.rows)?;
            let Some((last, _)) = raw.rows.last() else { break };
            let batch = Batch {
                table: table.name,
                after,
                last: *last,
                rows: convert(workshop, table, &columns, &raw),
            };
            after = batch.last;
            if sender.blocking_send(Ok(batch)).is_err() {
                return Ok(());
            }
        }
    }
    Ok(())
}

fn convert(workshop: &Workshop, table: &Table, columns: &[String], raw: &Raw) -> Vec<Row> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let share = raw.rows.len().div_ceil(cores).max(1);
    let tools = &Tools {
        cipher: &workshop.cipher,
        random: &*workshop.random,
        instance: &workshop.instance,
    };
    let database = &workshop.database;
    let one = move |rows: &[(i64, Vec<Cell>)]| -> Vec<Row> {
        let rows = rows.iter().map(|(_, cells)| row(table, columns, cells, tools));
        // Whole batches wait, so they are made small.
        rows.map(|row| Row {
            record: row.record.map(|record| record.seal(database)),
            ..row
        })
        .collect()
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = raw
            .rows
            .chunks(share)
            .map(|rows| scope.spawn(move || one(rows)))
            .collect();
        let done = workers.into_iter().map(|worker| worker.join());
        done.flat_map(|rows| rows.unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    })
}

fn row(table: &Table, columns: &[String], cells: &[Cell], tools: &Tools<'_>) -> Row {
    let fields = Fields { columns, cells, tools };
    let at = columns.iter().position(|column| column == "id");
    let converted = (table.convert)(&fields).unwrap_or_else(|why| Converted::without(Verdict::SetAside, why));
    Row {
        id: at.and_then(|at| cells.get(at)).map(shown).unwrap_or_default(),
        record: converted.record,
        notes: converted.notes,
    }
}
