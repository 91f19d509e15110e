//! `bespoke verify`: verifies that all data are present and readable.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Result, bail};
use bespoke_core::Clock as _;
use bespoke_database::{DatabaseCopy, sealed};
use bespoke_web::{Config, Context, Dependencies, SystemClock};
use serde_json::json;

use super::manifest::{DATABASE, Manifest};
use crate::start::Expect;
use crate::{aws, output, start};

/// The number of rows per query.
const ROWS: u32 = 1_000;
/// The maximum number of problems shown to a person.
const SHOWN: usize = 50;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Verify the backup in this folder instead of the bucket
    #[arg(long, value_name = "FOLDER")]
    backup: Option<PathBuf>,
    /// Print the problems as JSON
    #[arg(long)]
    json: bool,
}

/// Result of a verification.
struct Verification {
    state: String,
    rows: usize,
    problems: Vec<String>,
    took_ms: u64,
}

pub(crate) fn run(arguments: &Arguments, data_dir: Option<PathBuf>) -> Result<ExitCode> {
    let began = SystemClock.now();
    let mut verification = match &arguments.backup {
        Some(folder) => verify_backup(folder, data_dir)?,
        None => start::with_context(data_dir, Expect::InstallationOrIncomplete, verify_bucket)?,
    };
    verification.took_ms = (SystemClock.now().as_millis() - began.as_millis()).unsigned_abs();
    output::print(arguments.json, || verification.as_json(), || verification.print());
    Ok(output::exit_code(!verification.problems.is_empty()))
}

/// Verifies a backup. This needs only the keys, so that a backup can be verified before a bucket for it exists.
fn verify_backup(folder: &Path, data_dir: Option<PathBuf>) -> Result<Verification> {
    let manifest = Manifest::read(folder)?;
    let mut environment = start::environment(data_dir);
    let dependencies = Dependencies::system();
    environment.require_key_file();
    start::block_on(async {
        aws::read_passphrase_secret(&mut environment, dependencies.clock.now()).await?;
        let config = Config::load(environment, &*dependencies.random)?;
        let vault = Arc::new(config.vault(dependencies.random));
        verify_copy(&DatabaseCopy::open(&folder.join(DATABASE), vault)?, manifest.state)
    })
}

/// Fetches every object of the database, and verifies its checksum. The other checks use a copy, so that requests to
/// running servers do not wait.
async fn verify_bucket(context: &Context) -> Result<Verification> {
    context.database().check_objects().await?;
    let folder = tempfile::Builder::new()
        .prefix("verify-")
        .tempdir_in(&context.config().local_dir)?;
    let file = folder.path().join(DATABASE);
    let state = context.database().copy_to(&file).await?;
    verify_copy(&context.database().open_copy(&file)?, state.to_string())
}

/// Verifies the pages, the references and every encrypted field of a copy of the database.
fn verify_copy(copy: &DatabaseCopy, state: String) -> Result<Verification> {
    let bar = output::bar(sealed::tables().count() as u64 + 1, "tables");
    let mut problems = copy.problems()?;
    match copy.check_complete() {
        Err(error @ bespoke_database::Error::Incomplete { .. }) => problems.push(error.to_string()),
        result => result?,
    }
    bar.inc(1);
    let mut rows = 0;
    for table in sealed::tables() {
        rows += verify_fields(copy, table, &mut problems)?;
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(Verification {
        state,
        rows,
        problems,
        took_ms: 0,
    })
}

/// Verifies every encrypted field of a table. Returns the number of rows.
fn verify_fields(copy: &DatabaseCopy, table: &str, problems: &mut Vec<String>) -> Result<usize> {
    let mut after = 0;
    let mut rows = 0;
    loop {
        let batch = copy.read(|db| sealed::check(db, table, after, ROWS))?;
        if batch.rows == 0 {
            return Ok(rows);
        }
        if batch.last <= after {
            bail!("the keys of {table} are not in ascending order: run `PRAGMA integrity_check`");
        }
        after = batch.last;
        rows += batch.rows;
        problems.extend(batch.problems);
    }
}

impl Verification {
    fn as_json(&self) -> serde_json::Value {
        json!({ "state": self.state, "rows": self.rows, "problems": self.problems, "tookMs": self.took_ms })
    }

    fn print(&self) {
        for problem in self.problems.iter().take(SHOWN) {
            output::say!("{problem}");
        }
        let seconds = self.took_ms as f64 / 1000.0;
        match self.problems.len() {
            0 => output::say!(
                "State {}: checksums, pages, references, and every encrypted field of {} rows are valid. {seconds:.1} s",
                self.state,
                self.rows
            ),
            count => output::say!("State {}: {count} problems. See docs/operations.md", self.state),
        }
    }
}
