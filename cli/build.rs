//! Takes the commit into the binary, for `bespoke --version`.

use std::process::Command;

fn main() {
    let describe = Command::new("git")
        .args(["describe", "--always", "--dirty", "--exclude=*"])
        .output();
    let commit = describe.ok().filter(|output| output.status.success());
    let commit = commit
        .and_then(|output| String::from_utf8(output.stdout).ok())
        .unwrap_or_default();
    let commit = if commit.trim().is_empty() {
        "unknown commit"
    } else {
        commit.trim()
    };
    println!("cargo::rustc-env=BESPOKE_COMMIT={commit}");
    println!("cargo::rerun-if-changed=../.git/HEAD");
    println!("cargo::rerun-if-changed=../.git/logs/HEAD");
}
