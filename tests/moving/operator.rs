//! Daily tasks of an operator.

use bespoke_tests::support::{ENC_KEY, Server};
use serde_json::json;
use tempfile::tempdir;

use super::{import, run, sample};

const SETTINGS: [(&str, &str); 1] = [("BACKEND_ENC_KEY", ENC_KEY)];

#[test]
fn accounts_are_listed_shown_and_changed() {
    let folder = tempdir().unwrap();
    import(folder.path(), &sample(), &[]).json(0);
    let data = folder.path();
    let server = Server::start_with(data, &SETTINGS);
    let sign_in = |password: &str| {
        let body = json!({ "username": "ada", "password": password });
        server.call("POST", "/signin", "", &body)
    };
    let list = run(data, &["user", "list", "--json", "--after", "1", "--limit", "2"], &[]).json(0);
    let names: Vec<_> = list.as_array().unwrap().iter().map(|user| user["id"].clone()).collect();
    assert_eq!(names, [2, 3]);
    let shown = run(data, &["user", "show", "ada@example.com", "--json"], &[]).json(0);
    assert_eq!(
        (&shown["id"], &shown["sets"], &shown["apikeys"]),
        (&json!(1), &json!(2), &json!(1))
    );
    run(data, &["user", "show", "nobody"], &[]).fails_with("there is no such record");

    let token = format!("Bearer {}", sign_in("ada-password").1["token"].as_str().unwrap());
    let whoami = || server.call("GET", "/whoami/jwt", &token, &json!(null)).0;
    assert_eq!(whoami(), 200);
    run(data, &["user", "block", "ada"], &[]).succeeds();
    assert_eq!((whoami(), sign_in("ada-password").0), (401, 403));
    run(data, &["user", "unblock", "ada"], &[]).succeeds();
    let told = run(data, &["user", "password", "ada"], &[]);
    told.succeeds();
    let password = told.out.split_whitespace().last().unwrap();
    assert_eq!((sign_in("ada-password").0, sign_in(password).0), (401, 200));
    run(data, &["user", "role", "ada", "king"], &[]).fails_with("`king` is not a role; the roles are");
    run(data, &["user", "role", "ada", "curator"], &[]).succeeds();
    assert_eq!(
        run(data, &["user", "show", "1", "--json"], &[]).json(0)["role"],
        "curator"
    );
    run(data, &["user", "mfa-off", "2"], &[]).succeeds();
    assert_eq!(
        run(data, &["user", "show", "2", "--json"], &[]).json(0)["mfaEnabled"],
        false
    );
    run(data, &["user", "sign-out", "ada"], &[]).succeeds();
    run(data, &["user", "remove", "ada"], &[]).fails_with("add --yes to confirm");
    run(data, &["user", "remove", "ada", "--yes"], &[]).succeeds();
    run(data, &["user", "show", "1"], &[]).fails_with("there is no such record");
}

#[test]
fn keys_are_listed_and_revoked() {
    let folder = tempdir().unwrap();
    import(folder.path(), &sample(), &[]).json(0);
    let data = folder.path();
    let keys = run(data, &["keys", "list", "ada", "--json"], &[]).json(0);
    let key = keys[0]["key"].as_str().unwrap();
    assert_eq!((&keys[0]["level"], &keys[0]["name"]), (&json!(4), &json!("Ada key")));
    run(data, &["keys", "revoke", key], &[]).succeeds();
    run(data, &["keys", "revoke", key], &[]).fails_with("there is no such record");
    run(data, &["keys", "revoke", "--all-of", "ada"], &[]).fails_with("this account has no keys");
    assert_eq!(run(data, &["keys", "revoke"], &[]).code, Some(2));
    assert_eq!(run(data, &["keys", "list", "ada", "--json"], &[]).json(0), json!([]));
}

#[test]
fn accounts_are_exported_as_plain_text() {
    let folder = tempdir().unwrap();
    import(folder.path(), &sample(), &[]).json(0);
    let out = folder.path().join("out");
    let path = out.to_str().unwrap();
    assert_eq!(
        run(folder.path(), &["export", path, "--json"], &[]).json(0)["accounts"],
        5
    );
    let file = std::fs::read_to_string(out.join("1.json")).unwrap();
    let export: serde_json::Value = serde_json::from_str(&file).unwrap();
    assert_eq!(export["account"]["email"], "ada@example.com");
    assert_eq!(export["sets"][0]["measies"], json!({ "chest": 930, "neck": 360.5 }));
    assert!(!file.contains("\"hash\"") && !file.contains("$argon2"));
    std::fs::remove_dir_all(&out).unwrap();
    run(folder.path(), &["export", path, "--account", "carol@example.com"], &[]).succeeds();
    assert_eq!(std::fs::read_dir(&out).unwrap().count(), 1);
}

#[test]
fn doctor_names_problems_and_remedies() {
    let folder = tempdir().unwrap();
    import(folder.path(), &sample(), &[]).json(0);
    let found = run(folder.path(), &["doctor", "--json"], &[]).json(0);
    let of = |subject: &str| {
        let all = found.as_array().unwrap();
        all.iter()
            .find(|finding| finding["subject"] == subject)
            .unwrap()
            .clone()
    };
    for subject in ["store", "clock", "data"] {
        assert_eq!(of(subject)["state"], "good", "{found}");
    }
    let doubtful = of("mail");
    assert_eq!(doubtful["advice"], "set BACKEND_MAIL_FROM to an address of yours");
    for (settings, code, text) in [
        (("BACKEND_PORT", "x"), 3, "BACKEND_PORT"),
        (
            ("BACKEND_ENC_KEY", "another passphrase of tests"),
            3,
            "the database was made with other keys",
        ),
        (("BACKEND_STORE", "dir:/proc/nowhere"), 3, "A key is lost"),
        (("BACKEND_OLD_ENC_KEY", "another passphrase of tests"), 0, "rotate-keys"),
    ] {
        let told = run(folder.path(), &["doctor"], &[settings]);
        assert_eq!(told.code, Some(code), "{}{}", told.out, told.err);
        assert!(told.out.contains(text), "{}", told.out);
    }
    let killed = tempdir().unwrap();
    import(killed.path(), &sample(), &["--batch-rows", "2", "--abort-after", "2"]);
    let told = run(killed.path(), &["doctor"], &[]);
    assert!(
        told.code == Some(3) && told.out.contains("an import was interrupted"),
        "{}",
        told.out
    );
}
