//! Tests of the headers `Idempotency-Key` and `DB-Seq`.

use std::sync::Arc;

use bespoke_storage::{Fault, FaultyStore, MemoryStore, Operation, Rates};
use bespoke_tests::support::{Answer, App, Person};
use serde_json::{Value, json};

async fn make(app: &App, person: &Person, path: &str, key: &str, body: &Value) -> Answer {
    let method = path.rsplit('/').next().unwrap_or_default();
    let request = app.post(path).auth(person, method).header("idempotency-key", key);
    request.json(body).send().await
}

async fn sets(app: &App, person: &Person) -> usize {
    let list = app.get("/sets/jwt").jwt(&person.token).send().await.expect_status(200);
    list["sets"].as_array().unwrap().len()
}

#[tokio::test]
async fn repeat_creates_nothing_and_returns_the_record() {
    let app = App::new().await;
    let other = app.another().await;
    let jane = app.person("jane").await;
    let body = json!({ "name": "one", "measies": { "chest": 1000 } });
    let first = make(&app, &jane, "/sets/jwt", "k-1", &body).await.expect_status(201);
    for process in [&app, &other] {
        assert_eq!(
            make(process, &jane, "/sets/jwt", "k-1", &body).await.expect_status(201),
            first
        );
    }
    let change = app.patch(&format!("/sets/{}/jwt", first["set"]["id"])).jwt(&jane.token);
    change
        .json(&json!({ "name": "changed since" }))
        .send()
        .await
        .expect_status(200);
    let again = make(&other, &jane, "/sets/jwt", "k-1", &body).await.expect_status(201);
    assert_eq!(
        (&again["set"]["uuid"], &again["set"]["name"]),
        (&first["set"]["uuid"], &json!("changed since"))
    );
    assert_eq!(sets(&app, &jane).await, 1);
    make(&other, &jane, "/sets/jwt", "k-2", &body).await.expect_status(201);
    assert_eq!(sets(&app, &jane).await, 2);
}

#[tokio::test]
async fn concurrent_repeats_create_one_record() {
    let app = App::new().await;
    let other = app.another().await;
    let jane = app.person("jane").await;
    let body = json!({ "name": "one" });
    let (here, there) = tokio::join!(
        make(&app, &jane, "/sets/jwt", "k", &body),
        make(&other, &jane, "/sets/jwt", "k", &body)
    );
    assert_eq!(here.expect_status(201), there.expect_status(201));
    assert_eq!(sets(&app, &jane).await, 1);
}

#[tokio::test]
async fn idempotency_key_is_bound_to_caller_path_and_body() {
    let app = App::new().await;
    let (jane, joe) = (app.person("jane").await, app.person("joe").await);
    let body = json!({ "name": "one" });
    let mine = make(&app, &jane, "/sets/jwt", "k", &body).await.expect_status(201);
    let other = make(&app, &jane, "/sets/jwt", "k", &json!({ "name": "two" })).await;
    other.expect_error(422, "idempotencyKeyReused");
    let his = make(&app, &joe, "/sets/jwt", "k", &body).await.expect_status(201);
    assert_ne!(his["set"]["uuid"], mine["set"]["uuid"]);
    let clone = format!("/sets/{}/clone/jwt", mine["set"]["id"]);
    make(&app, &jane, &clone, "k", &json!({})).await.expect_status(201);
    assert_eq!((sets(&app, &jane).await, sets(&app, &joe).await), (2, 1));
    for wrong in ["", &"k".repeat(256)] {
        make(&app, &jane, "/sets/jwt", wrong, &body)
            .await
            .expect_error(400, "badRequest");
    }
}

#[tokio::test]
async fn refused_request_is_retried() {
    let app = App::new().await;
    let jane = app.person("jane").await;
    make(&app, &jane, "/sets/jwt", "k", &json!({ "notes": "no name" }))
        .await
        .expect_error(400, "nameMissing");
    make(&app, &jane, "/sets/jwt", "k", &json!({ "name": "one" }))
        .await
        .expect_status(201);
}

#[tokio::test]
async fn repeated_key_creation_shows_the_secret_once() {
    let app = App::new().await;
    let jane = app.person("jane").await;
    let body = json!({ "name": "ci", "level": 2, "expiresIn": 60 });
    let first = make(&app, &jane, "/apikeys/jwt", "k", &body).await.expect_status(201);
    assert!(first["apikey"]["secret"].is_string());
    let again = make(&app, &jane, "/apikeys/jwt", "k", &body).await.expect_status(201);
    assert_eq!(again["apikey"]["key"], first["apikey"]["key"]);
    assert_eq!(again["apikey"]["secret"], Value::Null);
    let keys = app.get("/apikeys/jwt").jwt(&jane.token).send().await.expect_status(200);
    assert_eq!(keys["apikeys"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn repeat_after_withdrawn_consent_is_refused() {
    let app = App::new().await;
    let jane = app.person("jane").await;
    let body = json!({ "name": "one" });
    make(&app, &jane, "/sets/jwt", "k", &body).await.expect_status(201);
    let consent = app
        .patch("/account/jwt")
        .jwt(&jane.token)
        .json(&json!({ "consent": 0 }));
    consent.send().await.expect_status(200);
    make(&app, &jane, "/sets/jwt", "k", &body)
        .await
        .expect_error(401, "unauthorized");
}

#[tokio::test]
async fn echoed_version_is_visible_in_bounded_reads() {
    let old = [("BACKEND_MAX_STALENESS_MS", "3600000")];
    let bucket = bespoke_storage::MemoryStore::new();
    let (app, other) = (App::on(bucket.clone(), &old).await, App::on(bucket, &old).await);
    let jane = app.person("jane").await;
    // This process may keep the version that it has read.
    other.get("/account/jwt").jwt(&jane.token).send().await;
    let made = app
        .post("/sets/jwt")
        .jwt(&jane.token)
        .json(&json!({ "name": "one" }))
        .send()
        .await;
    let seq = made.header("db-seq").to_owned();
    let id = made.expect_status(201)["set"]["id"].to_string();
    let read = |echo: &str| {
        other
            .get(&format!("/sets/{id}/jwt"))
            .jwt(&jane.token)
            .header("db-seq", echo)
            .send()
    };
    read("").await.expect_missing();
    let seen = read(&seq).await;
    assert_eq!(seen.header("db-seq"), seq);
    seen.expect_status(200);
    for odd in ["9-1", "1-999999", "x", "1", "-"] {
        read(odd).await.expect_status(200);
    }
}

#[tokio::test]
async fn repeat_is_hidden_from_write_only_keys() {
    let app = App::new().await;
    let jane = app.person("jane").await;
    let writer = app.key_with(&jane, 4, json!({ "scopes": ["sets:write"] })).await;
    let body = json!({ "name": "one", "measies": { "chest": 1000 } });
    let make = async || {
        let request = app.post("/sets/key").key(&writer).header("idempotency-key", "k");
        request.json(&body).send().await
    };
    let first = make().await.expect_status(201);
    // The set is still as the key sent it, so a lost response can be requested again.
    assert_eq!(make().await.expect_status(201), first);
    let one = format!("/sets/{}/jwt", first["set"]["id"]);
    let change = app.patch(&one).jwt(&jane.token).json(&json!({ "notes": "private" }));
    change.send().await.expect_status(200);
    let repeat = make().await;
    assert!(!repeat.text().contains("private"));
    repeat.expect_error(403, "insufficientScope");
    assert_eq!(sets(&app, &jane).await, 1);
}

#[tokio::test]
async fn repeat_under_another_credential_is_another_request() {
    let app = App::new().await;
    let jane = app.person("jane").await;
    let writer = app.key_with(&jane, 4, json!({ "scopes": ["sets:write"] })).await;
    let body = json!({ "name": "one" });
    let by_token = make(&app, &jane, "/sets/jwt", "k", &body).await.expect_status(201);
    let by_key = make(&app, &jane, "/sets/key", "k", &body).await.expect_status(201);
    let request = app.post("/sets/key").key(&writer).header("idempotency-key", "k");
    let by_writer = request.json(&body).send().await.expect_status(201);
    for other in [&by_key, &by_writer] {
        assert_ne!(other["set"]["uuid"], by_token["set"]["uuid"]);
    }
    assert_ne!(by_key["set"]["uuid"], by_writer["set"]["uuid"]);
}

#[tokio::test]
async fn response_without_verified_version_names_none() {
    let bucket = MemoryStore::new();
    let jane = App::on(bucket.clone(), &[]).await.person("jane").await;
    let faulty = FaultyStore::new(bucket.clone(), 0, Rates::default());
    let app = App::over(Arc::new(faulty.clone()), bucket, &[]).await.unwrap();
    let account = || app.get("/account/jwt").jwt(&jane.token).send();
    assert_ne!(account().await.header("db-seq"), "");
    for _ in 0..2 {
        faulty.script(Operation::Get, "head", Fault::LostRequest);
        let unverified = account().await;
        assert_eq!((unverified.status, unverified.header("db-seq")), (503, ""));
    }
    // The state behind a refusal was verified.
    let missing = app.get("/sets/999999/jwt").jwt(&jane.token).send().await;
    assert_eq!(missing.status, 404);
    assert_ne!(missing.header("db-seq"), "");
}

#[tokio::test]
async fn unanswered_write_names_no_version() {
    let bucket = MemoryStore::new();
    let jane = App::on(bucket.clone(), &[]).await.person("jane").await;
    let faulty = FaultyStore::new(bucket.clone(), 0, Rates::default());
    let app = App::over(Arc::new(faulty.clone()), bucket, &[]).await.unwrap();
    let make = || {
        let request = app.post("/sets/jwt").jwt(&jane.token);
        request.json(&json!({ "name": "one" })).send()
    };
    faulty.script(Operation::Put, "head", Fault::Forbidden);
    let refused = make().await;
    assert_eq!((refused.status, refused.header("db-seq")), (503, ""));
    let made = make().await;
    assert_ne!(made.header("db-seq"), "");
    made.expect_status(201);
}
