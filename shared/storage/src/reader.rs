//! Connections that read the local copy. They open it `immutable=1`, so they never see what the store has not accepted, and
//! they are thrown away whenever the file changes.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use crate::environment::Clock;
use crate::guard::Deadline;
use crate::limits::{IDLE_READERS_MAX, PAGE_CACHE_KIB, STATEMENTS_CACHED};

/// A connection and the deadline that watches over it.
pub(crate) struct ReadConnection {
    pub(crate) connection: Connection,
    pub(crate) deadline: Deadline,
}

impl ReadConnection {
    fn open(path: &Path, clock: Arc<dyn Clock>) -> rusqlite::Result<Self> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut connection = Connection::open_with_flags(immutable_uri(path), flags)?;
        keep_plans(&connection)?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS_CACHED);
        connection.execute_batch(&format!(
            "PRAGMA cache_size = -{PAGE_CACHE_KIB}; PRAGMA temp_store = MEMORY;"
        ))?;
        let deadline = Deadline::install(&mut connection, clock)?;
        Ok(Self { connection, deadline })
    }
}

/// Has SQLite plan a statement once, not anew for each value that is bound: a join by primary key takes a third of the time.
pub(crate) fn keep_plans(connection: &Connection) -> rusqlite::Result<()> {
    connection
        .set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)
        .map(|_| ())
}

/// SQLite's URI for a file that nobody changes while it is open.
fn immutable_uri(path: &Path) -> String {
    let mut uri = "file:".to_owned();
    for character in path.to_string_lossy().chars() {
        match character {
            '%' => uri.push_str("%25"),
            '?' => uri.push_str("%3f"),
            '#' => uri.push_str("%23"),
            other => uri.push(other),
        }
    }
    uri.push_str("?immutable=1");
    uri
}

/// Idle connections to the present state of the file. Used only under the process's reader/writer lock.
#[derive(Default)]
pub(crate) struct Pool {
    idle: Mutex<Vec<ReadConnection>>,
}

impl Pool {
    fn idle(&self) -> MutexGuard<'_, Vec<ReadConnection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn take(&self, path: &Path, clock: &Arc<dyn Clock>) -> rusqlite::Result<ReadConnection> {
        let idle = self.idle().pop();
        match idle {
            Some(connection) => Ok(connection),
            None => ReadConnection::open(path, Arc::clone(clock)),
        }
    }

    /// Keeps a connection for the next read, unless that would inherit an open transaction.
    pub(crate) fn give_back(&self, connection: ReadConnection) {
        if connection.connection.is_autocommit() {
            let mut idle = self.idle();
            if idle.len() < IDLE_READERS_MAX {
                idle.push(connection);
            }
        }
    }

    /// The file changes: nothing that was read from it may be used any more.
    pub(crate) fn clear(&self) {
        let old = std::mem::take(&mut *self.idle());
        drop(old);
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::StatementStatus;

    use super::*;

    #[test]
    fn a_join_is_planned_once_whatever_is_bound() {
        let connection = Connection::open_in_memory().unwrap();
        keep_plans(&connection).unwrap();
        let tables = "CREATE TABLE a (id INTEGER PRIMARY KEY, b INTEGER); CREATE TABLE b (id INTEGER PRIMARY KEY);";
        connection.execute_batch(tables).unwrap();
        let mut join = connection
            .prepare("SELECT a.id FROM a JOIN b ON b.id = a.b WHERE a.id = ?1")
            .unwrap();
        for value in 0..3 {
            assert!(!join.exists([value]).unwrap());
        }
        assert_eq!(join.get_status(StatementStatus::RePrepare), 0);
    }
}
