//! Prints the results of commands, as lines ([`say`]) or as JSON ([`print()`]), and returns their exit codes
//! ([`exit_code`]).

use std::fmt;
use std::io::{ErrorKind, Write as _};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::anyhow;
use bespoke_web::Error;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::Value;

/// The exit code of a command that finished and found a problem that needs attention. 0 is success, 1 a failure, 2 a
/// usage error.
const ATTENTION: u8 = 3;

/// Interval at which the progress bar is redrawn without progress, in milliseconds.
const TICK_MS: u64 = 200;

/// Returns the exit code of a command that finished.
pub(crate) fn exit_code(needs_attention: bool) -> ExitCode {
    if needs_attention {
        ExitCode::from(ATTENTION)
    } else {
        ExitCode::SUCCESS
    }
}

/// Prints a line as `println!` does, but exits without an error if the reader closes the pipe (`| head`).
macro_rules! say {
    ($($text:tt)*) => { $crate::output::line(format_args!($($text)*)) };
}
pub(crate) use say;

pub(crate) fn line(text: fmt::Arguments<'_>) {
    let Err(error) = writeln!(std::io::stdout(), "{text}") else {
        return;
    };
    if error.kind() == ErrorKind::BrokenPipe {
        std::process::exit(0);
    }
    eprintln!("bespoke: cannot write to standard output: {error}");
    std::process::exit(1);
}

/// Prints a result: one JSON document for machines, or lines for people.
pub(crate) fn print(as_json: bool, json: impl FnOnce() -> Value, lines: impl FnOnce()) {
    if as_json {
        say!("{:#}", json());
    } else {
        lines();
    }
}

/// Returns a progress bar on standard error, which is hidden if that is not a terminal.
pub(crate) fn bar(total: u64, unit: &str) -> ProgressBar {
    let bar = ProgressBar::new(total);
    let style = ProgressStyle::with_template(&format!("{{bar:40}} {{pos}} of {{len}} {unit}, {{eta}} left"));
    bar.set_style(style.expect("the template is part of the program"));
    bar.enable_steady_tick(Duration::from_millis(TICK_MS));
    bar
}

/// Converts an error of the API to a sentence for operators.
pub(crate) fn readable(error: Error) -> anyhow::Error {
    match (error.code(), error.status().as_u16()) {
        ("emailTaken", _) => anyhow!("this address has an account already"),
        ("usernameTaken", _) => anyhow!("this user name is taken"),
        (_, 404) => anyhow!("there is no such record"),
        (code, _) => anyhow!("the operation failed: {}", error.detail().unwrap_or(code)),
    }
}
