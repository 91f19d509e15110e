//! The result of converting a row.

use bespoke_database::import::{Record, Verdict};

/// The result of converting a row: its record, if it has one, and issues to report.
#[derive(Debug)]
pub(in crate::import) struct Converted {
    pub(in crate::import) record: Option<Record>,
    pub(in crate::import) notes: Vec<(Verdict, String)>,
}

impl Converted {
    pub(in crate::import) fn of(record: Record) -> Self {
        Self::noted(record, None)
    }

    pub(in crate::import) fn noted(record: Record, note: Option<(Verdict, String)>) -> Self {
        Self {
            record: Some(record),
            notes: note.into_iter().collect(),
        }
    }

    pub(in crate::import) fn skipped(why: &str) -> Self {
        Self::without(Verdict::Skipped, why.to_owned())
    }

    pub(in crate::import) fn without(verdict: Verdict, why: String) -> Self {
        Self {
            record: None,
            notes: vec![(verdict, why)],
        }
    }
}
