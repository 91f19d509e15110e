//! `bespoke simulate`: simulates the storage engine with adverse schedules.

use std::io::{IsTerminal, Write};
use std::path::PathBuf;

use anyhow::{Result, bail};
use bespoke_storage::simulation::{Copies, Plan, SimulationStatistics, simulate};

use crate::output;

/// The simulation stops after this number of failing schedules.
const MAX_FAILURES: usize = 1;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Number of schedules
    #[arg(long, default_value_t = 10_000)]
    seeds: u64,
    /// The first seed; repeat a failing one with `--from SEED --seeds 1`
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// Use real SQLite files below this folder (preferably in memory) instead of a model
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
                // Progress is not essential, so errors are ignored.
                let _ = write!(std::io::stderr(), "\r{done} of {seeds} schedules");
            }
        },
    );
    if progress {
        eprintln!();
    }
    let SimulationStatistics {
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
            output::say!("No guarantee was violated.");
            Ok(())
        }
        Some(failure) => {
            output::say!("{failure}");
            bail!(
                "seed {} violated a guarantee; repeat it with --from {} --seeds 1",
                failure.seed,
                failure.seed
            )
        }
    }
}
