//! Embeds the Git commit in the binary, for `bespoke --version`.

use std::path::Path;
use std::process::Command;

fn main() {
    let commit = git(&["describe", "--always", "--dirty", "--exclude=*"]);
    let commit = commit.as_deref().unwrap_or("unknown commit");
    println!("cargo::rustc-env=BESPOKE_COMMIT={commit}");
    println!("cargo::rerun-if-changed=build.rs");
    // In a linked worktree, these files are not below .git.
    let logs = ["HEAD", "logs/HEAD"].map(|name| git(&["rev-parse", "--git-path", name]));
    for path in logs.iter().flatten().filter(|path| Path::new(path).exists()) {
        println!("cargo::rerun-if-changed={path}");
    }
}

/// Returns the output of a Git command; `None` if it fails or is empty.
fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let text = text.trim();
    (output.status.success() && !text.is_empty()).then(|| text.to_owned())
}
