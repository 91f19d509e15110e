//! [`Report`]: the report of an import, for people and for machines.

use bespoke_database::import::{Note, Progress, Verdict};
use serde::Serialize;
use serde_json::{Value, json};

use crate::output;

/// The number of issues shown to a person. The JSON output contains all that were stored.
const SHOWN: usize = 50;

/// The result of an import.
pub(super) struct Report {
    pub(super) dry_run: bool,
    /// Whether the import had been finished before, so that this run changed nothing.
    pub(super) was_finished: bool,
    pub(super) tables: Vec<Progress>,
    pub(super) notes: Vec<Note>,
    /// Tables and columns that were not imported.
    pub(super) ignored: Vec<String>,
    /// The risk that the file lacks recent changes.
    pub(super) warning: Option<String>,
    /// Duration in milliseconds.
    pub(super) took_ms: u64,
}

#[derive(Serialize)]
struct TableLine<'a> {
    name: &'a str,
    rows: i64,
    stored: i64,
}

impl Report {
    /// Returns the number of rows that could not be stored.
    pub(super) fn rejected(&self) -> usize {
        self.count(Verdict::Rejected)
    }

    fn count(&self, verdict: Verdict) -> usize {
        self.notes.iter().filter(|note| note.verdict == verdict).count()
    }

    fn rows(&self) -> i64 {
        self.tables.iter().map(|table| table.rows).sum()
    }

    pub(super) fn as_json(&self) -> Value {
        let tables = self.tables.iter().map(|table| TableLine {
            name: &table.table,
            rows: table.rows,
            stored: table.stored,
        });
        let note = |note: &Note| json!({ "table": note.table, "id": note.id, "verdict": note.verdict.name(), "reason": note.reason });
        json!({
            "dryRun": self.dry_run,
            "wasFinished": self.was_finished,
            "rows": self.rows(),
            "setAside": self.rejected(),
            "changed": self.count(Verdict::Changed),
            "leftOut": self.count(Verdict::Skipped),
            "tables": tables.collect::<Vec<_>>(),
            "notes": self.notes.iter().map(note).collect::<Vec<_>>(),
            "ignored": self.ignored,
            "warning": self.warning,
            "tookMs": self.took_ms,
        })
    }

    pub(super) fn print(&self) {
        if let Some(warning) = &self.warning {
            output::say!("Warning: {warning}.");
        }
        if self.was_finished {
            output::say!("This file was imported before. Nothing was changed.");
        }
        for Progress {
            table, rows, stored, ..
        } in &self.tables
        {
            output::say!("{table:<14}{rows:>10} rows{stored:>10} stored");
        }
        if !self.ignored.is_empty() {
            output::say!("Skipped: {}", self.ignored.join(", "));
        }
        for note in self.notes.iter().take(SHOWN) {
            output::say!("{}: {} {}: {}", note.verdict.name(), note.table, note.id, note.reason);
        }
        if self.notes.len() > SHOWN {
            output::say!("... and {} more; --json prints all of them", self.notes.len() - SHOWN);
        }
        let rate = self.rows().unsigned_abs() * 1000 / self.took_ms.max(1);
        match (self.dry_run, self.rejected()) {
            (true, aside) => output::say!("This was a dry run: nothing was kept. {aside} rows would be set aside."),
            (false, 0) => output::say!("Nothing was set aside. {:.1} s, {rate} rows/s", self.seconds()),
            (false, aside) => output::say!("{aside} rows were set aside. {:.1} s, {rate} rows/s", self.seconds()),
        }
    }

    fn seconds(&self) -> f64 {
        self.took_ms as f64 / 1000.0
    }
}
