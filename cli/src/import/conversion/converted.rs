//! The result of converting a row.

use bespoke_database::import::{Record, Verdict};

/// The result of converting a row: its record, if it has one, and issues to report.
#[derive(Debug)]
pub(crate) struct Converted {
    pub(crate) record: Option<Record>,
    pub(crate) notes: Vec<(Verdict, String)>,
}

impl Converted {
    pub(crate) fn of(record: Record) -> Self {
        Self::noted(record, None)
    }

    pub(crate) fn noted(record: Record, note: Option<(Verdict, String)>) -> Self {
        Self {
            record: Some(record),
            notes: note.into_iter().collect(),
        }
    }

    pub(crate) fn skipped(why: &str) -> Self {
        Self::without(Verdict::Skipped, why.to_owned())
    }

    pub(crate) fn without(verdict: Verdict, why: String) -> Self {
        Self {
            record: None,
            notes: vec![(verdict, why)],
        }
    }
}
