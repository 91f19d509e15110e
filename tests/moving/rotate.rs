//! Keys are rotated under a running server, and after a kill.

use bespoke_tests::support::{ENC_KEY, Server};
use serde_json::{Value, json};
use tempfile::tempdir;

use super::{import, run, sample};

const NEW_KEY: &str = "the passphrase that comes after";

#[test]
fn keys_rotate_under_a_running_server_and_after_a_kill() {
    let folder = tempdir().unwrap();
    import(folder.path(), &sample(), &[]).json(0);
    let rotate = ["rotate-keys", "--json", "--batch-rows", "1"];
    run(folder.path(), &rotate, &[]).fails_with("set BACKEND_OLD_ENC_KEY");

    let both = [("BACKEND_ENC_KEY", NEW_KEY), ("BACKEND_OLD_ENC_KEY", ENC_KEY)];
    // A server that was not restarted.
    let stale = Server::start_with(folder.path(), &[("BACKEND_ENC_KEY", ENC_KEY)]);
    let server = Server::start_with(folder.path(), &both);
    let sign_in = |server: &Server, username: &str, password: &str| {
        let body = json!({ "username": username, "password": password });
        let (status, answer) = server.call("POST", "/signin", "", &body);
        assert_eq!(status, 200, "{username}: {answer}");
        format!("Bearer {}", answer["token"].as_str().unwrap())
    };
    let stale_ada = sign_in(&stale, "ada@example.com", "ada-password");
    let refuses = |stale: &Server| {
        let carol = json!({ "email": "carol@example.com", "language": "en" });
        for (method, path, body) in [
            ("GET", "/readyz", json!(null)),
            ("POST", "/sets/jwt", json!({ "name": "Lost" })),
            ("GET", "/sets/jwt", json!(null)),
            ("POST", "/signup", carol),
        ] {
            let (status, answer) = stale.call(method, path, &stale_ada, &body);
            assert_eq!(
                (status, &answer["error"]),
                (503, &json!("serviceUnavailable")),
                "{method} {path}"
            );
        }
    };
    let ada = sign_in(&server, "ada@example.com", "ada-password");
    let (status, _) = server.call("POST", "/sets/jwt", &ada, &json!({ "name": "Meanwhile" }));
    assert_eq!(status, 201);

    for killed_after in ["1", "5"] {
        let killed = run(
            folder.path(),
            &[&rotate[..], &["--abort-after", killed_after]].concat(),
            &both,
        );
        assert_eq!(killed.code, None, "{}", killed.err);
        refuses(&stale);
        // Some rows are under the new key, some under the old.
        sign_in(&server, "ada@example.com", "ada-password");
        sign_in(&server, "carol@example.com", "legacy-password");
        let (status, sets) = server.call("GET", "/sets/jwt", &ada, &json!(null));
        assert_eq!((status, sets["sets"].as_array().unwrap().len()), (200, 3));
        let body = json!({ "email": "carol@example.com", "language": "en" });
        assert_eq!(
            server.call("POST", "/signup", "", &body).0,
            201,
            "the address reveals an account"
        );
    }
    let new_alone = [("BACKEND_ENC_KEY", NEW_KEY)];
    run(folder.path(), &["verify"], &new_alone).fails_with("the database was made with other keys");
    let done = run(folder.path(), &rotate, &both).json(0);
    assert!(done["changed"].as_i64().unwrap() > 5, "{done}");
    refuses(&stale);
    let log = stale.stop();
    assert!(
        log.contains("the database was made with other keys") && log.contains("BACKEND_ENC_KEY"),
        "{log}"
    );
    assert_eq!(run(folder.path(), &rotate, &both).json(0)["changed"], 0);
    drop(server);

    let verified = run(folder.path(), &["verify", "--json"], &new_alone).json(0);
    assert_eq!(verified["problems"], json!([]));
    run(folder.path(), &["verify"], &[]).fails_with("the database was made with other keys");
    let server = Server::start_with(folder.path(), &new_alone);
    sign_in(&server, "ada@example.com", "ada-password");
    sign_in(&server, "dave.new@example.com", "dave-password");
}

#[test]
fn state_before_a_rotation_needs_its_own_key() {
    let folder = tempdir().unwrap();
    import(folder.path(), &sample(), &[]).json(0);
    let states = |key: &str| {
        run(
            folder.path(),
            &["restore", "--list", "--json"],
            &[("BACKEND_ENC_KEY", key)],
        )
        .json(0)
    };
    let newest = |states: &Value| states.as_array().unwrap().last().unwrap()["last"].clone();
    let before = newest(&states(ENC_KEY));
    let before = before.as_str().unwrap();
    let both = [("BACKEND_ENC_KEY", NEW_KEY), ("BACKEND_OLD_ENC_KEY", ENC_KEY)];
    run(folder.path(), &["rotate-keys", "--json"], &both).json(0);

    let restore = ["restore", "--at", before, "--json"];
    let refused = run(folder.path(), &restore, &[("BACKEND_ENC_KEY", NEW_KEY)]);
    refused.fails_with("has other keys");
    let new_alone = [("BACKEND_ENC_KEY", NEW_KEY)];
    let verified = run(folder.path(), &["verify", "--json"], &new_alone).json(0);
    assert_eq!(verified["problems"], json!([]));

    let restored = run(folder.path(), &restore, &[]).json(0);
    assert_eq!(restored["from"], before);
    assert_eq!(
        run(folder.path(), &["verify", "--json"], &[]).json(0)["problems"],
        json!([])
    );
    let replaced = states(ENC_KEY);
    let replaced = replaced.as_array().unwrap().iter().rev().nth(1).unwrap()["last"].clone();
    let undo = ["restore", "--at", replaced.as_str().unwrap()];
    run(folder.path(), &undo, &[]).fails_with("has other keys");
    run(folder.path(), &undo, &new_alone).succeeds();
    run(folder.path(), &["verify"], &new_alone).succeeds();
}
