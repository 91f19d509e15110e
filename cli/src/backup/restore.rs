//! `bespoke restore`: restores an earlier state of the bucket, or a backup into a new bucket.

mod states;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Error, Result, anyhow, bail};
use bespoke_database::backup::restore;
use bespoke_database::{Database, DatabaseCopy, Freshness};
use bespoke_storage::PutCondition;
use bespoke_web::Context;
use serde_json::json;

use super::manifest::{DATABASE, Manifest};
use crate::start::Expect;
use crate::{output, start};

/// The number of rows per commit.
const BATCH_ROWS: usize = 10_000;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// A state, as `bespoke stats` and the header DB-Seq give it (1-1234), or a moment (2026-11-21T10:00:00Z): everything
    /// after it is undone, for every process. Every state of the last seven days is kept
    #[arg(
        long,
        value_name = "STATE|TIME",
        required_unless_present_any = ["from", "list"],
        conflicts_with_all = ["from", "list"]
    )]
    at: Option<String>,
    /// List the states that --at can restore, and change nothing
    #[arg(long, conflicts_with = "from")]
    list: bool,
    /// Folder of a backup, into a bucket without accounts
    #[arg(long, value_name = "FOLDER")]
    from: Option<PathBuf>,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
    /// Rows of one commit
    #[arg(long, hide = true, default_value_t = BATCH_ROWS)]
    batch_rows: usize,
    /// Abort after this number of commits, as if killed
    #[arg(long, hide = true)]
    abort_after: Option<u64>,
}

pub(crate) fn run(arguments: &Arguments, data_dir: Option<PathBuf>) -> Result<()> {
    if arguments.list {
        let ranges = start::with_database(data_dir, async |database| Ok(database.restorable().await?))?;
        states::print(&ranges, arguments.json);
        return Ok(());
    }
    match (&arguments.at, &arguments.from) {
        (Some(at), _) => {
            let point = states::point(at)?;
            let restored = start::with_database(data_dir, async |database| {
                database.restore(point).await.map_err(states::explain)
            })?;
            let from = restored.from.to_string();
            let new = restored.version.to_string();
            output::print(
                arguments.json,
                || json!({ "from": from, "state": new }),
                || {
                    output::say!(
                        "State {from} was restored. Its name is {new} now. To undo this, restore the previous state."
                    );
                },
            );
            Ok(())
        }
        (None, Some(folder)) => {
            let manifest = Manifest::read(folder)?;
            let rows = start::with_context(data_dir, Expect::Anything, async |context| {
                restore_backup(context, folder, &manifest, arguments).await
            })?;
            output::print(
                arguments.json,
                || json!({ "from": manifest.state, "rows": rows }),
                || {
                    output::say!(
                        "State {} is back: {rows} rows and {} images.",
                        manifest.state,
                        manifest.files.len() - 1
                    );
                },
            );
            Ok(())
        }
        (None, None) => bail!("say --at or --from"),
    }
}

/// Stores the rows and the images of a backup, after those that an interrupted restore has stored. Returns the number of
/// rows.
async fn restore_backup(context: &Context, folder: &Path, manifest: &Manifest, arguments: &Arguments) -> Result<u64> {
    let database = context.database();
    let file = folder.join(DATABASE);
    let copy = database
        .open_copy(&file)
        .with_context(|| format!("cannot open {}", file.display()))?;
    let total = copy.count()?;
    let (first_table, mut stored_rows) = begin(database, &copy, manifest).await?;
    let bar = output::bar(total, "rows");
    let mut commits = 0;
    for table in copy.tables()?.into_iter().skip_while(|table| *table != first_table) {
        // Only the first table may have been stored in part.
        let mut offset = std::mem::take(&mut stored_rows);
        loop {
            let rows = copy.rows(&table, offset, arguments.batch_rows.max(1))?;
            if rows.is_empty() {
                break;
            }
            let (count, rows) = (rows.len() as i64, Arc::new(rows));
            let store = database.write_restored(move |db| restore::store(db, &rows));
            store
                .await
                .with_context(|| format!("cannot store rows of {table}; run the command again to continue"))?;
            offset += count;
            bar.inc(count.unsigned_abs());
            commits += 1;
            if arguments.abort_after == Some(commits) {
                std::process::abort();
            }
        }
    }
    for name in manifest.files.keys().filter(|name| *name != DATABASE) {
        let body = std::fs::read(folder.join(name))?;
        context.bucket().put(name, body.into(), PutCondition::None).await?;
    }
    let counters = copy.counters()?;
    let finish = database.write_restored(move |db| restore::finish(db, &counters));
    finish.await?;
    bar.finish_and_clear();
    database.compact().await?;
    Ok(total)
}

/// Begins a restore. Returns the table with which to begin, and the number of its rows that an interrupted restore has
/// stored already.
async fn begin(database: &Database, copy: &DatabaseCopy, manifest: &Manifest) -> Result<(String, i64)> {
    let source: [u8; 32] = manifest
        .files
        .get(DATABASE)
        .and_then(|digest| hex::decode(digest).ok()?.try_into().ok())
        .context("the manifest of the backup contains no database")?;
    let first = copy.tables()?.into_iter().next().unwrap_or_default();
    match database.read(Freshness::Strict, restore::begun).await? {
        Some((earlier_source, table, rows)) if earlier_source == source => Ok((table, rows)),
        Some(_) => {
            let incomplete = database.check_complete().await.err();
            Err(incomplete.map_or_else(|| anyhow!("the other restore has finished"), Error::from))
                .context("the restore of a different backup was interrupted")
        }
        None => {
            let table = first.clone();
            let begin = database.write_restored(move |db| restore::begin(db, &source, &table));
            begin.await.map_err(|error| match error {
                bespoke_database::Error::NotEmpty => {
                    anyhow!("this installation has accounts already: restore a backup into one that has none")
                }
                error @ bespoke_database::Error::InUse(_) => {
                    Error::from(error).context("this installation is in use already: restore a backup into a new one")
                }
                error => error.into(),
            })?;
            Ok((first, 0))
        }
    }
}
