//! `bespoke rotate-keys`: re-encrypts fields of older keys with the newest key, while servers run.

use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use bespoke_database::{Database, sealed};
use serde_json::json;

use crate::start::Expect;
use crate::{output, start};

/// Rows per commit. Few, so that other writers do not wait for long.
const ROWS: u32 = 1_000;
/// Number of rows that one commit processed, integer key of the last one, and number of changed rows.
type Counts = (usize, i64, usize);

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Print a summary as JSON
    #[arg(long)]
    json: bool,
    /// Rows of one commit
    #[arg(long, hide = true, default_value_t = ROWS)]
    batch_rows: u32,
    /// End without a farewell after so many commits, as if killed
    #[arg(long, hide = true)]
    abort_after: Option<u64>,
}

/// Counts of all commits.
#[derive(Default)]
struct Progress {
    rows: usize,
    changed: usize,
    commits: u64,
}

pub(crate) fn run(arguments: &Arguments, data_dir: Option<PathBuf>) -> Result<()> {
    let done = start::with_context(data_dir, Expect::Installation, async |context| {
        let old = &context.config().old_keys;
        if old.data.is_none() && old.index.is_none() {
            bail!(
                "there is no key to rotate from: set BACKEND_OLD_ENC_KEY to the passphrase until now and BACKEND_ENC_KEY to the \
                 new one, restart every server with both, then run this again"
            );
        }
        let mut done = Progress::default();
        let bar = output::bar(sealed::tables().count() as u64, "tables");
        let database = context.database();
        database.write(database.fresh_commit_id(), sealed::begin).await?;
        for table in sealed::tables() {
            renew(database, table, arguments, &mut done).await?;
            bar.inc(1);
        }
        // Until the last table is complete, a process that has only the old data key could add rows to the others.
        let mut late = Progress {
            commits: done.commits,
            ..Progress::default()
        };
        for table in sealed::tables() {
            renew(database, table, arguments, &mut late).await?;
        }
        done.changed += late.changed;
        bar.finish_and_clear();
        database.compact().await?;
        Ok(done)
    })?;
    output::print(
        arguments.json,
        || json!({ "rows": done.rows, "changed": done.changed }),
        || {
            output::say!("{} of {} rows were re-encrypted.", done.changed, done.rows);
            output::say!("Every field uses the new key. Remove BACKEND_OLD_ENC_KEY and restart every server.");
        },
    );
    Ok(())
}

async fn renew(database: &Database, table: &'static str, arguments: &Arguments, done: &mut Progress) -> Result<()> {
    let (mut after, limit) = (0, arguments.batch_rows.max(1));
    loop {
        let id = database.fresh_commit_id();
        let write = database.write(id, move |db| {
            let looked = sealed::renew(db, table, after, limit)?;
            Ok::<Counts, bespoke_database::Error>((looked.rows, looked.last, looked.changed))
        });
        let (rows, last, changed) = write
            .await
            .with_context(|| format!("cannot continue with {table}; run the command again to continue"))?;
        if rows == 0 {
            return Ok(());
        }
        after = last;
        done.rows += rows;
        done.changed += changed;
        done.commits += u64::from(changed > 0);
        if arguments.abort_after == Some(done.commits) {
            std::process::abort();
        }
    }
}
