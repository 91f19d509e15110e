//! Import and operation: the commands as processes, and their results through the API.

mod backup;
mod drills;
mod import;
mod import_account;
mod import_interrupted;
mod import_odd;
mod interrupted_restore;
mod missing;
mod operator;
mod rotate;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use bespoke_storage::{DirectoryStore, MemoryStore};
use bespoke_tests::support::{App, ENC_KEY, bespoke, secrets};
use serde_json::Value;

/// The passphrase of the sample of the original.
const SAMPLE_KEY: &str = "sample-database-encryption-key";

fn sample() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("data/sample-v3.sqlite")
}

/// The result of a command.
struct Outcome {
    /// Exit code; none if a signal ended it.
    code: Option<i32>,
    out: String,
    err: String,
}

impl Outcome {
    /// Runs a command to its end.
    fn of(command: &mut Command) -> Self {
        let output = command.output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Self {
            code: output.status.code(),
            out: text(output.stdout),
            err: text(output.stderr),
        }
    }

    #[track_caller]
    fn json(&self, code: i32) -> Value {
        assert_eq!(self.code, Some(code), "{}{}", self.out, self.err);
        serde_json::from_str(&self.out).unwrap()
    }

    #[track_caller]
    fn succeeds(&self) {
        assert_eq!(self.code, Some(0), "{}{}", self.out, self.err);
    }

    #[track_caller]
    fn fails_with(&self, text: &str) {
        assert_eq!(self.code, Some(1), "{}{}", self.out, self.err);
        assert!(self.err.contains(text), "{}", self.err);
    }
}

/// Runs the command on an installation with the keys of each test.
fn run(data: &Path, arguments: &[&str], settings: &[(&str, &str)]) -> Outcome {
    let mut command = bespoke(data);
    command
        .env("BACKEND_ENC_KEY", ENC_KEY)
        .args(arguments)
        .envs(settings.iter().copied())
        .stdin(Stdio::null());
    let outcome = Outcome::of(&mut command);
    settings
        .iter()
        .for_each(|(name, value)| secrets::plant_setting(name, value));
    secrets::check_output(&outcome.err);
    outcome
}

/// Imports a file.
fn import(data: &Path, file: &Path, more: &[&str]) -> Outcome {
    let arguments = [&["import", "--json", file.to_str().unwrap()], more].concat();
    run(data, &arguments, &[("IMPORT_ENC_KEY", SAMPLE_KEY)])
}

/// The complete API on the data that a command left in that folder.
async fn app(data: &Path) -> App {
    let store = DirectoryStore::open(data.join("objects")).unwrap();
    App::over(Arc::new(store), MemoryStore::new(), &[]).await.unwrap()
}

/// Creates a database of the original, with the schema of that year.
fn made_up(file: &Path, shape: &str, users: u32, sets: u32) {
    let (users, sets) = (users.to_string(), sets.to_string());
    let mut command = bespoke(Path::new("unused"));
    let made = command
        .env("IMPORT_ENC_KEY", SAMPLE_KEY)
        .args(["bench-original", "--users", &users, "--sets", &sets, "--shape", shape])
        .arg(file)
        .status()
        .unwrap();
    assert!(made.success());
}
