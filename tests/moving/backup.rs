//! Backup, restore, and the checks of an installation.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use tempfile::{TempDir, tempdir};

use super::{app, import, made_up, run, sample};

fn installation() -> TempDir {
    let folder = tempdir().unwrap();
    import(folder.path(), &sample(), &[]).json(0);
    folder
}

fn verify(data: &Path) -> Value {
    run(data, &["verify", "--json"], &[]).json(0)
}

/// All data that a restore must bring back, as the commands show them.
fn counted(data: &Path) -> Value {
    let mut stats = run(data, &["stats", "--json"], &[]).json(0);
    stats["database"] = Value::Null;
    stats
}

#[tokio::test]
async fn backup_is_restored_into_a_new_bucket_after_a_kill() {
    let (old, backups) = (installation(), tempdir().unwrap());
    let backup = backups.path().join("one");
    let image = old.path().join("objects/images/set-1");
    fs::create_dir_all(image.parent().unwrap()).unwrap();
    fs::copy(old.path().join("objects/head"), &image).unwrap();
    run(old.path(), &["backup", backup.to_str().unwrap()], &[]).succeeds();
    run(old.path(), &["backup", backup.to_str().unwrap()], &[]).fails_with("is not empty");
    run(old.path(), &["verify", "--backup", backup.to_str().unwrap()], &[]).succeeds();
    let inside = old.path().join("objects/backups/../backups/one");
    run(old.path(), &["backup", inside.to_str().unwrap()], &[]).fails_with("is in the folder of the bucket");
    assert!(!old.path().join("objects/backups").exists());
    let elsewhere = tempdir().unwrap();
    let local = elsewhere.path().join("local");
    fs::create_dir_all(old.path().join("keys")).unwrap();
    for (inside, name) in [
        (local.join("a/b"), "the folder of the local copy"),
        (old.path().join("keys/backup"), "the folder of the keys"),
    ] {
        let settings = [("BACKEND_LOCAL_DIR", local.to_str().unwrap())];
        let refused = run(old.path(), &["backup", inside.to_str().unwrap()], &settings);
        refused.fails_with(&format!("is in {name}"));
        assert!(!inside.exists());
    }

    let new = tempdir().unwrap();
    let from = [
        "restore",
        "--json",
        "--batch-rows",
        "2",
        "--from",
        backup.to_str().unwrap(),
    ];
    let killed = run(new.path(), &[&from[..], &["--abort-after", "4"]].concat(), &[]);
    assert_eq!(killed.code, None, "{}", killed.err);
    run(new.path(), &["serve", "--port", "0"], &[]).fails_with("a backup is being put back here");
    run(new.path(), &from, &[]).json(0);
    verify(new.path());
    assert_eq!(counted(new.path()), counted(old.path()));
    assert!(new.path().join("objects/images/set-1").exists());
    let app = app(new.path()).await;
    app.clock.advance_ms(1_795_307_240_000 - 1_767_225_600_000);
    let sign_in = json!({ "username": "ada", "password": "ada-password" });
    app.post("/signin").json(&sign_in).send().await.expect_status(200);
    run(new.path(), &from, &[]).fails_with("this installation has accounts already");
}

#[test]
fn modified_backup_is_refused() {
    let (old, new, backups) = (installation(), tempdir().unwrap(), tempdir().unwrap());
    let backup = backups.path().join("one");
    run(old.path(), &["backup", backup.to_str().unwrap()], &[]).succeeds();
    let from = ["restore", "--from", backup.to_str().unwrap()];
    let other_key = run(new.path(), &from, &[("BACKEND_ENC_KEY", "another passphrase of tests")]);
    other_key.fails_with("the database was made with other keys");
    let database = backup.join("database.sqlite");
    let mut bytes = fs::read(&database).unwrap();
    bytes[5_000] ^= 1;
    fs::write(&database, bytes).unwrap();
    run(tempdir().unwrap().path(), &from, &[]).fails_with("was changed after the backup");
    fs::remove_file(backup.join("manifest.json")).unwrap();
    run(tempdir().unwrap().path(), &from, &[]).fails_with("is not a complete backup");
}

#[test]
fn deleted_record_is_restored() {
    let folder = installation();
    let before = run(folder.path(), &["stats", "--json"], &[]).json(0);
    let state = before["database"]["state"].as_str().unwrap();
    run(folder.path(), &["user", "remove", "ada", "--yes"], &[]).succeeds();
    assert_ne!(counted(folder.path())["users"], before["users"]);
    let restored = run(folder.path(), &["restore", "--json", "--at", state], &[]).json(0);
    assert_eq!(restored["from"], state);
    assert_eq!(counted(folder.path())["users"], before["users"]);
    verify(folder.path());
    run(folder.path(), &["restore", "--at", "0-999999"], &[]).fails_with("is not a state that can be restored");
    for text in ["yesterday", "+1-+1", "1-"] {
        run(folder.path(), &["restore", "--at", text], &[]).fails_with("is neither a state");
    }
    run(folder.path(), &["restore", "--at", "2999-01-01T00:00:00Z"], &[]).fails_with("is in the future");
    let early = run(folder.path(), &["restore", "--at", "2001-01-01T00:00:00Z"], &[]);
    early.fails_with("2001-01-01T00:00:00Z is before the first state that can be restored, which was written at 20");
    let ancient = run(folder.path(), &["restore", "--at=1969-01-01T00:00:00Z"], &[]);
    assert_eq!(
        ancient.err,
        "bespoke: `1969-01-01T00:00:00Z` is before 1970: no state is that old\n"
    );
    assert_eq!(run(folder.path(), &["restore"], &[]).code, Some(2));
}

#[test]
fn restorable_states_are_listed_and_restored_by_time() {
    let folder = installation();
    let state = || run(folder.path(), &["stats", "--json"], &[]).json(0)["database"]["state"].clone();
    let list = || run(folder.path(), &["restore", "--list", "--json"], &[]).json(0);
    let (before, listed) = (state(), list());
    assert_eq!(listed.as_array().unwrap().len(), 1, "{listed}");
    assert_eq!((&listed[0]["first"], &listed[0]["last"]), (&json!("1-1"), &before));
    let users = counted(folder.path())["users"].clone();
    run(folder.path(), &["user", "remove", "ada", "--yes"], &[]).succeeds();
    let at = listed[0]["lastAt"].as_str().unwrap();
    let restored = run(folder.path(), &["restore", "--json", "--at", at], &[]).json(0);
    assert_eq!(restored["from"], before);
    assert_eq!(counted(folder.path())["users"], users);
    let listed = list();
    assert_eq!(listed.as_array().unwrap().len(), 2, "{listed}");
    assert_eq!(listed[1]["first"], restored["state"]);
    let lines = run(folder.path(), &["restore", "--list"], &[]);
    lines.succeeds();
    assert!(lines.out.contains(restored["state"].as_str().unwrap()), "{}", lines.out);
}

#[test]
fn damaged_rows_are_reported_by_name() {
    let folder = installation();
    assert_eq!(verify(folder.path())["problems"], json!([]));
    // A field of another row: it can only be decrypted in its own row.
    let backup = folder.path().join("backup");
    run(folder.path(), &["backup", backup.to_str().unwrap()], &[]).succeeds();
    let database = backup.join("database.sqlite");
    let connection = rusqlite::Connection::open(&database).unwrap();
    connection
        .execute_batch(
            "PRAGMA foreign_keys = OFF;
             UPDATE sets SET name = (SELECT name FROM sets WHERE id = 2), user_id = 77 WHERE id = 1;
             UPDATE users SET email_index = x'00' WHERE id = 3;",
        )
        .unwrap();
    drop(connection);
    let manifest = backup.join("manifest.json");
    let text = fs::read_to_string(&manifest).unwrap();
    let mut json: Value = serde_json::from_str(&text).unwrap();
    let digest = sha2_of(&database);
    json["files"]["database.sqlite"] = json!(digest);
    fs::write(&manifest, json.to_string()).unwrap();
    let found = run(
        folder.path(),
        &["verify", "--json", "--backup", backup.to_str().unwrap()],
        &[],
    )
    .json(3);
    let problems = found["problems"].as_array().unwrap();
    let has = |text: &str| problems.iter().any(|problem| problem.as_str().unwrap().contains(text));
    assert!(
        has("sets refers to nothing in users") && has("sets.name of"),
        "{problems:?}"
    );
    assert!(
        has("users.email_index") || has("the index of the address does not match"),
        "{problems:?}"
    );
}

#[test]
fn damaged_object_is_reported_by_name() {
    let folder = tempdir().unwrap();
    let file = folder.path().join("original.sqlite");
    // More data than fit into one object.
    made_up(&file, "2023", 300, 900);
    import(folder.path(), &file, &[]).json(0);
    verify(folder.path());
    let objects = folder.path().join("objects");
    let head = fs::read(objects.join("head")).unwrap();
    let is_named = |key: &str| head.windows(key.len()).any(|part| part == key.as_bytes());
    let mut damaged = 0;
    for kind in ["segment", "table"] {
        for object in fs::read_dir(objects.join(kind)).into_iter().flatten() {
            let object = object.unwrap().path();
            let key = format!("{kind}/{}", object.file_name().unwrap().to_string_lossy());
            if !is_named(&key) {
                continue;
            }
            let whole = fs::read(&object).unwrap();
            let mut bytes = whole.clone();
            *bytes.last_mut().unwrap() ^= 1;
            fs::write(&object, bytes).unwrap();
            run(folder.path(), &["verify"], &[]).fails_with(&key);
            fs::write(&object, whole).unwrap();
            damaged += 1;
        }
    }
    assert!(damaged > 0);
    verify(folder.path());
}

fn sha2_of(file: &Path) -> String {
    use sha2::{Digest, Sha256};
    let digest = Sha256::digest(fs::read(file).unwrap());
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}
