//! [`ChangeRecorder`]: records the rows that a commit of this process changes, so that caches of rows can be
//! invalidated.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rusqlite::Connection;

use crate::limits::CHANGED_ROWS_MAX;
use crate::version::Version;

/// A row that was inserted, changed or deleted, or may have been.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangedRow {
    /// The name of the table.
    pub table: Box<str>,
    /// The `rowid`.
    pub row: i64,
}

/// The changes from one version to the next.
#[derive(Debug, Clone, Copy)]
pub struct Change<'a> {
    /// Version of the local copy before the change.
    pub from: Version,
    /// Version of the local copy after the change.
    pub to: Version,
    /// All changed rows of tables with a `rowid`. Rows of other tables are not listed.
    pub rows: &'a [ChangedRow],
}

/// A callback for changes of the local copy whose rows are known. It runs while no read runs.
///
/// It is not called for commits of other processes, for a replaced copy, for migrations, and for commits with very many
/// rows. A cache notices those because the `from` of the next change differs from its own version.
pub type OnChange = Arc<dyn Fn(&Change<'_>) + Send + Sync>;

/// Records the rows that the statements of a connection change. Clones share the record.
#[derive(Clone)]
pub(crate) struct ChangeRecorder(Arc<Mutex<RecordedRows>>);

/// `None` after more than [`CHANGED_ROWS_MAX`] rows.
type RecordedRows = Option<Vec<ChangedRow>>;

impl ChangeRecorder {
    pub(crate) fn install(connection: &mut Connection) -> rusqlite::Result<Self> {
        let recorder = Self(Arc::new(Mutex::new(Some(Vec::new()))));
        let hook = recorder.clone();
        connection.update_hook(Some(move |_, _: &str, table: &str, row| hook.record(table, row)))?;
        Ok(recorder)
    }

    fn rows(&self) -> MutexGuard<'_, RecordedRows> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn record(&self, table: &str, row: i64) {
        let mut recorded = self.rows();
        match recorded.as_mut() {
            Some(rows) if rows.len() < CHANGED_ROWS_MAX => rows.push(ChangedRow {
                table: table.into(),
                row,
            }),
            _ => *recorded = None,
        }
    }

    /// Returns the rows since the last call, and starts again without rows.
    pub(crate) fn take(&self) -> Option<Vec<ChangedRow>> {
        self.rows().replace(Vec::new())
    }
}
