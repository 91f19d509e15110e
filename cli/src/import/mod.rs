//! `bespoke import`: imports the database file of the legacy backend.

mod batches;
mod conversion;
pub(crate) mod legacy_cipher;
mod report;
mod source;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result, anyhow, bail};
use bespoke_core::Clock as _;
use bespoke_database::import::{self, Batch};
use bespoke_database::{CommitId, Database, Freshness};
use bespoke_storage::Error as StorageError;
use bespoke_web::config::Environment;
use bespoke_web::{Context, Dependencies, Overrides, SystemClock};
use indicatif::ProgressBar;

use self::batches::Pipeline;
use self::conversion::TABLES;
use self::legacy_cipher::LegacyCipher;
use self::report::Report;
use self::source::Source;
use crate::start::Expect;
use crate::{output, start};

/// The number of rows per commit. Smaller commits would write the pages of the indexes more often; larger ones would
/// take more memory.
const BATCH_ROWS: usize = 10_000;
/// The maximum number of attempts of a commit of unknown outcome, all under the same commit id.
const ATTEMPTS: u32 = 5;
/// The maximum number of issues in a report.
const NOTES_MAX: u32 = 100_000;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// SQLite file of FreeSewing's backend; its passphrase is in IMPORT_ENC_KEY
    file: PathBuf,
    /// Import into a temporary folder, print the report, and keep nothing
    #[arg(long)]
    dry_run: bool,
    /// Skip tables and columns that this version does not know
    #[arg(long)]
    ignore_unknown: bool,
    /// Print the report as JSON
    #[arg(long)]
    json: bool,
    /// Rows of one commit
    #[arg(long, hide = true, default_value_t = BATCH_ROWS)]
    batch_rows: usize,
    /// Abort after this number of commits, as if killed
    #[arg(long, hide = true)]
    abort_after: Option<u64>,
}

pub(crate) fn run(arguments: &Arguments, data_dir: Option<PathBuf>) -> Result<ExitCode> {
    let environment = start::environment(data_dir);
    let passphrase = environment
        .import_passphrase()
        .context("set IMPORT_ENC_KEY to the encryption key of FreeSewing's backend (its BACKEND_ENC_KEY)")?;
    let source = Source::open(&arguments.file)?;
    let ignored = source.check_shape(arguments.ignore_unknown)?;
    let warning = source.warning.clone();
    let cipher = LegacyCipher::new(&passphrase);
    source.check_passphrase(&cipher)?;
    let scratch = tempfile::tempdir()?;
    let environment = if arguments.dry_run {
        scratch_environment(scratch.path())
    } else {
        environment
    };
    start::block_on(async {
        let context = start::open(environment, Expect::InstallationOrNone, None).await?;
        let began = SystemClock.now();
        let result = import_all(&context, source, cipher, arguments).await;
        let report = result.map(|report| Report {
            ignored,
            warning,
            took_ms: (SystemClock.now().as_millis() - began.as_millis()).unsigned_abs(),
            ..report
        });
        context.database().clone().close().await;
        let report = report?;
        output::print(arguments.json, || report.as_json(), || report.print());
        Ok(output::exit_code(report.rejected() > 0))
    })
}

/// Returns the environment of a temporary installation with new keys.
fn scratch_environment(folder: &Path) -> Environment {
    let overrides = Overrides {
        data_dir: Some(folder.into()),
        ..Overrides::default()
    };
    Environment::of([], overrides)
}

async fn import_all(context: &Context, source: Source, cipher: LegacyCipher, arguments: &Arguments) -> Result<Report> {
    let database = context.database();
    let was_finished = begin(database, &source).await?;
    if !was_finished {
        let progress_so_far = progress(database).await?;
        let bar = output::bar(total(&source)?, "rows");
        bar.set_position(progress_so_far.iter().map(|table| table.rows.unsigned_abs()).sum());
        let mut batches = batches::start(
            Pipeline {
                cipher,
                random: Dependencies::system().random,
                instance: context.config().instance.clone(),
                rows: arguments.batch_rows.max(1),
                database: database.clone(),
                source,
            },
            progress_so_far
                .into_iter()
                .map(|table| (table.table, table.last_row))
                .collect(),
        );
        let mut commits = 0;
        while let Some(batch) = batches.recv().await {
            store(database, batch?, &bar).await?;
            commits += 1;
            if arguments.abort_after == Some(commits) {
                std::process::abort();
            }
        }
        let now = SystemClock.now();
        let id = database.fresh_commit_id();
        database.write(id, move |db| import::finish(db, now)).await?;
        bar.finish_and_clear();
        database.compact().await?;
    }
    Ok(Report {
        dry_run: arguments.dry_run,
        was_finished,
        tables: progress(database).await?,
        notes: database
            .read(Freshness::Local, |db| import::notes(db, NOTES_MAX))
            .await?,
        ignored: Vec::new(),
        warning: None,
        took_ms: 0,
    })
}

/// Begins the import, or continues an earlier one of the same file. Returns whether the earlier one was finished.
async fn begin(database: &Database, source: &Source) -> Result<bool> {
    match database.read(Freshness::Strict, import::begun).await? {
        Some((digest, _)) if digest != source.digest => {
            bail!("another file was imported, or its import is incomplete; an installation accepts only one")
        }
        Some((_, finished)) => Ok(finished.is_some()),
        None => {
            let curated = TABLES.iter().find(|table| table.ours == Some("curated_sets"));
            let replaces_seeds = curated.map_or(Ok(0), |table| source.count(table))? > 0;
            let (digest, counters) = (source.digest, source.counters()?);
            let begun = database
                .write(database.fresh_commit_id(), move |db| {
                    import::begin(db, &digest, replaces_seeds, &counters)
                })
                .await;
            begun.map_err(|error| match error {
                bespoke_database::Error::NotEmpty => {
                    anyhow!("this installation has accounts already: import into one that has none")
                }
                error => error.into(),
            })?;
            Ok(false)
        }
    }
}

async fn progress(database: &Database) -> Result<Vec<import::Progress>> {
    Ok(database.read(Freshness::Local, import::progress).await?)
}

fn total(source: &Source) -> Result<u64> {
    let mut total = 0;
    for table in &TABLES {
        if !source.columns(table)?.is_empty() {
            total += source.count(table)?;
        }
    }
    Ok(total)
}

/// Stores a batch in one commit. A commit of unknown outcome is tried again under the same id, so that it takes effect once.
async fn store(database: &Database, batch: Batch, bar: &ProgressBar) -> Result<()> {
    let (table, after, rows) = (batch.table, batch.after, batch.rows.len());
    let id = CommitId::new(format!("import:{table}:{after}"))?;
    let batch = std::sync::Arc::new(batch);
    let now = SystemClock.now();
    for attempt in 1.. {
        let batch = std::sync::Arc::clone(&batch);
        let result = database
            .write(id.clone(), move |db| import::store(db, &batch, now))
            .await;
        match result {
            Err(bespoke_database::Error::Storage(StorageError::Unavailable { .. })) if attempt < ATTEMPTS => {}
            Err(bespoke_database::Error::NoSuchPlace) => bail!("another process imports this file at the same time"),
            result => {
                result.with_context(|| format!("cannot store rows of {table}"))?;
                break;
            }
        }
    }
    bar.inc(rows as u64);
    Ok(())
}
