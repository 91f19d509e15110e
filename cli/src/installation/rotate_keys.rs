//! `bespoke rotate-keys`: re-encrypts fields of older keys with the newest key, while servers run.

use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use bespoke_database::{Database, sealed};
use serde_json::json;

use crate::start::Expect;
use crate::{output, start};

/// The number of rows per commit. It is small, so that other writers do not wait for long.
const ROWS: u32 = 1_000;
/// The result of one commit: number of processed rows, integer key of the last one, and number of changed rows.
type CommitCounts = (usize, i64, usize);

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Print a summary as JSON
    #[arg(long)]
    json: bool,
    /// Rows of one commit
    #[arg(long, hide = true, default_value_t = ROWS)]
    batch_rows: u32,
    /// Abort after this number of commits, as if killed
    #[arg(long, hide = true)]
    abort_after: Option<u64>,
}

/// The sums over all commits.
#[derive(Default)]
struct Progress {
    rows: usize,
    changed: usize,
    commits: u64,
}

pub(crate) fn run(arguments: &Arguments, data_dir: Option<PathBuf>) -> Result<()> {
    let totals = start::with_context(data_dir, Expect::Installation, async |context| {
        let old = &context.config().old_keys;
        if old.data.is_none() && old.index.is_none() {
            bail!(
                "there is no key to rotate from: set BACKEND_OLD_ENC_KEY to the passphrase until now and BACKEND_ENC_KEY to the \
                 new one, restart every server with both, then run this again"
            );
        }
        let mut totals = Progress::default();
        let bar = output::bar(sealed::tables().count() as u64, "tables");
        let database = context.database();
        database.write(database.fresh_commit_id(), sealed::begin).await?;
        for table in sealed::tables() {
            renew(database, table, arguments, &mut totals).await?;
            bar.inc(1);
        }
        // A second pass, because until the last table was complete, a process that has only the old data key could add
        // rows to the other tables.
        let mut second_pass = Progress {
            commits: totals.commits,
            ..Progress::default()
        };
        for table in sealed::tables() {
            renew(database, table, arguments, &mut second_pass).await?;
        }
        totals.changed += second_pass.changed;
        bar.finish_and_clear();
        database.compact().await?;
        Ok(totals)
    })?;
    output::print(
        arguments.json,
        || json!({ "rows": totals.rows, "changed": totals.changed }),
        || {
            output::say!("{} of {} rows were re-encrypted.", totals.changed, totals.rows);
            output::say!("Every field uses the new key. Remove BACKEND_OLD_ENC_KEY and restart every server.");
        },
    );
    Ok(())
}

/// Re-encrypts the fields of a table, in several commits.
async fn renew(database: &Database, table: &'static str, arguments: &Arguments, totals: &mut Progress) -> Result<()> {
    let limit = arguments.batch_rows.max(1);
    let mut after = 0;
    loop {
        let id = database.fresh_commit_id();
        let write = database.write(id, move |db| {
            let batch = sealed::renew(db, table, after, limit)?;
            Ok::<CommitCounts, bespoke_database::Error>((batch.rows, batch.last, batch.changed))
        });
        let (rows, last, changed) = write
            .await
            .with_context(|| format!("cannot continue with {table}; run the command again to continue"))?;
        if rows == 0 {
            return Ok(());
        }
        after = last;
        totals.rows += rows;
        totals.changed += changed;
        totals.commits += u64::from(changed > 0);
        if arguments.abort_after == Some(totals.commits) {
            std::process::abort();
        }
    }
}
