//! Commands on a folder without an installation, for example because its name was mistyped.

use bespoke_tests::support::bespoke;
use tempfile::tempdir;

use super::{Outcome, import, run, sample};

#[test]
fn commands_never_create_a_missing_installation() {
    let (folder, old) = (tempdir().unwrap(), tempdir().unwrap());
    import(old.path(), &sample(), &[]).json(0);
    let (data, out, designs) = (
        folder.path().join("typo"),
        folder.path().join("out"),
        folder.path().join("designs.json"),
    );
    std::fs::write(&designs, r#"{ "aaron": { "required": ["chest"], "optional": [] } }"#).unwrap();
    let out = out.to_str().unwrap();
    let event = concat!(env!("CARGO_MANIFEST_DIR"), "/../events/sets.read.key.json");
    for arguments in [
        &["verify"][..],
        &["backup", out],
        &["export", out],
        &["stats"],
        &["rotate-keys"],
        &["restore", "--list"],
        &["restore", "--at", "1-1"],
        &["user", "list"],
        &["user", "show", "jane"],
        &["user", "remove", "jane", "--yes"],
        &["keys", "list", "jane"],
        &["keys", "revoke", "--all-of", "jane"],
        &["designs", "import", designs.to_str().unwrap()],
        &["invoke", event],
        &["doctor"],
    ] {
        let with_key = run(&data, arguments, &[]);
        let without_key = Outcome::of(bespoke(&data).args(arguments));
        for (outcome, text) in [
            (with_key, "there is no installation in dir:"),
            (without_key, "typo has no key file"),
        ] {
            let code = if arguments == ["doctor"] { 3 } else { 1 };
            let said = outcome.out + &outcome.err;
            assert_eq!(outcome.code, Some(code), "{arguments:?}: {said}");
            assert!(said.contains(text) && said.contains("typo"), "{arguments:?}: {said}");
        }
        assert!(!data.exists() && !std::fs::exists(out).unwrap(), "{arguments:?}");
    }
    // A backup is checked with the key alone.
    run(old.path(), &["backup", out], &[]).succeeds();
    run(&data, &["verify", "--backup", out], &[]).succeeds();
    assert!(!data.exists());
    // A lost key file is reported, and no new one is created.
    let lost = Outcome::of(bespoke(old.path()).arg("doctor"));
    assert!(
        lost.code == Some(3) && lost.out.contains("A key is lost"),
        "{}",
        lost.out
    );
    assert!(!old.path().join("keys/encryption.key").exists());
}
