//! Tests that the examples produce the documented output.

use std::process::{Command, Output};

use serde_json::Value;

use super::Installation;

const EXAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples");

/// Runs an example with its input as arguments; returns exit code, standard output and standard error.
fn run(command: &mut Command) -> (i32, String, String) {
    let Output { status, stdout, stderr } = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code().unwrap(), text(stdout), text(stderr))
}

#[test]
fn curl_example_prints_the_measurements() {
    let installation = Installation::new();
    let call = |set: &str| {
        let mut command = Command::new(format!("{EXAMPLES}/curl/lookup.sh"));
        run(command
            .args([&installation.url(), set, "aaron"])
            .env("BESPOKE_KEY", &installation.keys[1]))
    };
    let (code, answer, errors) = call(&installation.whole);
    assert_eq!((code, errors.as_str()), (0, ""));
    let answer: Value = serde_json::from_str(&answer).unwrap();
    assert_eq!(answer["measurements"]["chest"], 925);
    let (code, _, errors) = call(&installation.half);
    assert!(code != 0 && errors.contains("403"), "{errors}");
}

#[test]
fn python_example_prints_measurements_and_missing_ones() {
    let installation = Installation::new();
    let call = |set: &str, key: &str| {
        let mut command = Command::new("python3");
        let command = command
            .arg(format!("{EXAMPLES}/python/lookup.py"))
            .args([&installation.url(), set, "aaron"]);
        run(command.env("BESPOKE_KEY", key).env("PYTHONDONTWRITEBYTECODE", "1"))
    };
    let (code, lines, _) = call(&installation.whole, &installation.keys[1]);
    assert_eq!(code, 0);
    assert!(lines.lines().any(|line| line == "chest 925"), "{lines}");
    let (code, lines, errors) = call(&installation.half, &installation.keys[0]);
    assert_eq!(
        (code, lines.lines().count(), errors.as_str()),
        (3, 10, "missing: hips\n")
    );
    let (code, _, errors) = call(&installation.half, &installation.keys[1]);
    assert!(code == 1 && errors.contains("insufficientScope"), "{errors}");
}

#[test]
fn workflow_example_stops_for_an_incomplete_set() {
    let installation = Installation::new();
    let text = std::fs::read_to_string(format!("{EXAMPLES}/ci/measurements.yml")).unwrap();
    let workflow: Value = yaml_serde::from_str(&text).unwrap();
    let job = &workflow["jobs"]["measurements"];
    let steps = job["steps"]
        .as_array()
        .unwrap()
        .iter()
        .map(|step| step["run"].as_str().unwrap());
    let steps: Vec<_> = steps.collect();
    assert_eq!(steps.len(), 2);
    let perform = |set: &str| {
        let folder = tempfile::tempdir().unwrap();
        let step = |script: &&str| {
            let mut command = Command::new("bash");
            let command = command
                .args(["-eo", "pipefail", "-c", script])
                .current_dir(folder.path());
            let command = command
                .env("BESPOKE_URL", installation.url())
                .env("BESPOKE_SET", set)
                .env("BESPOKE_KEY", &installation.keys[0]);
            run(command.env("DESIGN", job["env"]["DESIGN"].as_str().unwrap()))
        };
        steps.iter().map(step).collect::<Vec<_>>()
    };
    assert!(perform(&installation.whole).iter().all(|(code, ..)| *code == 0));
    let half = perform(&installation.half);
    assert_eq!((half[0].0, half[1].0), (0, 1));
    assert_eq!(half[1].2, "missing for aaron: hips\n");
    assert_ne!(perform("6f9619ff-8b86-4011-b42d-00c04fc964ff")[0].0, 0);
}
