//! The commands of docs/operations.md, exactly as written there, and a full disk.

use std::path::Path;
use std::process::Command;

use bespoke_tests::support::{ENC_KEY, Key, Server, binary};
use serde_json::json;
use tempfile::tempdir;

use super::{SAMPLE_KEY, run, sample};

const OPERATIONS: &str = include_str!("../../docs/operations.md");

/// The commands under a heading.
#[track_caller]
fn section(heading: &str) -> String {
    let (_, rest) = OPERATIONS.split_once(&format!("## {heading}\n")).unwrap();
    let section = rest.split("\n## ").next().unwrap();
    let blocks = section
        .split("```sh\n")
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap());
    blocks.collect()
}

/// Runs commands of the page in `folder`, with the folders of the page replaced by folders below it.
#[track_caller]
fn follow(folder: &Path, commands: &str, replace: &[(&str, &str)]) {
    let mut script = format!("bespoke() {{ \"$BESPOKE\" \"$@\"; }}\n{commands}");
    // Relative paths, because the folder of a test may contain any characters.
    for (theirs, ours) in replace.iter().copied().chain([
        ("/backups/", "./backups/"),
        ("/secure/place", "./accounts"),
        ("/tmp/", "./"),
        ("jane", "ada"),
    ]) {
        script = script.replace(theirs, ours);
    }
    std::fs::create_dir_all(folder.join("backups")).unwrap();
    let output = Command::new("bash")
        .args(["-euo", "pipefail", "-c", &script])
        .env_clear()
        .env("BESPOKE", binary("bespoke"))
        .env("BACKEND_ENC_KEY", ENC_KEY)
        .env("BACKEND_DATA_DIR", folder.join("data"))
        .current_dir(folder)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{script}\n{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn each_command_of_the_operations_page_works() {
    let folder = tempdir().unwrap();
    let (here, data) = (folder.path(), folder.path().join("data"));
    std::fs::copy(sample(), here.join("upstream.sqlite")).unwrap();
    let state = || {
        let stats = run(&data, &["stats", "--json"], &[]).json(0);
        stats["database"]["state"].as_str().unwrap().to_owned()
    };
    let accounts = |data: &Path| run(data, &["stats", "--json"], &[]).json(0)["users"].clone();
    let moved = [("the BACKEND_ENC_KEY of the original", SAMPLE_KEY)];
    follow(here, &section("Import"), &moved);
    let (before, people) = (state(), accounts(&data));
    follow(here, &section("Daily commands"), &[]);
    let without_one = accounts(&data);
    assert!(
        without_one["total"] == people["total"] || without_one == people,
        "one set was created, one deleted"
    );

    let undo = [("2026-11-21T10:00:00Z", before.as_str()), ("2026-11-20", "2026-11-21")];
    follow(here, &section("Recovering deleted data"), &undo);
    assert_eq!(accounts(&data), people);
    assert!(here.join("then/out").read_dir().unwrap().count() == 1);

    let bucket = [("s3://new-bucket/prefix", "dir:new-bucket")];
    follow(here, &section("The bucket is gone"), &bucket);
    let bucket = format!("dir:{}", here.join("new-bucket").display());
    let new = run(&data, &["stats", "--json"], &[("BACKEND_STORE", &bucket)]).json(0);
    assert_eq!(new["database"]["store"], bucket);
    assert_ne!(new["users"]["total"], 0, "{new}");
}

/// The largest file below a folder, in bytes.
fn largest(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    let sizes = entries.map(|entry| match entry.file_type().unwrap().is_dir() {
        true => largest(&entry.path()),
        false => entry.metadata().unwrap().len(),
    });
    sizes.max().unwrap_or_default()
}

/// A limit for the size of a file simulates a full disk: writes beyond it fail.
#[test]
fn full_disk_is_reported_and_loses_nothing() {
    /// Free bytes beyond the largest file.
    const ROOM: u64 = 400_000;
    let folder = tempdir().unwrap();
    let data = folder.path();
    let settings = [("BACKEND_ENC_KEY", ENC_KEY)];
    let server = Server::start_with(data, &settings);
    let token = server.sign_up("jane@freesewing.dev");
    // A token is bound to its port, a key is not.
    let key = json!({ "name": "Mine", "level": 4, "expiresIn": 3600 });
    let key = server.call("POST", "/apikeys/jwt", &token, &key).1["apikey"].clone();
    let text = |field: &str| key[field].as_str().unwrap().to_owned();
    let jane = Key {
        id: text("key"),
        secret: text("secret"),
    }
    .authorization();
    assert!(server.terminate().success());

    let blocks = (largest(data) + ROOM).div_ceil(512);
    let small = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$@\"");
    let server = Server::start_behind(data, &settings, &small);
    let notes: String = (0..4_000).map(|n| char::from(b'a' + (n * n % 26) as u8)).collect();
    let mut kept = Vec::new();
    let (status, answer) = loop {
        let set = json!({ "name": format!("Set {}", kept.len()), "notes": notes });
        let (status, answer) = server.call("POST", "/sets/key", &jane, &set);
        if status != 201 {
            break (status, answer);
        }
        kept.push(answer["set"]["id"].clone());
        assert!(kept.len() < 2_000, "the disk never filled up");
    };
    assert_eq!(status, 503, "{answer}");
    server.kill();

    let server = Server::start_with(data, &settings);
    for id in &kept {
        let (status, answer) = server.call("GET", &format!("/sets/{id}/key"), &jane, &json!(null));
        assert_eq!(status, 200, "set {id} was acknowledged: {answer}");
    }
    let (status, answer) = server.call("POST", "/sets/key", &jane, &json!({ "name": "Room again" }));
    assert_eq!(status, 201, "{answer}");
    assert!(server.terminate().success());
    run(data, &["verify"], &[]).succeeds();
}
