//! The clients that are generated from the description of the API: their generators have nothing to warn of, and they do
//! the main job.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use bespoke_tests::support::{Server, functions};
use bespoke_web::openapi::document;
use tempfile::{TempDir, tempdir};

/// The programs, and what they are compiled with.
const CLIENTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/clients");

/// A folder that holds the description, as the code has it, in `openapi.json`.
fn described() -> TempDir {
    let folder = tempdir().unwrap();
    fs::write(folder.path().join("openapi.json"), document(&functions()).to_string()).unwrap();
    folder
}

/// Something that `ci/install` installs: absolute, for these programs run elsewhere.
fn installed(path: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    assert!(
        path.exists(),
        "{} is missing: run make check (or ci/install)",
        path.display()
    );
    path
}

/// A tool from npm.
fn node_tool(name: &str) -> Command {
    Command::new(installed("clients/typescript/node_modules/.bin").join(name))
}

/// The interpreter that has the Python tools.
fn python() -> Command {
    let mut command = Command::new(installed("../.venv/bin/python"));
    // The generator formats with a tool that it looks up by name.
    command.env("PATH", installed("../.venv/bin"));
    command
}

/// Runs it in that folder; gives all that it says, after making sure that it ends well.
#[track_caller]
fn run(command: &mut Command, folder: &Path) -> String {
    let command = command.current_dir(folder).stdin(Stdio::null()).env("NO_COLOR", "1");
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}: run make check (or ci/install)"));
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).trim().to_owned();
    assert!(output.status.success(), "{command:?}: {}\n{said}", output.status);
    said
}

/// Runs the main job against a server of its own.
#[track_caller]
fn do_the_main_job(program: &mut Command, folder: &Path) {
    let data = folder.join("data");
    let server = Server::start(&data);
    let program = program
        .arg(format!("http://127.0.0.1:{}", server.port))
        .arg(data.join("outbox"));
    assert_eq!(run(program, folder), "done");
}

#[test]
fn a_linter_finds_nothing_in_the_description() {
    let folder = described();
    let mut linter = node_tool("redocly");
    let linter = linter
        .env("REDOCLY_TELEMETRY", "off")
        .env("REDOCLY_SUPPRESS_UPDATE_NOTICE", "true")
        // In this set of rules a warning is an error.
        .args(["lint", "openapi.json", "--extends=recommended-strict"])
        // `/curated-sets/{id}/clone/jwt` and `/curated-sets/from/{id}/jwt` are the contract's.
        .arg("--skip-rule=no-ambiguous-paths");
    run(linter, folder.path());
}

#[test]
fn a_typescript_client_does_the_main_job() {
    let folder = described();
    let folder = folder.path();
    let said = run(
        node_tool("openapi-typescript").args(["openapi.json", "--output", "schema.ts"]),
        folder,
    );
    let unexpected = |line: &&str| !line.starts_with("✨ openapi-typescript ") && !line.starts_with("🚀 openapi.json ");
    let unexpected: Vec<_> = said.lines().filter(unexpected).collect();
    assert!(unexpected.is_empty(), "the generator warns: {said}");
    for file in ["main_job.ts", "package.json", "tsconfig.json"] {
        fs::copy(Path::new(CLIENTS).join("typescript").join(file), folder.join(file)).unwrap();
    }
    symlink(
        installed("clients/typescript/node_modules"),
        folder.join("node_modules"),
    )
    .unwrap();
    assert_eq!(run(&mut node_tool("tsc"), folder), "");
    do_the_main_job(Command::new("node").arg("out/main_job.js"), folder);
}

#[test]
fn a_python_client_does_the_main_job() {
    let folder = described();
    let folder = folder.path();
    let programs = Path::new(CLIENTS).join("python");
    let said = run(
        python()
            .args([
                "-m",
                "openapi_python_client",
                "generate",
                "--fail-on-warning",
                "--meta",
                "none",
            ])
            .args(["--path", "openapi.json", "--output-path", "bespoke_client", "--config"])
            .arg(programs.join("config.yaml")),
        folder,
    );
    assert_eq!(said, "Generating bespoke_client");
    // Every module, and Python's own warnings are errors.
    let import_all = "import bespoke_client, importlib, pkgutil
for module in pkgutil.walk_packages(bespoke_client.__path__, 'bespoke_client.'):
    importlib.import_module(module.name)";
    assert_eq!(run(python().args(["-W", "error", "-c", import_all]), folder), "");
    do_the_main_job(
        python().env("PYTHONPATH", folder).arg(programs.join("main_job.py")),
        folder,
    );
}
