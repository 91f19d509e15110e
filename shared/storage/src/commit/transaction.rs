//! Runs a batch of writes in one local transaction of SQLite: the implementation of [`Staging`] by [`WriteSession`].
//!
//! Each write has its own savepoint, so that its error does not affect the others, and its own lookup in `_commits`, so
//! that a write whose earlier attempt succeeded returns the recorded result instead of running again.

use rusqlite::{Connection, OptionalExtension, params};

use crate::commit::staging::{BatchOutcome, Staging, StagingContext};
use crate::commit::usage_transaction;
use crate::commit::write::{QueuedWrite, RunOutcome, WriteTarget};
use crate::copy::engine_tables::SAVEPOINT;
use crate::copy::local_copy::LocalCopy;
use crate::copy::write_session::{WriteConnection, WriteSession};
use crate::error::Error;
use crate::format::delta::Delta;
use crate::format::head::SchemaEdit;
use crate::format::wal;
use crate::limits::{COMMITS_KEPT_MS, PURGED_PER_COMMIT, RESULT_MAX_BYTES};

/// The result of one write in the transaction.
enum WriteEffect {
    Unchanged,
    Changed,
    /// The write ended the transaction.
    TransactionLost(Error),
}

/// The result of the transaction.
enum TransactionEnd {
    Committed(Option<SchemaEdit>),
    Unchanged,
    TransactionLost(Error),
}

impl Staging for WriteSession {
    fn run(
        &mut self,
        copy: &LocalCopy,
        batch: &mut [QueuedWrite],
        context: &StagingContext<'_>,
    ) -> Result<BatchOutcome, Error> {
        let open = self.connect(copy)?;
        let recorder = open.changes.clone();
        // Forget the changes of an earlier batch that was discarded.
        recorder.take();
        let schema = match run_batch(open, batch, context)? {
            TransactionEnd::Committed(schema) => schema,
            TransactionEnd::Unchanged => return Ok(BatchOutcome::Unchanged),
            TransactionEnd::TransactionLost(error) => return Ok(BatchOutcome::TransactionLost(error)),
        };
        let delta =
            wal::read(&self.read_log()?).ok_or_else(|| Error::Corrupt("SQLite's log holds no commit".to_owned()))?;
        // The update hook does not report all changes of a migration.
        let rows = recorder.take().filter(|_| schema.is_none());
        Ok(BatchOutcome::Committed(delta, schema, rows))
    }

    fn discard(&mut self) -> Result<(), Error> {
        WriteSession::discard(self)
    }

    fn checkpoint(&mut self, copy: &LocalCopy, _: &Delta) -> Result<(), Error> {
        WriteSession::checkpoint(self, copy.generation + 1)
    }
}

fn run_batch(
    open: &mut WriteConnection,
    batch: &mut [QueuedWrite],
    context: &StagingContext<'_>,
) -> Result<TransactionEnd, Error> {
    open.deadline.set(u64::MAX);
    open.connection.execute_batch("BEGIN IMMEDIATE")?;
    let mut changes = 0;
    let mut schema = None;
    for write in batch.iter_mut() {
        match run_write(open, write, context)? {
            WriteEffect::Unchanged => {}
            WriteEffect::Changed => {
                changes += 1;
                schema = write.schema.or(schema);
            }
            WriteEffect::TransactionLost(error) => return Ok(TransactionEnd::TransactionLost(error)),
        }
    }
    open.deadline.set(u64::MAX);
    for usage in context.usage_batches(changes > 0, batch) {
        changes += usize::from(usage_transaction::apply(&open.connection, usage, context)?);
    }
    if changes == 0 {
        open.connection.execute_batch("ROLLBACK")?;
        return Ok(TransactionEnd::Unchanged);
    }
    purge_commits(&open.connection, changes, context.date_ms)?;
    // A violated deferred constraint fails here, and SQLite does not tell which write caused it.
    match open.connection.execute_batch("COMMIT") {
        Ok(()) => Ok(TransactionEnd::Committed(schema)),
        Err(error) => Ok(TransactionEnd::TransactionLost(error.into())),
    }
}

fn run_write(
    open: &mut WriteConnection,
    write: &mut QueuedWrite,
    context: &StagingContext<'_>,
) -> Result<WriteEffect, Error> {
    let connection = &open.connection;
    if write.schema.is_some_and(|edit| edit.schema <= context.head.schema) {
        write.pending.replay(b"null");
        return Ok(WriteEffect::Unchanged);
    }
    if context.uses_commits_table
        && let Some(stored) = recorded_result(connection, write.id.as_str())?
    {
        write.pending.replay(&stored);
        return Ok(WriteEffect::Unchanged);
    }
    let counters_before = counters(connection)?;
    execute(connection, &format!("SAVEPOINT {SAVEPOINT}"))?;
    open.deadline.set(write.deadline_us);
    open.authorizer.arm();
    let outcome = write.pending.run(WriteTarget::Sqlite(connection));
    let has_uncounted_changes = open.authorizer.disarm();
    let was_stopped = open.deadline.has_stopped();
    open.deadline.set(u64::MAX);
    if was_stopped {
        write
            .pending
            .reject(Error::unavailable("the write ran longer than its deadline"));
    }
    if connection.is_autocommit() {
        let error = lost_transaction(was_stopped, "it was rolled back completely");
        return Ok(WriteEffect::TransactionLost(error));
    }
    // The value, if the write is kept.
    let value = match outcome {
        RunOutcome::Value(json) if json.len() > RESULT_MAX_BYTES => {
            let bytes = json.len();
            write.pending.reject(Error::TooLarge {
                name: "the value of a write",
                bytes,
                limit: RESULT_MAX_BYTES,
            });
            None
        }
        RunOutcome::Value(json) if !was_stopped => Some(json),
        RunOutcome::Value(_) | RunOutcome::Failed => None,
    };
    let rolled_back = match value {
        Some(_) => Ok(()),
        None => execute(connection, &format!("ROLLBACK TO {SAVEPOINT}")),
    };
    // Fails if the closure rolled back and began another transaction, because the savepoint no longer exists.
    if rolled_back
        .and_then(|()| execute(connection, &format!("RELEASE {SAVEPOINT}")))
        .is_err()
    {
        let error = lost_transaction(was_stopped, "its savepoint no longer exists");
        return Ok(WriteEffect::TransactionLost(error));
    }
    let Some(json) = value else {
        return Ok(WriteEffect::Unchanged);
    };
    if write.schema.is_none() && !has_uncounted_changes && counters(connection)? == counters_before {
        return Ok(WriteEffect::Unchanged);
    }
    if context.uses_commits_table {
        record_result(connection, write.id.as_str(), context.date_ms, &json)?;
    }
    Ok(WriteEffect::Changed)
}

/// Executes a statement of the engine from the statement cache, because every write executes it.
fn execute(connection: &Connection, sql: &str) -> rusqlite::Result<()> {
    connection.prepare_cached(sql)?.execute([]).map(|_| ())
}

fn lost_transaction(was_stopped: bool, detail: &str) -> Error {
    if was_stopped {
        Error::unavailable("the write ran longer than its deadline")
    } else {
        Error::LeftTransaction(detail.to_owned())
    }
}

/// Returns numbers that change with every change of rows and of the schema.
fn counters(connection: &Connection) -> Result<(u64, i64), Error> {
    let schema = connection
        .prepare_cached("PRAGMA schema_version")?
        .query_row([], |row| row.get(0))?;
    Ok((connection.total_changes(), schema))
}

/// Returns the result of an earlier attempt, if it succeeded.
fn recorded_result(connection: &Connection, id: &str) -> Result<Option<Vec<u8>>, Error> {
    let mut statement = connection.prepare_cached("SELECT result FROM _commits WHERE id = ?1")?;
    Ok(statement.query_row([id], |row| row.get(0)).optional()?)
}

fn record_result(connection: &Connection, id: &str, date_ms: u64, json: &[u8]) -> Result<(), Error> {
    let mut statement = connection.prepare_cached("INSERT INTO _commits (id, at_ms, result) VALUES (?1, ?2, ?3)")?;
    statement.execute(params![id, i64::try_from(date_ms).unwrap_or(i64::MAX), json])?;
    Ok(())
}

/// Removes expired rows from `_commits`, but only among the few oldest ones. Rows are inserted in the order of their
/// times.
///
/// A row from the far future was written while the store's clock was wrong. It can be removed too, because a write that
/// began at that time is not retried any more.
fn purge_commits(connection: &Connection, added_rows: usize, date_ms: u64) -> Result<(), Error> {
    let oldest = i64::try_from(date_ms.saturating_sub(COMMITS_KEPT_MS)).unwrap_or(i64::MAX);
    let newest = i64::try_from(date_ms.saturating_add(COMMITS_KEPT_MS)).unwrap_or(i64::MAX);
    let limit = i64::try_from(added_rows * PURGED_PER_COMMIT).unwrap_or(i64::MAX);
    let mut statement = connection.prepare_cached(
        "DELETE FROM _commits WHERE (at_ms < ?1 OR at_ms > ?3)
         AND rowid IN (SELECT rowid FROM _commits ORDER BY rowid LIMIT ?2)",
    )?;
    statement.execute(params![oldest, limit, newest])?;
    Ok(())
}
