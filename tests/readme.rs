//! The commands of README.md do what it says.

use std::os::unix::fs::symlink;
use std::process::Command;

use bespoke_tests::support::{Server, binary};
use tempfile::tempdir;

const README: &str = include_str!("../README.md");

/// Commands that other tests run, or that are this run: `cargo run` is what [`Server`] does, `make check` calls us.
const ELSEWHERE: [&str; 2] = ["cargo run\n", "make check\n"];

/// The blocks of shell commands, in their order.
fn blocks() -> Vec<&'static str> {
    let blocks = README
        .split("```sh\n")
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap());
    blocks.filter(|block| !ELSEWHERE.contains(block)).collect()
}

#[test]
fn every_command_works_as_it_stands() {
    let folder = tempdir().unwrap();
    let data = folder.path().join("data");
    let server = Server::start(&data);
    let script = blocks().concat();
    assert_eq!(README.matches("```sh\n").count(), ELSEWHERE.len() + blocks().len());
    // What a reader's machine has and a test's has not: the port, the folder of the project, cargo's wrapping.
    let script = script
        .replace("http://localhost:3000", &format!("http://localhost:{}", server.port))
        .replace("cargo run -q --", "\"$BESPOKE\"");
    symlink(
        concat!(env!("CARGO_MANIFEST_DIR"), "/../events"),
        folder.path().join("events"),
    )
    .expect("a link");
    let output = Command::new("bash")
        .args(["-euo", "pipefail", "-c", &script])
        .env("BESPOKE", binary("bespoke"))
        .current_dir(folder.path())
        .output();
    let output = output.unwrap();
    let (stdout, stderr) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(output.status.success(), "{stdout}\n{stderr}");
    for expected in [
        r#"{"result":"created","email":"jane@example.com"}"#,
        "{'chest': 925, 'neck': 340.5}",
        "measurements:\n  chest: 925\n  neck: 340.5\n",
        "Created the demonstration account.",
        r#""statusCode":200"#,
        "role      admin",
    ] {
        assert!(stdout.contains(expected), "{expected} in {stdout}\n{stderr}");
    }
}
