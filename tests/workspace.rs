//! The targets of the workspace, and that Cargo builds a test program for each that has tests.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// A target of a package, as `cargo metadata` describes it.
pub(crate) struct Target {
    pub(crate) name: String,
    /// `lib` or `bin`.
    pub(crate) kind: String,
    /// The root file.
    pub(crate) root: PathBuf,
    has_test_program: bool,
    has_doc_tests: bool,
}

impl Target {
    fn of(target: &Value) -> Self {
        let text = |field: &Value| field.as_str().unwrap().to_owned();
        Self {
            name: text(&target["name"]),
            kind: text(&target["kind"][0]),
            root: text(&target["src_path"]).into(),
            has_test_program: target["test"].as_bool().unwrap(),
            has_doc_tests: target["doctest"].as_bool().unwrap(),
        }
    }
}

/// The libraries and binaries of the workspace.
pub(crate) fn targets() -> Vec<Target> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--offline", "--format-version=1"])
        .current_dir(crate::programs::ROOT)
        .output()
        .expect("cargo is available, because it built this test");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap().iter();
    packages
        .flat_map(|package| package["targets"].as_array().unwrap())
        .map(Target::of)
        .filter(|target| target.kind == "lib" || target.kind == "bin")
        .collect()
}

/// The Rust files of a folder and of the folders below.
fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let files = entries.flat_map(|path| match path.is_dir() {
        true => rust_files(&path),
        false => vec![path],
    });
    files
        .filter(|path| path.extension().is_some_and(|ext| ext == "rs"))
        .collect()
}

/// The files of each library and binary. A binary that shares its folder with a library consists of its root file.
fn code() -> Vec<(Target, Vec<PathBuf>)> {
    let targets = targets();
    let roots: Vec<_> = targets
        .iter()
        .map(|target| (target.kind.clone(), target.root.clone()))
        .collect();
    let with_files = targets.into_iter().map(|target| {
        let folder = target.root.parent().unwrap();
        let is_beside = |(_, root): &&(String, PathBuf)| *root != target.root && root.parent() == Some(folder);
        let beside: Vec<_> = roots.iter().filter(is_beside).collect();
        let mut files = rust_files(folder);
        if target.kind == "bin" && beside.iter().any(|(kind, _)| kind == "lib") {
            files.retain(|file| *file == target.root);
        } else {
            files.retain(|file| beside.iter().all(|(_, root)| root != file));
        }
        (target, files)
    });
    with_files.collect()
}

/// The lines of the files that contain one of the words.
fn lines_with(words: &[&str], files: &[PathBuf]) -> Vec<String> {
    let mut found = Vec::new();
    for file in files {
        let text = fs::read_to_string(file).unwrap();
        let lines = text.lines().filter(|line| words.iter().any(|word| line.contains(word)));
        found.extend(lines.map(|line| format!("{}: {line}", file.display())));
    }
    found
}

/// `test = false` and `doctest = false` in Cargo.toml shorten the build, but hide each test that is added later.
#[test]
fn targets_without_test_program_contain_no_tests() {
    let mut hidden = Vec::new();
    for (target, files) in code() {
        if !target.has_test_program {
            hidden.extend(lines_with(&["#[test]", "::test]", "proptest!"], &files));
        }
        if target.kind == "lib" && !target.has_doc_tests {
            hidden.extend(lines_with(&["/// ```", "//! ```"], &files));
        }
    }
    assert!(
        hidden.is_empty(),
        "remove `test = false` or `doctest = false` of:\n{}",
        hidden.join("\n")
    );
}
