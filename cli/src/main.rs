//! The command `bespoke`.
//!
//! **What it is for.** Everything a person does with an installation: run it, try it, look after it.
//!
//! **What it must not know.** How a route answers, or what a table looks like: it calls the functions and repositories.
//!
//! **How to add one more.** A module with its arguments as a `clap::Args` and a `run`, and a line in [`Command`].

mod aws;
mod backup;
mod bench_original;
mod bench_seed;
mod demo;
mod designs;
mod digest;
mod doctor;
mod export;
mod functions;
mod health;
mod import;
mod import_account;
mod invoke;
mod keys;
mod lookup;
mod output;
mod remote;
mod restore;
mod rotate_keys;
mod serve;
mod simulate;
mod start;
mod stats;
mod user;
mod verify;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Batches and blocking work run on many threads, which the allocator of glibc answers with an arena each that keeps what was
/// freed: an import then takes three times the memory, and more the longer it is.
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
    /// Serve the whole API in one process (this is what happens without a command)
    Serve(serve::Arguments),
    /// Answer one gateway event as the Lambda function for its path would, and print the answer
    Invoke(invoke::Arguments),
    /// Make the account, key and set that the sample events use
    Demo,
    /// Move in from a database of FreeSewing's backend
    Import(import::Arguments),
    /// Import the export of an account into the account of an API key, of any installation, however large it is
    ImportAccount(import_account::Arguments),
    /// Look up the measurements of a set, by API key, of any installation
    Lookup(lookup::Arguments),
    /// Look after the designs
    #[command(subcommand)]
    Designs(designs::Command),
    /// Write accounts into files, in clear
    Export(export::Arguments),
    /// Save everything but the keys into a folder
    Backup(backup::Arguments),
    /// Put an earlier state back, or a backup into a new bucket
    Restore(restore::Arguments),
    /// Look whether everything is there and can be read: checksums, pages, references, every encrypted field
    Verify(verify::Arguments),
    /// Seal anew what older keys have sealed, while servers serve
    RotateKeys(rotate_keys::Arguments),
    /// Look after accounts
    #[command(subcommand)]
    User(user::Command),
    /// Look after API keys
    #[command(subcommand)]
    Keys(keys::Command),
    /// Say what is wrong with an installation, and what to do
    Doctor(doctor::Arguments),
    /// Check that a server responds
    Health(health::Arguments),
    /// Say how much there is
    Stats(stats::Arguments),
    /// Play hostile schedules on the storage engine: crashes, stalls, lost answers, many processes
    Simulate(simulate::Arguments),
    /// Print every setting, as docs/configuration.md has them
    Settings,
    /// Print the description of the API (OpenAPI 3.1, JSON)
    Openapi,
    /// Fill an installation with keys and sets to measure with
    #[command(hide = true)]
    BenchSeed(bench_seed::Arguments),
    /// Make up a database of FreeSewing's backend to measure an import with
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
        Command::Backup(arguments) => backup::run(&arguments, data),
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
            // The cause of the cause is in the cause's own text.
            let cause = error.source().map(|cause| format!(": {cause}")).unwrap_or_default();
            eprintln!("bespoke: {error}{cause}");
            ExitCode::FAILURE
        }
    }
}
