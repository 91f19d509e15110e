//! Limits of what an account may store: 403 `accountLimitReached`, `GET /account/usage`.

use bespoke_storage::MemoryStore;
use bespoke_tests::support::{Answer, App, Person};
use serde_json::{Value, json};

const LIMITS: &[(&str, &str)] = &[
    ("BACKEND_ACCOUNT_MAX_SETS", "3"),
    ("BACKEND_ACCOUNT_MAX_PATTERNS", "2"),
    ("BACKEND_ACCOUNT_MAX_BOOKMARKS", "1"),
    ("BACKEND_ACCOUNT_MAX_APIKEYS", "2"),
    ("BACKEND_ACCOUNT_MAX_TEXT_MIB", "1"),
];

async fn post(app: &App, person: &Person, path: &str, body: &Value) -> Answer {
    app.post(path).jwt(&person.token).json(body).send().await
}

#[track_caller]
fn expect_limit(answer: Answer, limit: &str) {
    let expected = json!({ "result": "error", "error": "accountLimitReached", "limit": limit });
    assert_eq!((answer.status, answer.json()), (403, expected));
}

async fn storage(app: &App, person: &Person) -> Value {
    let usage = app.get("/account/usage/jwt").jwt(&person.token).send().await;
    usage.expect_status(200)["storage"].clone()
}

fn set(name: &str) -> Value {
    json!({ "name": name })
}

#[tokio::test]
async fn each_kind_of_record_has_a_limit() {
    let app = App::with(LIMITS).await;
    let jane = app.person("jane").await;
    let pattern = json!({ "design": "aaron", "settings": { "sa": 10 } });
    let bookmark = json!({ "type": "custom", "title": "one", "url": "https://example.org/" });
    let key = json!({ "name": "key", "level": 1, "expiresIn": 60 });
    for (path, body, limit, most) in [
        ("/sets/jwt", set("Jane"), "sets", 3),
        ("/patterns/jwt", pattern, "patterns", 2),
        ("/bookmarks/jwt", bookmark, "bookmarks", 1),
        // One key was made with the account.
        ("/apikeys/jwt", key.clone(), "apikeys", 1),
    ] {
        for _ in 0..most {
            post(&app, &jane, path, &body).await.expect_status(201);
        }
        expect_limit(post(&app, &jane, path, &body).await, limit);
    }
    let stored = storage(&app, &jane).await;
    assert_eq!(stored["sets"], json!({ "stored": 3, "limit": 3 }));
    assert_eq!(stored["apikeys"], json!({ "stored": 2, "limit": 2 }));
    assert_eq!(stored["textBytes"]["limit"], 1024 * 1024);
    // An expired key is no live one.
    app.clock.advance_ms(60_000);
    post(&app, &jane, "/apikeys/jwt", &key).await.expect_status(201);
    // Another account has limits of its own.
    let other = app.person("other").await;
    post(&app, &other, "/sets/jwt", &set("Other")).await.expect_status(201);
}

#[tokio::test]
async fn copies_and_imports_count_and_are_taken_or_refused_as_a_whole() {
    let app = App::with(LIMITS).await;
    let jane = app.person("jane").await;
    let made = post(&app, &jane, "/sets/jwt", &set("Jane")).await.expect_status(201);
    let sets: Vec<_> = (0..3).map(|number| set(&format!("set {number}"))).collect();
    expect_limit(
        post(&app, &jane, "/sets/import/jwt", &json!({ "sets": sets })).await,
        "sets",
    );
    let export = json!({ "format": "bespoke-account", "version": 1, "sets": sets });
    expect_limit(post(&app, &jane, "/account/import/jwt", &export).await, "sets");
    assert_eq!(storage(&app, &jane).await["sets"]["stored"], 1);
    let clone = format!("/sets/{}/clone/jwt", made["set"]["id"]);
    for _ in 0..2 {
        post(&app, &jane, &clone, &json!({})).await.expect_status(201);
    }
    expect_limit(post(&app, &jane, &clone, &json!({})).await, "sets");
}

#[tokio::test]
async fn parallel_writes_in_two_processes_do_not_pass_a_limit() {
    let app = App::with(LIMITS).await;
    let other = app.another_with(LIMITS).await;
    let jane = app.person("jane").await;
    let body = set("Jane");
    let writes = (0..12).map(|number| {
        let process = if number % 2 == 0 { &app } else { &other };
        post(process, &jane, "/sets/jwt", &body)
    });
    let answers = futures_util::future::join_all(writes).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 3);
}

#[tokio::test]
async fn text_is_limited_in_bytes() {
    let app = App::with(LIMITS).await;
    let jane = app.person("jane").await;
    let settings = json!({ "text": "x".repeat(210_000) });
    let data = json!({ "text": "y".repeat(210_000) });
    let body = json!({ "design": "aaron", "settings": settings, "data": data });
    for _ in 0..2 {
        post(&app, &jane, "/patterns/jwt", &body).await.expect_status(201);
    }
    let stored = storage(&app, &jane).await["textBytes"]["stored"].as_u64().unwrap();
    assert!((840_000..850_000).contains(&stored), "{stored}");
    let notes = json!({ "name": "Jane", "notes": "z".repeat(60_000) });
    for _ in 0..3 {
        post(&app, &jane, "/sets/jwt", &notes).await.expect_status(201);
    }
    let grow = json!({ "data": { "more": "x".repeat(250_000) } });
    let list = app
        .get("/patterns/jwt")
        .jwt(&jane.token)
        .send()
        .await
        .expect_status(200);
    let path = format!("/patterns/{}/jwt", list["patterns"][0]["id"]);
    expect_limit(app.patch(&path).jwt(&jane.token).json(&grow).send().await, "textBytes");
}

#[tokio::test]
async fn an_account_above_its_limits_keeps_everything_and_does_not_grow() {
    let bucket = MemoryStore::new();
    let before = App::on(bucket.clone(), &[]).await;
    let jane = before.person("jane").await;
    for name in ["a", "b", "c", "d", "e"] {
        post(&before, &jane, "/sets/jwt", &set(name)).await.expect_status(201);
    }
    let app = App::on(
        bucket,
        &[("BACKEND_ACCOUNT_MAX_SETS", "3"), ("BACKEND_ACCOUNT_MAX_TEXT_MIB", "0")],
    )
    .await;
    let list = async || {
        let list = app.get("/sets/jwt").jwt(&jane.token).send().await.expect_status(200);
        list["sets"].as_array().unwrap().clone()
    };
    let all = list().await;
    assert_eq!(all.len(), 5);
    let path = format!("/sets/{}/jwt", all[0]["id"]);
    let change = async |body: Value| app.patch(&path).jwt(&jane.token).json(&body).send().await;
    assert_eq!(
        change(json!({ "name": "z" })).await.expect_status(200)["set"]["name"],
        "z"
    );
    expect_limit(change(json!({ "name": "longer" })).await, "textBytes");
    expect_limit(post(&app, &jane, "/sets/jwt", &set("f")).await, "sets");
    app.delete(&path).jwt(&jane.token).send().await.expect_status(204);
    assert_eq!(list().await.len(), 4);
}
