//! `bespoke import-account`: exports that are larger than one request.

use std::path::Path;

use bespoke_tests::support::{Server, bespoke, secrets};
use serde_json::{Value, json};
use tempfile::tempdir;

use super::Outcome;

const SETS: usize = 780;
/// Notes of each set, in bytes: nearly the limit.
const NOTES_BYTES: usize = 62_000;
const EXPORT_BYTES: usize = 48_000_000;

fn import(server: &Server, file: &Path, key: &str) -> Outcome {
    let url = format!("http://127.0.0.1:{}", server.port);
    let mut command = bespoke(file.parent().unwrap());
    let command = command.arg("import-account").arg(file).args(["--url", &url]);
    Outcome::of(command.env("BESPOKE_KEY", key))
}

/// The API key of a new account in the form of `BESPOKE_KEY`, and a token.
fn account(server: &Server) -> (String, String) {
    let token = server.sign_up("jane@freesewing.dev");
    let body = json!({ "name": "import", "level": 4, "expiresIn": 3_600 });
    let (status, answer) = server.call("POST", "/apikeys/jwt", &token, &body);
    assert_eq!(status, 201, "{answer}");
    let text = |field: &str| answer["apikey"][field].as_str().unwrap().to_owned();
    (format!("{}:{}", text("key"), text("secret")), token)
}

#[test]
fn export_in_the_encodings_of_windows_is_imported() {
    let folder = tempdir().unwrap();
    let server = Server::start(&folder.path().join("data"));
    let (key, _) = account(&server);
    let export = json!({ "format": "bespoke-account", "version": 1, "bookmarks": [{ "title": "t\u{e9}", "url": "/docs", "type": "doc" }] });
    let text = format!("\u{feff}{export:#}\r\n");
    let file = folder.path().join("export.json");
    for bytes in [
        text.clone().into_bytes(),
        text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
        text.encode_utf16().flat_map(u16::to_be_bytes).collect(),
    ] {
        std::fs::write(&file, bytes).unwrap();
        let outcome = import(&server, &file, &key);
        assert!(
            outcome.out.contains("1 records were added"),
            "{}{}",
            outcome.out,
            outcome.err
        );
    }
    std::fs::write(&file, b"{\"format\":\"t\xe9\"}").unwrap();
    let outcome = import(&server, &file, &key);
    assert!(
        outcome.err.contains("is not a text in UTF-8 or UTF-16"),
        "{}",
        outcome.err
    );
}

#[test]
fn export_of_48_megabytes_is_imported_in_parts() {
    let folder = tempdir().unwrap();
    let server = Server::start(&folder.path().join("data"));
    let (key, token) = account(&server);
    let set = |number: usize| {
        let uuid = format!("6f9619ff-8b86-4011-b42d-{number:012}");
        json!({ "uuid": uuid, "name": format!("Set {number}"), "notes": "x".repeat(NOTES_BYTES), "measies": { "chest": 900, "tail": 1 } })
    };
    let export = json!({
        "format": "bespoke-account",
        "version": 1,
        "account": { "bio": "from the export", "email": "other@freesewing.dev" },
        "sets": (0..SETS).map(set).collect::<Vec<_>>(),
        "bookmarks": [{ "title": "t", "url": "/docs", "type": "doc" }],
        "apikeys": [],
    });
    let file = folder.path().join("export.json");
    std::fs::write(&file, serde_json::to_vec_pretty(&export).unwrap()).unwrap();
    assert!(std::fs::metadata(&file).unwrap().len() > EXPORT_BYTES as u64);

    let whole = std::fs::read_to_string(&file).unwrap();
    let authorization = format!("Authorization: {token}\r\nContent-Type: application/json\r\n");
    let (status, _) = server.exchange("POST", "/account/import/jwt", &authorization, &whole);
    assert_eq!(status, 413, "in one piece it is too large");

    let first = import(&server, &file, &key);
    assert_eq!(first.code, Some(0), "{}{}", first.out, first.err);
    assert!(
        first.out.contains("781 records were added; the account had 0 already."),
        "{}",
        first.out
    );
    assert!(
        first.out.contains("account.email") && first.out.contains("sets.779.measies.tail"),
        "{}",
        first.out
    );
    let again = import(&server, &file, &key);
    assert!(again.out.contains("the account had 780 already."), "{}", again.out);

    let (_, list) = server.call("GET", "/sets/jwt?limit=1", &token, &Value::Null);
    assert_eq!(list["sets"][0]["name"], "Set 0");
    let (_, account) = server.call("GET", "/account/jwt", &token, &Value::Null);
    assert_eq!(account["account"]["bio"], "from the export");
    secrets::check_output(&first.err);
}

#[test]
fn failed_import_gives_its_reason() {
    let folder = tempdir().unwrap();
    let server = Server::start(&folder.path().join("data"));
    let (key, _) = account(&server);
    let file = folder.path().join("export.json");
    for (text, key, words) in [
        ("{}", key.as_str(), "is not an export of an account"),
        (
            r#"{"format":"bespoke-account","version":2}"#,
            &key,
            "its format is bespoke-account 2, not bespoke-account 1",
        ),
        (
            r#"{"format":"bespoke-account","version":1,"sets":[]}"#,
            &key,
            "has neither an account nor records",
        ),
        (
            r#"{"format":"bespoke-account","version":1,"sets":[{}]}"#,
            "a:b",
            "part 1 of 1 was not imported; run the command again: the API answers 401",
        ),
        ("{}", "", "set BESPOKE_KEY to the <key>:<secret> of the account"),
    ] {
        std::fs::write(&file, text).unwrap();
        let outcome = import(&server, &file, key);
        assert_eq!(outcome.code, Some(1));
        assert!(outcome.err.contains(words), "{words} in {}", outcome.err);
    }
}

#[test]
fn import_beyond_a_limit_names_the_limit() {
    let folder = tempdir().unwrap();
    let settings = [
        ("BACKEND_ACCOUNT_MAX_SETS", "1"),
        ("BACKEND_ACCOUNT_WRITES_MIB_PER_DAY", "1"),
    ];
    let server = Server::start_with(&folder.path().join("data"), &settings);
    let (key, _) = account(&server);
    let file = folder.path().join("export.json");
    let large = "x".repeat(NOTES_BYTES);
    let patterns: Vec<_> = (0..20)
        .map(|number| json!({ "design": "aaron", "name": format!("Pattern {number}"), "notes": large, "settings": {} }))
        .collect();
    for (lists, code, limit, advice) in [
        (
            json!({ "sets": [{ "name": "one" }, { "name": "two" }] }),
            "403 accountLimitReached",
            "its limit of the number of measurement sets (`sets`)",
            "BACKEND_ACCOUNT_MAX_SETS",
        ),
        (
            json!({ "patterns": patterns }),
            "429 quotaExceeded",
            "its limit of the bytes written on a day (`writtenBytes`)",
            "wait until the next day",
        ),
    ] {
        let mut export = json!({ "format": "bespoke-account", "version": 1 });
        let fields = lists.as_object().unwrap().clone();
        export.as_object_mut().unwrap().extend(fields);
        std::fs::write(&file, export.to_string()).unwrap();
        let outcome = import(&server, &file, &key);
        assert_eq!(outcome.code, Some(1), "{}", outcome.out);
        for words in [code, limit, advice] {
            assert!(outcome.err.contains(words), "{words} in {}", outcome.err);
        }
    }
}
