//! A killed restore: until it is complete, all other writes are refused, and each check reports it.

use std::fs;

use bespoke_tests::support::{ENC_KEY, RuntimeApi, Server, binary};
use serde_json::{Value, json};
use tempfile::tempdir;

use super::{import, run, sample};

/// The beginning of each refusal.
const REFUSED: &str = "a backup is being put back here";
const COMMAND: &str = "run `bespoke restore --from` again with the same backup";

#[tokio::test]
async fn interrupted_restore_allows_only_its_own_repetition() {
    let (old, new, backups) = (tempdir().unwrap(), tempdir().unwrap(), tempdir().unwrap());
    import(old.path(), &sample(), &[]).json(0);
    let backup = |name: &str| backups.path().join(name).to_str().unwrap().to_owned();
    let (one, other) = (backup("one"), backup("other"));
    run(old.path(), &["backup", &one], &[]).succeeds();
    run(old.path(), &["user", "remove", "ada", "--yes"], &[]).succeeds();
    run(old.path(), &["backup", &other], &[]).succeeds();
    let manifest: Value = serde_json::from_str(&fs::read_to_string(backup("one/manifest.json")).unwrap()).unwrap();
    let digest = manifest["files"]["database.sqlite"].as_str().unwrap();

    let server = Server::start_with(new.path(), &[("BACKEND_ENC_KEY", ENC_KEY)]);
    let restore = ["restore", "--json", "--batch-rows", "1", "--from"];
    let killed = [&restore[..], &[&one, "--abort-after", "3"]].concat();
    assert_eq!(run(new.path(), &killed, &[]).code, None);

    // A server that was already running, and processes that start later.
    let signup = json!({ "email": "jane@freesewing.dev", "language": "en", "test": true });
    let (status, answer) = server.call("POST", "/signup", "", &signup);
    assert_eq!((status, &answer["error"]), (503, &json!("serviceUnavailable")));
    let data = new.path().to_str().unwrap();
    let settings = [("BACKEND_ENC_KEY", ENC_KEY), ("BACKEND_DATA_DIR", data)];
    let function = RuntimeApi::start().await.spawn(&binary("account"), &settings);
    function.invoke(json!({})).await.unwrap_err();
    assert!(function.log().contains(REFUSED), "{}", function.log());
    let late = backup("late");
    for arguments in [
        &["serve", "--port", "0"][..],
        &["user", "create", "jane@example.com"],
        &["demo"],
        &["stats"],
        &["backup", &late],
    ] {
        let refused = run(new.path(), arguments, &[]);
        refused.fails_with(REFUSED);
        refused.fails_with(COMMAND);
        refused.fails_with(digest);
    }
    assert!(!fs::exists(&late).unwrap());
    import(new.path(), &sample(), &[]).fails_with(REFUSED);

    let found = run(new.path(), &["verify", "--json"], &[]).json(3);
    assert!(found["problems"].to_string().contains(COMMAND), "{found}");
    let told = run(new.path(), &["doctor"], &[]);
    assert!(told.code == Some(3) && told.out.contains(COMMAND), "{}", told.out);
    let wrong = run(new.path(), &[&restore[..], &[&other]].concat(), &[]);
    wrong.fails_with("the restore of a different backup was interrupted");
    wrong.fails_with(digest);

    run(new.path(), &[&restore[..], &[&one]].concat(), &[]).json(0);
    assert_eq!(
        run(new.path(), &["verify", "--json"], &[]).json(0)["problems"],
        json!([])
    );
    server.sign_up("jane@freesewing.dev");
    let log = server.stop();
    assert!(log.contains(COMMAND) && log.contains(digest), "{log}");
}

#[test]
fn interrupted_restore_can_be_undone() {
    let (old, new, backups) = (tempdir().unwrap(), tempdir().unwrap(), tempdir().unwrap());
    import(old.path(), &sample(), &[]).json(0);
    let backup = backups.path().join("one").to_str().unwrap().to_owned();
    run(old.path(), &["backup", &backup], &[]).succeeds();
    let server = Server::start_with(new.path(), &[("BACKEND_ENC_KEY", ENC_KEY)]);
    assert_eq!(server.call("GET", "/healthz", "", &json!(null)).0, 200);
    assert!(server.terminate().success());
    let before = run(new.path(), &["stats", "--json"], &[]).json(0)["database"]["state"].clone();
    let restore = ["restore", "--batch-rows", "1", "--abort-after", "2", "--from", &backup];
    assert_eq!(run(new.path(), &restore, &[]).code, None);
    run(new.path(), &["restore", "--list"], &[]).succeeds();
    run(new.path(), &["restore", "--at", before.as_str().unwrap()], &[]).succeeds();
    run(new.path(), &["user", "create", "jane@example.com"], &[]).succeeds();
}

#[test]
fn installation_with_other_rows_refuses_a_backup() {
    let (old, new, backups) = (tempdir().unwrap(), tempdir().unwrap(), tempdir().unwrap());
    import(old.path(), &sample(), &[]).json(0);
    let backup = backups.path().join("one").to_str().unwrap().to_owned();
    run(old.path(), &["backup", &backup], &[]).succeeds();
    run(new.path(), &["demo"], &[]).succeeds();
    run(new.path(), &["user", "remove", "demo@example.com", "--yes"], &[]).succeeds();
    // The account is deleted, its row in the audit is not.
    run(new.path(), &["restore", "--from", &backup], &[]).fails_with("this installation is in use already");
    run(new.path(), &["user", "create", "jane@example.com"], &[]).succeeds();
}
