//! Paths of built executables. Cargo tells a test only the binaries of its own package, so this module asks Cargo itself.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{LazyLock, Mutex, PoisonError};

/// Variables that Cargo sets for the package of the running test. They are removed for a build, because the build script of `ring` reruns when
/// they change. Half of the dependencies would be compiled again then, now and in the build after the tests.
const VARIABLES_OF_THE_TEST: [&str; 7] = [
    "CARGO_MANIFEST_DIR",
    "CARGO_MANIFEST_LINKS",
    "CARGO_PKG_NAME",
    "CARGO_PKG_VERSION_MAJOR",
    "CARGO_PKG_VERSION_MINOR",
    "CARGO_PKG_VERSION_PATCH",
    "CARGO_PKG_VERSION_PRE",
];

/// The variable with the id of a run of nextest.
const RUN: &str = "NEXTEST_RUN_ID";

/// The executable of the workspace's binary `name`, up to date, for the profile and target directory of this test. Cargo is called once
/// for each name in a process. Under nextest, which starts a process for each test, it is called once for each name in a run.
///
/// # Panics
/// If the build fails, with the message of Cargo.
pub fn binary(name: &str) -> PathBuf {
    built("--bin", name)
}

/// The executable of an example of the workspace.
///
/// # Panics
/// If the build fails, with the message of Cargo.
pub fn example(name: &str) -> PathBuf {
    built("--example", name)
}

#[expect(
    clippy::disallowed_methods,
    reason = "a variable of the test runner, not a setting of this project"
)]
fn built(kind: &'static str, name: &str) -> PathBuf {
    static BUILT: LazyLock<Mutex<HashMap<(&'static str, String), PathBuf>>> = LazyLock::new(Mutex::default);
    let mut built = BUILT.lock().unwrap_or_else(PoisonError::into_inner);
    built
        .entry((kind, name.to_owned()))
        .or_insert_with(|| match std::env::var(RUN) {
            Ok(run) => once_per_run(&run, kind, name).expect("the target directory can be written to"),
            Err(_) => build(kind, name),
        })
        .clone()
}

/// The executable that the first test of `run` has built. A file in the target directory keeps it for the others: the first line is the id of
/// the run, the second one is the path.
fn once_per_run(run: &str, kind: &str, name: &str) -> io::Result<PathBuf> {
    let (target_dir, profile) = whereabouts();
    let path = target_dir.join(format!("built-{profile}{kind}-{name}"));
    let mut file = File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)?;
    file.lock()?;
    let mut text = String::new();
    file.read_to_string(&mut text)?;
    if let Some((of, executable)) = text.split_once('\n')
        && of == run
    {
        return Ok(executable.into());
    }
    let executable = build(kind, name);
    file.set_len(0)?;
    file.rewind()?;
    write!(file, "{run}\n{}", executable.display())?;
    Ok(executable)
}

fn build(kind: &str, name: &str) -> PathBuf {
    let (target_dir, profile) = whereabouts();
    // The whole workspace is selected, although one target is built: the features of the dependencies are then those of
    // `cargo build --workspace`, and nothing is compiled a second time.
    let mut cargo = Command::new(env!("CARGO"));
    for name in VARIABLES_OF_THE_TEST {
        cargo.env_remove(name);
    }
    let output = cargo
        .args([
            "build",
            "--locked",
            "--workspace",
            "--message-format=json-render-diagnostics",
            kind,
            name,
        ])
        .args(["--profile", &profile, "--target-dir"])
        .arg(target_dir)
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        .stdin(Stdio::null())
        .output()
        .expect("cargo is available, because it built this test");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "`cargo build {kind} {name}` failed:\n{said}");
    executable(&output.stdout, name)
        .unwrap_or_else(|| panic!("`cargo build {kind} {name}` produced no executable:\n{said}"))
}

/// The target directory and the profile of the running test, whose executable is `<target>/<profile>/deps/<name>-<hash>`.
fn whereabouts() -> (PathBuf, String) {
    let this = std::env::current_exe().expect("the running test has a path");
    let profile_dir = this
        .ancestors()
        .find(|dir| dir.ends_with("deps"))
        .and_then(Path::parent);
    let profile_dir = profile_dir.expect("cargo places a test in <target>/<profile>/deps");
    let target_dir = profile_dir
        .parent()
        .expect("cargo places a profile in the target directory");
    let profile = match profile_dir.file_name().and_then(|name| name.to_str()) {
        Some("debug") | None => "dev",
        Some(name) => name,
    };
    (target_dir.to_owned(), profile.to_owned())
}

/// The executable in the last message about target `name`.
fn executable(messages: &[u8], name: &str) -> Option<PathBuf> {
    let messages = serde_json::Deserializer::from_slice(messages).into_iter::<serde_json::Value>();
    let ours = messages.flatten().filter(|message| message["target"]["name"] == name);
    ours.filter_map(|message| message["executable"].as_str().map(PathBuf::from))
        .last()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn executable_of_the_named_target_is_returned() {
        let messages = br#"{"reason":"compiler-artifact","target":{"name":"other"},"executable":"/t/other"}
            {"reason":"compiler-artifact","target":{"name":"mine"},"executable":null}
            {"reason":"compiler-artifact","target":{"name":"mine"},"executable":"/t/mine"}
            {"reason":"build-finished","success":true}"#;
        assert_eq!(executable(messages, "mine"), Some(PathBuf::from("/t/mine")));
        assert_eq!(executable(messages, "nobody"), None);
    }

    #[test]
    #[should_panic(expected = "no bin target named `nobody`")]
    fn unknown_target_panics_with_the_message_of_cargo() {
        binary("nobody");
    }
}
