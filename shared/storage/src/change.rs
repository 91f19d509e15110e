//! Which rows a commit of this process changed: for whoever keeps what it has read.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rusqlite::Connection;

use crate::limits::CHANGED_ROWS_MAX;
use crate::version::Version;

/// One row that was inserted, changed or deleted, or may have been.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangedRow {
    /// The name of the table.
    pub table: Box<str>,
    /// The `rowid`.
    pub row: i64,
}

/// What led from one version to the next.
#[derive(Debug, Clone, Copy)]
pub struct Change<'a> {
    /// What the local copy was before.
    pub from: Version,
    /// What it is now.
    pub to: Version,
    /// All rows of tables with a `rowid` that are not what they were. Rows of other tables are not named.
    pub rows: &'a [ChangedRow],
}

/// Is told of each change that consists of named rows, while nobody reads. Other changes are not told: somebody else's commits, a
/// copy fetched anew, steps of the schema, and very large commits.
pub type OnChange = Arc<dyn Fn(&Change<'_>) + Send + Sync>;

/// Notes what the statements of a connection change.
#[derive(Clone)]
pub(crate) struct Changes(Arc<Mutex<Noted>>);

/// The rows, unless there are too many of them.
type Noted = Option<Vec<ChangedRow>>;

impl Changes {
    pub(crate) fn install(connection: &mut Connection) -> rusqlite::Result<Self> {
        let changes = Self(Arc::new(Mutex::new(Some(Vec::new()))));
        let noting = changes.clone();
        connection.update_hook(Some(move |_, _: &str, table: &str, row| noting.note(table, row)))?;
        Ok(changes)
    }

    fn noted(&self) -> MutexGuard<'_, Noted> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, table: &str, row: i64) {
        let mut noted = self.noted();
        match noted.as_mut() {
            Some(rows) if rows.len() < CHANGED_ROWS_MAX => rows.push(ChangedRow {
                table: table.into(),
                row,
            }),
            _ => *noted = None,
        }
    }

    /// Everything since this was asked last.
    pub(crate) fn take(&self) -> Option<Vec<ChangedRow>> {
        self.noted().replace(Vec::new())
    }
}
