//! `bespoke simulate`: the storage engine under hostile schedules, for anyone who doubts it.

use std::io::{IsTerminal, Write};
use std::path::PathBuf;

use anyhow::{Result, bail};
use bespoke_storage::simulation::{Copies, Plan, Statistics, simulate};

use crate::output;

/// Failing schedules that are printed before the run ends.
const MAX_FAILURES: usize = 1;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// How many schedules to play
    #[arg(long, default_value_t = 10_000)]
    seeds: u64,
    /// The first seed; a failing one is played again with `--from SEED --seeds 1`
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// Play with real SQLite files below this folder, best one in memory, instead of a model of them
    #[arg(long, value_name = "DIR")]
    sqlite: Option<PathBuf>,
}

pub(crate) fn run(arguments: Arguments) -> Result<()> {
    let Arguments { seeds, from, sqlite } = arguments;
    let plan = Plan::new(sqlite.map_or(Copies::Model, Copies::Sqlite));
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let progress = std::io::stderr().is_terminal();
    let report = simulate(
        from..from.saturating_add(seeds),
        &plan,
        threads,
        MAX_FAILURES,
        &|done| {
            if progress {
                // Who does not see it misses nothing.
                let _ = write!(std::io::stderr(), "\r{done} of {seeds} schedules");
            }
        },
    );
    if progress {
        eprintln!();
    }
    let Statistics {
        seeds,
        operations,
        acknowledged,
        faults,
        head_puts,
        ..
    } = report.statistics;
    output::say!(
        "{seeds} schedules: {operations} operations, {acknowledged} acknowledged writes, {faults} faults, \
         {head_puts} accepted heads"
    );
    match report.failures.first() {
        None => {
            output::say!("No promise was broken.");
            Ok(())
        }
        Some(failure) => {
            output::say!("{failure}");
            bail!(
                "seed {} broke a promise; play it again with --from {} --seeds 1",
                failure.seed,
                failure.seed
            )
        }
    }
}
