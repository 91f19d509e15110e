//! [`Pipeline`]: reads the legacy database on one thread, decrypts on all cores, and returns batches in order.

use std::sync::Arc;

use anyhow::Result;
use bespoke_core::Random;
use bespoke_database::Database;
use bespoke_database::import::{Batch, Row, Verdict};
use rusqlite::types::Value as Cell;
use tokio::sync::mpsc;

use super::conversion::{Converted, Fields, RowContext, TABLES, Table, shown};
use super::legacy_cipher::LegacyCipher;
use super::source::{RawRows, Source};

/// The number of batches that wait in the channel while another one is written and another one is prepared. More would
/// only take memory.
const WAITING_BATCHES: usize = 1;

/// Reads, decrypts and converts the legacy database.
pub(super) struct Pipeline {
    pub(super) source: Source,
    pub(super) cipher: LegacyCipher,
    pub(super) random: Arc<dyn Random>,
    pub(super) instance: String,
    /// The database that the batches are for.
    pub(super) database: Database,
    /// The maximum number of rows of a batch.
    pub(super) rows: usize,
}

/// Prepares all batches on another thread. `last_rows` contains the rowid of the last imported row of each table, after
/// which the batches continue. The thread ends when the receiver is dropped.
pub(super) fn start(pipeline: Pipeline, last_rows: Vec<(String, i64)>) -> mpsc::Receiver<Result<Batch>> {
    let (sender, receiver) = mpsc::channel(WAITING_BATCHES);
    std::thread::spawn(move || {
        if let Err(error) = send_batches(&pipeline, &last_rows, &sender) {
            // The receiver may have been dropped.
            let _ = sender.blocking_send(Err(error));
        }
    });
    receiver
}

fn send_batches(pipeline: &Pipeline, last_rows: &[(String, i64)], sender: &mpsc::Sender<Result<Batch>>) -> Result<()> {
    for table in &TABLES {
        let columns = pipeline.source.columns(table)?;
        if columns.is_empty() {
            continue;
        }
        let mut after = last_rows
            .iter()
            .find(|(name, _)| name == table.name)
            .map_or(0, |(_, last)| *last);
        loop {
            let raw = pipeline.source.read(table, columns.len(), after, pipeline.rows)?;
            let Some((last, _)) = raw.rows.last() else { break };
            let batch = Batch {
                table: table.name,
                after,
                last: *last,
                rows: convert(pipeline, table, &columns, &raw),
            };
            after = batch.last;
            if sender.blocking_send(Ok(batch)).is_err() {
                return Ok(());
            }
        }
    }
    Ok(())
}

fn convert(pipeline: &Pipeline, table: &Table, columns: &[String], raw: &RawRows) -> Vec<Row> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let rows_per_core = raw.rows.len().div_ceil(cores).max(1);
    let context = &RowContext {
        cipher: &pipeline.cipher,
        random: &*pipeline.random,
        instance: &pipeline.instance,
    };
    let database = &pipeline.database;
    let convert_rows = move |rows: &[(i64, Vec<Cell>)]| -> Vec<Row> {
        let rows = rows.iter().map(|(_, cells)| row(table, columns, cells, context));
        // Content is encrypted and compacted, because complete batches wait in memory.
        rows.map(|row| Row {
            record: row.record.map(|record| record.seal(database)),
            ..row
        })
        .collect()
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = raw
            .rows
            .chunks(rows_per_core)
            .map(|rows| scope.spawn(move || convert_rows(rows)))
            .collect();
        let results = workers.into_iter().map(|worker| worker.join());
        results
            .flat_map(|rows| rows.unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    })
}

fn row(table: &Table, columns: &[String], cells: &[Cell], context: &RowContext<'_>) -> Row {
    let fields = Fields {
        columns,
        cells,
        context,
    };
    let at = columns.iter().position(|column| column == "id");
    let converted = (table.convert)(&fields).unwrap_or_else(|why| Converted::without(Verdict::Rejected, why));
    Row {
        id: at.and_then(|at| cells.get(at)).map(shown).unwrap_or_default(),
        record: converted.record,
        notes: converted.notes,
    }
}
