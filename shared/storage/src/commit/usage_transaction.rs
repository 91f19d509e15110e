//! [`apply`]: applies batches of usage counters inside the transaction of a commit, each once.

use rusqlite::{Connection, params};

use crate::commit::staging::StagingContext;
use crate::commit::usage::UsageBatch;
use crate::error::Error;
use crate::limits::PURGED_PER_COMMIT;

/// Applies a batch to the database, unless its name is recorded already. Returns whether the database changed.
pub(crate) fn apply(connection: &Connection, batch: &UsageBatch, context: &StagingContext<'_>) -> Result<bool, Error> {
    if context.records_usage_names && !record_name(connection, &batch.name, context)? {
        return Ok(false);
    }
    let Some(apply) = context.apply_usage else {
        return Ok(true);
    };
    connection.execute_batch("SAVEPOINT _usage")?;
    if let Err(error) = apply(connection, &batch.body) {
        if connection.is_autocommit() {
            // SQLite rolled back the complete transaction.
            return Err(error.into());
        }
        tracing::error!(%error, name = batch.name, "a batch of usage counters cannot be applied and is dropped");
        connection.execute_batch("ROLLBACK TO _usage")?;
    }
    connection.execute_batch("RELEASE _usage")?;
    Ok(true)
}

/// Records the name of a batch, and purges expired names. Returns `false` if the name is known.
fn record_name(connection: &Connection, name: &str, context: &StagingContext<'_>) -> Result<bool, Error> {
    let at_ms = i64::try_from(context.date_ms).unwrap_or(i64::MAX);
    let mut insert =
        connection.prepare_cached("INSERT INTO _usage_merged (name, at_ms) VALUES (?1, ?2) ON CONFLICT DO NOTHING")?;
    if insert.execute(params![name, at_ms])? == 0 {
        return Ok(false);
    }
    let mut purge = connection.prepare_cached(
        "DELETE FROM _usage_merged WHERE at_ms < ?1 AND rowid IN (SELECT rowid FROM _usage_merged ORDER BY rowid LIMIT ?2)",
    )?;
    let oldest = context.date_ms.saturating_sub(context.usage_name_retention_ms);
    let oldest = i64::try_from(oldest).unwrap_or(i64::MAX);
    purge.execute(params![oldest, PURGED_PER_COMMIT as i64])?;
    Ok(true)
}

/// Returns whether a batch was applied already.
pub(crate) fn is_applied(connection: &Connection, name: &str) -> rusqlite::Result<bool> {
    connection
        .prepare_cached("SELECT 1 FROM _usage_merged WHERE name = ?1")?
        .exists([name])
}
