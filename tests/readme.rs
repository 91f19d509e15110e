//! The commands of README.md work.

use std::os::unix::fs::symlink;
use std::process::Command;

use bespoke_tests::support::{Server, binary};
use tempfile::tempdir;

const README: &str = include_str!("../README.md");

/// Commands that other tests run, or that would run this test: `cargo run` does the work of `Server`, and `make check` runs this test.
const ELSEWHERE: [&str; 2] = ["cargo run\n", "make check\n"];

/// The blocks of shell commands, in order.
fn blocks() -> Vec<&'static str> {
    let blocks = README
        .split("```sh\n")
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap());
    blocks.filter(|block| !ELSEWHERE.contains(block)).collect()
}

#[test]
fn each_command_of_the_readme_works() {
    let folder = tempdir().unwrap();
    let data = folder.path().join("data");
    let server = Server::start(&data);
    let script = blocks().concat();
    assert_eq!(README.matches("```sh\n").count(), ELSEWHERE.len() + blocks().len());
    // Differences between a reader's machine and a test: the port, the project folder, the wrapper around Cargo.
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
