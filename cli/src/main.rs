//! The command `bespoke`: parses the arguments, and runs a subcommand.
//!
//! **Purpose.** Commands for operators: run, test and maintain an installation.
//!
//! **Does not depend on** the implementation of routes and tables: it calls functions and repositories.
//!
//! Each folder contains the commands of one topic. `start` reads the settings and opens the installation, `output` prints
//! results and errors.
//!
//! **To add a command,** write a module in the folder of its topic, with its arguments as a `clap::Args` and a `run`, and
//! add a variant to [`Command`].

mod accounts;
mod aws;
mod backup;
mod client;
mod development;
mod digest;
mod import;
mod installation;
mod output;
mod serve;
mod start;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use accounts::{export, keys, user};
use backup::{restore, verify};
use client::{health, import_account, lookup};
use development::{bench_original, bench_seed, demo, invoke, simulate};
use installation::{designs, doctor, rotate_keys, stats};

/// Replaces glibc's allocator, which gives each thread an arena that keeps freed memory. Because batches and blocking
/// work run on many threads, an import with glibc's allocator takes three times the memory, which grows over time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), " (", env!("BESPOKE_COMMIT"), ")");

/// The FreeSewing backend as a bundle of small functions, on your machine.
#[derive(Parser)]
#[command(name = "bespoke", version = VERSION)]
struct Arguments {
    /// Folder of the bucket, the keys and the outbox [default: ./data]
    #[arg(long, global = true, value_name = "DIR")]
    data: Option<PathBuf>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Serve the complete API in one process (the default without a command)
    Serve(serve::Arguments),
    /// Pass one gateway event to the Lambda function for its path, and print the response
    Invoke(invoke::Arguments),
    /// Create the account, key and set that the sample events use
    Demo,
    /// Import a database of FreeSewing's backend
    Import(import::Arguments),
    /// Import an export of any size into the account of an API key, in any installation
    ImportAccount(import_account::Arguments),
    /// Look up the measurements of a set in any installation, by API key
    Lookup(lookup::Arguments),
    /// Manage designs
    #[command(subcommand)]
    Designs(designs::Command),
    /// Export accounts to unencrypted files
    Export(export::Arguments),
    /// Back up everything except the keys to a folder
    Backup(backup::create::Arguments),
    /// Restore an earlier state, or restore a backup into a new bucket
    Restore(restore::Arguments),
    /// Verify checksums, pages, references and every encrypted field
    Verify(verify::Arguments),
    /// Re-encrypt fields of older keys with the newest key, while servers run
    RotateKeys(rotate_keys::Arguments),
    /// Manage accounts
    #[command(subcommand)]
    User(user::Command),
    /// Manage API keys
    #[command(subcommand)]
    Keys(keys::Command),
    /// Find problems of an installation, and print advice
    Doctor(doctor::Arguments),
    /// Check that a server responds
    Health(health::Arguments),
    /// Print statistics
    Stats(stats::Arguments),
    /// Simulate the storage engine with crashes, stalls, lost responses and many processes
    Simulate(simulate::Arguments),
    /// Print every setting, as in docs/configuration.md
    Settings,
    /// Print the description of the API (OpenAPI 3.1, JSON)
    Openapi,
    /// Fill an installation with keys and sets for measurements
    #[command(hide = true)]
    BenchSeed(bench_seed::Arguments),
    /// Create a synthetic database of FreeSewing's backend to measure an import
    #[command(hide = true)]
    BenchOriginal(bench_original::Arguments),
}

fn main() -> ExitCode {
    bespoke_web::keep_files_private();
    let Arguments { data, command } = Arguments::parse();
    let result = match command.unwrap_or_else(|| Command::Serve(serve::Arguments::default())) {
        Command::Serve(arguments) => serve::run(arguments, data),
        Command::Invoke(arguments) => invoke::run(&arguments, data),
        Command::Demo => demo::run(data),
        Command::Import(arguments) => return exit(import::run(&arguments, data)),
        Command::ImportAccount(arguments) => import_account::run(&arguments),
        Command::Lookup(arguments) => return exit(lookup::run(&arguments)),
        Command::Designs(command) => designs::run(command, data),
        Command::Backup(arguments) => backup::create::run(&arguments, data),
        Command::Restore(arguments) => restore::run(&arguments, data),
        Command::Verify(arguments) => return exit(verify::run(&arguments, data)),
        Command::RotateKeys(arguments) => rotate_keys::run(&arguments, data),
        Command::Keys(command) => keys::run(command, data),
        Command::Doctor(arguments) => return exit(doctor::run(&arguments, data)),
        Command::Health(arguments) => health::run(&arguments),
        Command::Export(arguments) => export::run(&arguments, data),
        Command::Stats(arguments) => stats::run(&arguments, data),
        Command::User(command) => user::run(command, data),
        Command::Simulate(arguments) => simulate::run(arguments),
        Command::Settings => {
            output::say!("{}", bespoke_web::config::page().trim_end());
            Ok(())
        }
        Command::Openapi => {
            output::say!("{:#}", bespoke_web::openapi::document(&all::routers()));
            Ok(())
        }
        Command::BenchOriginal(arguments) => bench_original::run(&arguments),
        Command::BenchSeed(arguments) => bench_seed::run(&arguments, data),
    };
    exit(result.map(|()| ExitCode::SUCCESS))
}

fn exit(result: anyhow::Result<ExitCode>) -> ExitCode {
    match result {
        Ok(code) => code,
        Err(error) => {
            // The text of a cause includes its own cause.
            let cause = error.source().map(|cause| format!(": {cause}")).unwrap_or_default();
            eprintln!("bespoke: {error}{cause}");
            ExitCode::FAILURE
        }
    }
}
