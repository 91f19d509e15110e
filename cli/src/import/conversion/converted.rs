//! [`Converted`]: the result of converting a row.

use bespoke_core::Timestamp;
use bespoke_database::import::{Record, Verdict};
use uuid::Uuid;

use super::fields::{Fields, Problem};

/// The result of converting a row: its record, if it has one, and issues to report.
#[derive(Debug)]
pub(crate) struct Converted {
    pub(crate) record: Option<Record>,
    pub(crate) notes: Vec<(Verdict, String)>,
}

impl Converted {
    pub(crate) fn of(record: Record) -> Self {
        Self {
            record: Some(record),
            notes: Vec::new(),
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

/// Repairs of a row, which the report lists.
#[derive(Default)]
pub(crate) struct Repairs(Vec<(Verdict, String)>);

impl Repairs {
    /// Adds a repair: the column, its problem, and the consequence.
    pub(crate) fn add(&mut self, repair: impl Into<String>) {
        self.0.push((Verdict::Changed, repair.into()));
    }

    /// Returns the value of a column. If it has a problem, reports the problem and returns `replacement`. `description` is
    /// the text of the report for the replacement.
    pub(crate) fn value<T>(&mut self, read: Result<T, Problem>, replacement: T, description: &str) -> T {
        read.unwrap_or_else(|problem| {
            self.add(format!("{problem}; it was changed to {description}"));
            replacement
        })
    }

    /// Returns an optional time, which is removed if it has a problem.
    pub(crate) fn maybe_moment(&mut self, fields: &Fields<'_>, name: &str) -> Option<Timestamp> {
        self.value(fields.maybe_moment(name), None, "nothing")
    }

    /// Returns the times of creation and of the last change. If only one is valid, it replaces the other one.
    pub(crate) fn moments(&mut self, fields: &Fields<'_>) -> (Timestamp, Timestamp) {
        let updated_at = self.maybe_moment(fields, "updatedAt");
        let (other, description) = match updated_at {
            Some(moment) => (moment, "updatedAt"),
            None => (Timestamp::from_millis(0), "the beginning of 1970"),
        };
        let created_at = self.value(fields.moment("createdAt"), other, description);
        (created_at, updated_at.unwrap_or(created_at))
    }

    /// Returns the UUID of the row.
    pub(crate) fn uuid(&mut self, fields: &Fields<'_>) -> Uuid {
        let new = fields.context.random.uuid();
        self.value(fields.uuid_or_new(), new, "a new one")
    }

    /// Returns the record with the repairs.
    pub(crate) fn with(self, record: Record) -> Converted {
        Converted {
            record: Some(record),
            notes: self.0,
        }
    }
}
