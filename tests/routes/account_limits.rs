//! Tests of the limits of an account's storage (403 `accountLimitReached`) and of the bytes that it writes on a day (429
//! `quotaExceeded`), and of `GET /account/usage`.

use bespoke_storage::MemoryStore;
use bespoke_tests::support::picture::GLASS;
use bespoke_tests::support::{Answer, App, Person};
use serde_json::{Value, json};

const LIMITS: &[(&str, &str)] = &[
    ("BACKEND_ACCOUNT_MAX_SETS", "3"),
    ("BACKEND_ACCOUNT_MAX_PATTERNS", "2"),
    ("BACKEND_ACCOUNT_MAX_BOOKMARKS", "1"),
    ("BACKEND_ACCOUNT_MAX_APIKEYS", "2"),
    ("BACKEND_ACCOUNT_MAX_TEXT_MIB", "1"),
];

/// The maximum number of bytes that an account may write on a day in these tests.
const WRITTEN_BYTES: u64 = 1024 * 1024;
const WRITES: &[(&str, &str)] = &[("BACKEND_ACCOUNT_WRITES_MIB_PER_DAY", "1")];
const DAY_MS: i64 = 24 * 60 * 60 * 1000;

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

/// Bytes that the account has written today.
async fn written_bytes(app: &App, person: &Person) -> u64 {
    let usage = app.get("/account/usage/jwt").jwt(&person.token).send().await;
    let written = usage.expect_status(200)["writtenToday"].clone();
    assert_eq!(written["limit"], WRITTEN_BYTES);
    written["bytes"].as_u64().unwrap()
}

#[track_caller]
fn expect_used_up(answer: Answer) {
    let retry_after_s: i64 = answer.header("retry-after").parse().unwrap();
    assert!((1..=DAY_MS / 1000).contains(&retry_after_s), "{retry_after_s}");
    let expected = json!({ "result": "error", "error": "quotaExceeded", "limit": "writtenBytes" });
    assert_eq!((answer.status, answer.json()), (429, expected));
}

/// The number of calls with that status until the bytes of the day are used up.
async fn calls_until_used_up(status: u16, call: impl AsyncFn(usize) -> Answer) -> usize {
    let mut calls = 0;
    loop {
        let answer = call(calls).await;
        if answer.status != status {
            expect_used_up(answer);
            return calls;
        }
        calls += 1;
    }
}

async fn patch_account(app: &App, person: &Person, body: Value) -> Answer {
    app.patch("/account/jwt").jwt(&person.token).json(&body).send().await
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
    for (path, body, limit, max_records) in [
        ("/sets/jwt", set("Jane"), "sets", 3),
        ("/patterns/jwt", pattern, "patterns", 2),
        ("/bookmarks/jwt", bookmark, "bookmarks", 1),
        // One key was created with the account.
        ("/apikeys/jwt", key.clone(), "apikeys", 1),
    ] {
        for _ in 0..max_records {
            post(&app, &jane, path, &body).await.expect_status(201);
        }
        expect_limit(post(&app, &jane, path, &body).await, limit);
    }
    let stored = storage(&app, &jane).await;
    assert_eq!(stored["sets"], json!({ "stored": 3, "limit": 3 }));
    assert_eq!(stored["apikeys"], json!({ "stored": 2, "limit": 2 }));
    assert_eq!(stored["textBytes"]["limit"], 1024 * 1024);
    // An expired key does not count.
    app.clock.advance_ms(60_000);
    post(&app, &jane, "/apikeys/jwt", &key).await.expect_status(201);
    // Another account has its own limits.
    let other = app.person("other").await;
    post(&app, &other, "/sets/jwt", &set("Other")).await.expect_status(201);
}

#[tokio::test]
async fn copies_and_imports_count_and_are_atomic() {
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
async fn import_beyond_a_limit_is_refused_before_its_records_are_stored() {
    let app = App::with(&[
        ("BACKEND_ACCOUNT_MAX_SETS", "999"),
        ("BACKEND_ACCOUNT_MAX_TEXT_MIB", "1"),
    ])
    .await;
    let jane = app.person("jane").await;
    let many: Vec<_> = (0..1_000).map(|number| set(&format!("set {number}"))).collect();
    let long = vec![json!({ "name": "long", "notes": "x".repeat(60_000) }); 20];
    for (sets, limit) in [(many, "sets"), (long, "textBytes")] {
        let export = json!({ "format": "bespoke-account", "version": 1, "sets": sets });
        for (path, body) in [
            ("/sets/import/jwt", json!({ "sets": sets })),
            ("/account/import/jwt", export),
        ] {
            let before = app.random_values();
            expect_limit(post(&app, &jane, path, &body).await, limit);
            // Each record takes a value for its UUID, and a stored one takes three more for its encrypted texts.
            let used_values = app.random_values() - before;
            assert!(used_values < sets.len() as u64 + 20, "{path} {limit}: {used_values}");
        }
    }
}

#[tokio::test]
async fn concurrent_writes_of_two_processes_respect_the_limit() {
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
async fn text_is_limited_by_bytes() {
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
async fn account_above_its_limits_keeps_its_records() {
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

#[tokio::test]
async fn daily_written_bytes_are_limited() {
    let app = App::with(WRITES).await;
    let jane = app.person("jane").await;
    let made = post(&app, &jane, "/sets/jwt", &set("Jane")).await.expect_status(201);
    let data = |number: usize| json!({ "data": { "text": format!("{number}").repeat(210_000) } });
    for number in 0..4 {
        patch_account(&app, &jane, data(number)).await.expect_status(200);
    }
    let before = written_bytes(&app, &jane).await;
    assert!((800_000..900_000).contains(&before), "{before}");
    let version = app.context().database().version();
    expect_used_up(patch_account(&app, &jane, data(5)).await);
    assert_eq!(
        app.context().database().version(),
        version,
        "a refused write made a commit"
    );
    assert_eq!(written_bytes(&app, &jane).await, before);
    // Reading, deleting and revoking still work, and so do other accounts.
    let path = format!("/sets/{}/jwt", made["set"]["id"]);
    app.get(&path).jwt(&jane.token).send().await.expect_status(200);
    app.delete(&path).jwt(&jane.token).send().await.expect_status(204);
    let other = app.person("other").await;
    patch_account(&app, &other, data(1)).await.expect_status(200);
    app.clock.advance_ms(DAY_MS);
    assert_eq!(written_bytes(&app, &jane).await, 0);
    patch_account(&app, &jane, data(6)).await.expect_status(200);
    assert!((200_000..250_000).contains(&written_bytes(&app, &jane).await));
}

#[tokio::test]
async fn small_change_of_a_large_row_counts_completely() {
    let app = App::with(WRITES).await;
    let jane = app.person("jane").await;
    patch_account(&app, &jane, json!({ "data": { "text": "x".repeat(200_000) } }))
        .await
        .expect_status(200);
    let mut accepted = 0;
    for control in [2, 3, 2, 3, 2, 3, 2, 3] {
        let answer = patch_account(&app, &jane, json!({ "control": control })).await;
        if answer.status == 429 {
            break;
        }
        answer.expect_status(200);
        accepted += 1;
    }
    assert_eq!(accepted, 4);
    // The owner can still revoke credentials that a thief may have.
    let out = patch_account(&app, &jane, json!({ "signOutEverywhere": true })).await;
    out.expect_status(200);
}

#[tokio::test]
async fn owner_can_secure_an_account_at_its_write_limit() {
    let app = App::with(WRITES).await;
    let jane = app.person("jane").await;
    let data = |number: usize| json!({ "data": { "text": format!("{number}").repeat(220_000) } });
    for number in 0..4 {
        patch_account(&app, &jane, data(number)).await.expect_status(200);
    }
    expect_used_up(patch_account(&app, &jane, json!({ "control": 4 })).await);
    let password = json!({ "password": "a new password" });
    patch_account(&app, &jane, password.clone()).await.expect_status(200);
    // With any other field it is an ordinary change.
    for (field, value) in [
        ("data", data(6)["data"].clone()),
        ("img", json!(GLASS)),
        ("control", json!(5)),
    ] {
        let mut both = password.clone();
        both[field] = value;
        expect_used_up(patch_account(&app, &jane, both).await);
    }
    let set_up = post(&app, &jane, "/account/mfa/jwt", &json!({ "mfa": true })).await;
    set_up.expect_status(200);
    let freeze = app.post("/account/restrict/jwt").jwt(&jane.token).send().await;
    freeze.expect_status(200);
}

#[tokio::test]
async fn security_changes_are_limited_too() {
    let app = App::with(WRITES).await;
    let jane = app.person("jane").await;
    patch_account(&app, &jane, json!({ "data": { "text": "x".repeat(200_000) } }))
        .await
        .expect_status(200);
    let change = async |number| patch_account(&app, &jane, json!({ "password": format!("password {number}") })).await;
    let changed = calls_until_used_up(200, change).await;
    assert!((5..=10).contains(&changed), "{changed}");
}

#[tokio::test]
async fn credentials_count_as_written() {
    let app = App::with(WRITES).await;
    let jane = app.person("jane").await;
    let mut before = written_bytes(&app, &jane).await;
    for number in 0..2 {
        let set_up = post(&app, &jane, "/account/mfa/jwt", &json!({ "mfa": true })).await;
        set_up.expect_status(200);
        let after = written_bytes(&app, &jane).await;
        assert!(after > before + 4 * 1024, "{before} {after}");
        let email = json!({ "email": format!("jane{number}@example.org") });
        patch_account(&app, &jane, email).await.expect_status(200);
        before = written_bytes(&app, &jane).await;
        assert!(before > after + 4 * 1024, "{after} {before}");
    }
    // A link that a stranger requests counts for nothing.
    let link = app.post("/signinlink").json(&json!({ "username": jane.email }));
    link.send().await.expect_status(200);
    assert_eq!(written_bytes(&app, &jane).await, before);
}

#[tokio::test]
async fn deleted_records_still_count_as_written() {
    let app = App::with(WRITES).await;
    let jane = app.person("jane").await;
    let notes = json!({ "name": "Jane", "notes": "z".repeat(60_000) });
    let make_and_delete = async |_| {
        let answer = post(&app, &jane, "/sets/jwt", &notes).await;
        if answer.status == 201 {
            let path = format!("/sets/{}/jwt", answer.json()["set"]["id"]);
            app.delete(&path).jwt(&jane.token).send().await.expect_status(204);
        }
        answer
    };
    assert_eq!(calls_until_used_up(201, make_and_delete).await, 16);
}

#[tokio::test]
async fn empty_change_writes_nothing() {
    let app = App::with(WRITES).await;
    let jane = app.person("jane").await;
    patch_account(&app, &jane, json!({ "control": 2 }))
        .await
        .expect_status(200);
    let (before, version) = (written_bytes(&app, &jane).await, app.context().database().version());
    patch_account(&app, &jane, json!({ "control": 2 }))
        .await
        .expect_status(200);
    let after = (written_bytes(&app, &jane).await, app.context().database().version());
    assert_eq!(after, (before, version));
}

#[tokio::test]
async fn images_count_as_written() {
    let app = App::with(WRITES).await;
    let jane = app.person("jane").await;
    let before = written_bytes(&app, &jane).await;
    patch_account(&app, &jane, json!({ "img": GLASS }))
        .await
        .expect_status(200);
    let after = written_bytes(&app, &jane).await;
    assert!(after > before + 4 * 1024, "{before} {after}");
}

#[tokio::test]
async fn daily_exports_are_limited_separately_from_writes() {
    let app = App::with(WRITES).await;
    let jane = app.person("jane").await;
    let reader = app.key(&jane, 2).await;
    let body = json!({ "design": "aaron", "settings": { "text": "x".repeat(60_000) } });
    post(&app, &jane, "/patterns/jwt", &body).await.expect_status(201);
    let before = written_bytes(&app, &jane).await;
    let export = async || app.get("/account/export/key").key(&reader).send().await;
    // The limit is a quarter of the written bytes, 256 KiB, and each export takes about 64,000 bytes.
    let mut made = 0;
    let refused = loop {
        let answer = export().await;
        if answer.status != 200 {
            break answer;
        }
        made += 1;
        assert!(made < 10);
    };
    assert!((3..=4).contains(&made), "{made}");
    let expected = json!({ "result": "error", "error": "quotaExceeded", "limit": "exportedBytes" });
    assert_eq!((refused.status, refused.json()), (429, expected));
    let version = app.context().database().version();
    for _ in 0..3 {
        assert_eq!(export().await.status, 429);
    }
    assert_eq!(app.context().database().version(), version);
    assert_eq!(app.context().bucket().list("exports/").await.unwrap().len(), 3);
    assert_eq!(written_bytes(&app, &jane).await, before);
    patch_account(&app, &jane, json!({ "bio": "still mine" }))
        .await
        .expect_status(200);
    app.clock.advance_ms(DAY_MS);
    let next = post(&app, &jane, "/account/export/jwt", &json!({})).await;
    next.expect_status(200);
}

#[tokio::test]
async fn first_export_of_a_day_is_never_refused() {
    let app = App::with(WRITES).await;
    let jane = app.person("jane").await;
    let body = json!({ "design": "aaron", "settings": { "text": "x".repeat(200_000) } });
    for _ in 0..2 {
        post(&app, &jane, "/patterns/jwt", &body).await.expect_status(201);
    }
    let export = async || post(&app, &jane, "/account/export/jwt", &json!({})).await;
    export().await.expect_status(200);
    assert_eq!(export().await.status, 429);
}

#[tokio::test]
async fn concurrent_processes_share_the_daily_write_limit() {
    let app = App::with(WRITES).await;
    let other = app.another_with(WRITES).await;
    let jane = app.person("jane").await;
    let body = json!({ "design": "aaron", "settings": { "text": "x".repeat(220_000) } });
    let writes = (0..10).map(|number| {
        let process = if number % 2 == 0 { &app } else { &other };
        post(process, &jane, "/patterns/jwt", &body)
    });
    let answers = futures_util::future::join_all(writes).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 4);
}

#[tokio::test]
async fn unlimited_calls_have_no_write_limit() {
    let app = App::with(&[
        ("BACKEND_ACCOUNT_WRITES_MIB_PER_DAY", "0"),
        ("BACKEND_RATE_LIMITS", "off"),
    ])
    .await;
    let jane = app.person("jane").await;
    post(&app, &jane, "/sets/jwt", &set("Jane")).await.expect_status(201);
    let usage = app.get("/account/usage/jwt").jwt(&jane.token).send().await;
    assert_eq!(usage.expect_status(200)["writtenToday"]["limit"], Value::Null);
}
