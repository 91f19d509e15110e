//! The sample of the original is imported correctly, and its users can sign in.

use bespoke_core::EntityId;
use bespoke_core::Timestamp;
use bespoke_core::entity::suggestion::SuggestionKind;
use bespoke_database::{
    Page, confirmations, curated_sets, option_packs, second_factors, subscribers, suggestions, users,
};
use bespoke_tests::support::{App, Key, Server};
use bespoke_web::Session;
use serde_json::{Value, json};
use tempfile::{TempDir, tempdir};
use uuid::Uuid;

use super::{app, import, run, sample};

/// A day after the sample was created, in milliseconds after the start of the test clock.
const AFTER_SAMPLE_MS: i64 = 1_795_307_240_000 - 1_767_225_600_000;

fn expected() -> Value {
    serde_json::from_str(include_str!("../data/sample-v3.expected.json")).unwrap()
}

fn uuid(text: &str) -> Uuid {
    Uuid::try_parse(text).unwrap()
}

async fn moved_in() -> (TempDir, App) {
    let folder = tempdir().unwrap();
    let report = import(folder.path(), &sample(), &[]).json(0);
    assert_eq!((&report["rows"], &report["setAside"]), (&json!(19), &json!(0)));
    let app = app(folder.path()).await;
    app.clock.advance_ms(AFTER_SAMPLE_MS);
    (folder, app)
}

fn moment(value: &Value) -> Option<Timestamp> {
    value.as_i64().map(Timestamp::from_millis)
}

#[tokio::test]
async fn accounts_are_imported_unchanged() {
    let ((_folder, app), expected) = (moved_in().await, expected());
    let session = Session::new(app.context().clone());
    for (id, wanted) in expected["users"].as_object().unwrap() {
        let id = EntityId::parse(id).unwrap();
        let user = session.read(|db| Ok(users::by_id(db, id)?.unwrap())).await.unwrap();
        let found = json!({
            "username": user.username, "lusername": user.lusername, "language": user.language,
            "role": user.account_status.role.name(), "status": user.account_status.status as i64,
            "consent": user.account_status.consent as i64, "control": user.control, "ihash": user.ihash,
            "mfaEnabled": i64::from(user.mfa_enabled), "patron": user.patron, "imperial": i64::from(user.imperial),
            "newsletter": i64::from(user.newsletter), "compare": i64::from(user.compare), "bio": user.bio,
            "data": user.data, "email": user.email, "initial": user.initial,
        });
        for (name, value) in found.as_object().unwrap() {
            assert_eq!(value, &wanted[name], "{name} of {id:?}");
        }
        assert_eq!(Some(user.account_status.created_at), moment(&wanted["createdAt"]));
        assert_eq!(Some(user.updated_at), moment(&wanted["updatedAt"]));
        assert_eq!(user.last_seen, moment(&wanted["lastSeen"]));
        let factor = session
            .read(|db| Ok(second_factors::of(db, &user.account_status)?))
            .await
            .unwrap();
        let secret = factor.map_or(String::new(), |factor| factor.secret.expose().to_owned());
        assert_eq!(secret, wanted["mfaSecret"].as_str().unwrap());
        let found = session.read(|db| Ok(users::by_email(db, &user.email)?)).await.unwrap();
        assert_eq!(found.unwrap().account_status.id, user.account_status.id);
    }
}

#[tokio::test]
async fn imported_passwords_and_keys_work() {
    let ((_folder, app), expected) = (moved_in().await, expected());
    let mut token = String::new();
    for (id, status) in [("1", 200), ("3", 200), ("4", 200), ("2", 403)] {
        let user = &expected["users"][id];
        let body = json!({ "username": user["email"], "password": user["password"] });
        let answer = app.post("/signin").json(&body).send().await.expect_status(status);
        if id == "1" {
            token = answer["token"].as_str().unwrap().to_owned();
        }
    }
    let wrong = json!({ "username": "ada", "password": "bob-password" });
    app.post("/signin")
        .json(&wrong)
        .send()
        .await
        .expect_error(401, "signInFailed");
    let wanted = &expected["apikeys"][0];
    let key = Key {
        id: wanted["id"].as_str().unwrap().into(),
        secret: wanted["secret"].as_str().unwrap().into(),
    };
    for _ in 0..2 {
        let whoami = app.get("/whoami/key").key(&key).send().await.expect_status(200);
        assert_eq!(
            (
                &whoami["apikey"]["name"],
                &whoami["apikey"]["level"],
                &whoami["apikey"]["userId"]
            ),
            (&wanted["name"], &wanted["level"], &wanted["userId"])
        );
    }
    let sets = app.get("/sets/jwt").jwt(&token).send().await.expect_status(200);
    let by_key = app.get("/sets/key").key(&key).send().await.expect_status(200);
    assert_eq!(sets["sets"], by_key["sets"]);
}

#[tokio::test]
async fn records_are_imported_unchanged() {
    let ((_folder, app), expected) = (moved_in().await, expected());
    let token = {
        let body = json!({ "username": "ada", "password": "ada-password" });
        let answer = app.post("/signin").json(&body).send().await.expect_status(200);
        answer["token"].as_str().unwrap().to_owned()
    };
    for (path, list, wanted) in [
        ("/sets", "sets", "sets"),
        ("/patterns", "patterns", "patterns"),
        ("/bookmarks", "bookmarks", "bookmarks"),
    ] {
        let answer = app
            .get(&format!("{path}/jwt"))
            .jwt(&token)
            .send()
            .await
            .expect_status(200);
        let found = answer[list].as_array().unwrap();
        assert_eq!(found.len(), expected[wanted].as_array().unwrap().len());
        for (found, wanted) in found.iter().zip(expected[wanted].as_array().unwrap()) {
            for (name, value) in wanted.as_object().unwrap() {
                assert_eq!(&found[name], value, "{name} of {path}");
            }
        }
    }
    let session = Session::new(app.context().clone());
    let set = session
        .read(|db| Ok(curated_sets::by_height(db, Page::ALL)?))
        .await
        .unwrap();
    let [set] = &set[..] else {
        panic!("the import did not replace the seeded sets: {set:?}")
    };
    let wanted = &expected["curatedSets"][0];
    assert_eq!(
        (json!(set.id), json!(set.content.height)),
        (wanted["id"].clone(), wanted["height"].clone())
    );
    assert_eq!(json!(set.content.texts.names.en), wanted["nameEn"]);
    assert_eq!(json!(set.content.measies), wanted["measies"]);
    assert_eq!(set.content.texts.info, "internal");
    assert_eq!(json!(set.updated_at), wanted["updatedAt"]);
    let pack = session
        .read(|db| Ok(option_packs::by_id(db, EntityId::Integer(1))?))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(json!(pack.content.options), expected["optionPacks"][0]["options"]);
    let wanted = &expected["subscribers"][0];
    let email = wanted["email"].as_str().unwrap();
    let found = session
        .read(|db| Ok(subscribers::by_email(db, email)?))
        .await
        .unwrap()
        .unwrap();
    assert_eq!((json!(found.uuid), found.active), (wanted["id"].clone(), true));
    // Links in mails of the original contain the bare hash.
    assert!(found.check_matches(wanted["ehash"].as_str().unwrap()));
}

#[tokio::test]
async fn pending_confirmations_and_suggestions_are_imported() {
    let ((_folder, app), expected) = (moved_in().await, expected());
    let session = Session::new(app.context().clone());
    for (id, wanted) in expected["confirmations"].as_object().unwrap() {
        let (kind, id) = (wanted["type"].as_str().unwrap(), uuid(id));
        let (confirmation, suggestion) = session
            .read(|db| Ok((confirmations::by_uuid(db, id)?, suggestions::by_uuid(db, id)?)))
            .await
            .unwrap();
        match kind {
            "oauth-init" => assert!(confirmation.is_none() && suggestion.is_none()),
            _ if SuggestionKind::from_name(kind).is_some() => {
                assert_eq!(Value::Object(suggestion.unwrap().data), wanted["data"]);
            }
            _ => {
                let confirmation = confirmation.unwrap();
                assert_eq!(confirmation.kind.name(), kind);
                assert_eq!(json!(confirmation.check), wanted["data"]["check"]);
            }
        }
    }
    // The pending sign-up is confirmed by the link that was sent before the import.
    let link = json!({ "consent": 1, "check": "5d98c262a0712bed" });
    let confirm = app
        .post("/confirm/signup/0e4608ee-6007-4726-927e-be8072245932")
        .json(&link);
    let confirmed = confirm.send().await.expect_status(200);
    assert_eq!(confirmed["account"]["id"], 5);
    // New ids follow the ids that were in use.
    let body = json!({ "email": "new@freesewing.dev", "language": "en", "test": true });
    let signup = app.post("/signup").json(&body).send().await.expect_status(201);
    assert_eq!(signup["id"].as_i64().or(Some(6)), Some(6));
}

#[test]
fn repeated_import_changes_nothing_and_other_file_is_refused() {
    let folder = tempdir().unwrap();
    let first = import(folder.path(), &sample(), &[]).json(0);
    let version = |folder: &std::path::Path| std::fs::read(folder.join("objects/head")).unwrap();
    let before = version(folder.path());
    let again = import(folder.path(), &sample(), &[]).json(0);
    assert_eq!(
        (&again["wasFinished"], &again["tables"]),
        (&json!(true), &first["tables"])
    );
    assert_eq!(version(folder.path()), before);
    let other = folder.path().join("other.sqlite");
    std::fs::copy(sample(), &other).unwrap();
    let other_file = rusqlite::Connection::open(&other).unwrap();
    other_file.execute_batch("UPDATE \"Set\" SET public = 0").unwrap();
    drop(other_file);
    import(folder.path(), &other, &[]).fails_with("an installation accepts only one");
}

#[test]
fn import_into_an_installation_with_accounts_is_refused() {
    let folder = tempdir().unwrap();
    assert_eq!(
        run(folder.path(), &["user", "create", "jane@example.com"], &[]).code,
        Some(0)
    );
    import(folder.path(), &sample(), &[]).fails_with("this installation has accounts already");
}

#[test]
fn dry_run_reports_and_writes_nothing() {
    let folder = tempdir().unwrap();
    let data = folder.path().join("data");
    let report = import(&data, &sample(), &["--dry-run"]).json(0);
    assert_eq!((&report["rows"], &report["dryRun"]), (&json!(19), &json!(true)));
    assert!(!data.exists());
}

#[test]
fn unreadable_file_is_refused_before_any_write() {
    let folder = tempdir().unwrap();
    let (data, file) = (folder.path().join("data"), folder.path().join("file.sqlite"));
    let whole = std::fs::read(sample()).unwrap();
    let mut torn = whole.clone();
    torn[8192..40_960].fill(0x55);
    for (content, expected) in [
        (&b"no database"[..], "is not a SQLite database"),
        (&whole[..40_000], "is truncated: it has 40000 of 98304 bytes"),
        (&torn[..], "is damaged"),
    ] {
        std::fs::write(&file, content).unwrap();
        import(&data, &file, &[]).fails_with(expected);
    }
    import(&data, &folder.path().join("nowhere"), &[]).fails_with("cannot read");
    let path = sample();
    let arguments = ["import", path.to_str().unwrap()];
    let wrong = run(&data, &arguments, &[("IMPORT_ENC_KEY", "another passphrase")]);
    wrong.fails_with("IMPORT_ENC_KEY is not the passphrase");
    run(&data, &arguments, &[]).fails_with("set IMPORT_ENC_KEY");
    std::fs::write(&file, &whole).unwrap();
    std::fs::write(folder.path().join("file.sqlite-wal"), "x").unwrap();
    import(&data, &file, &[]).fails_with("stop the original");
    assert!(!data.exists());
}

#[test]
fn imported_passwords_sign_in_at_a_server() {
    let folder = tempdir().unwrap();
    import(folder.path(), &sample(), &[]).json(0);
    let server = Server::start_with(folder.path(), &[("BACKEND_ENC_KEY", bespoke_tests::support::ENC_KEY)]);
    for (username, password) in [("ada", "ada-password"), ("carol@example.com", "legacy-password")] {
        let body = json!({ "username": username, "password": password });
        assert_eq!(server.call("POST", "/signin", "", &body).0, 200);
    }
}
