//! Tests of the files of exports: their size, and their cleanup if a client disconnects, a store fails or the account is deleted.

use axum::body::Body;
use bespoke_core::Clock;
use bespoke_database::account_storage::{self, AccountStorage};
use bespoke_database::{Freshness, exports};
use bespoke_storage::{Fault, Operation};
use bespoke_tests::support::{Answer, App, Person};
use bespoke_web::maintenance::Task;
use http::{Request, header};
use http_body_util::BodyExt;
use serde_json::{Value, json};

use super::held::{app_with_faults, app_with_held_puts};

const URL: &str = "http://localhost:3000";
/// Bytes that an export counts in addition to its file.
const COMMIT_BYTES: u64 = 4 * 1024;
/// Bytes of a file that are read in one request.
const PIECE_BYTES: usize = 256 * 1024;

async fn export(app: &App, person: &Person) -> Answer {
    app.post("/account/export/jwt").jwt(&person.token).send().await
}

/// The path and query of the file of a new export.
async fn export_path(app: &App, person: &Person) -> String {
    let answer = export(app, person).await.expect_status(200);
    answer["data"].as_str().unwrap().strip_prefix(URL).unwrap().to_owned()
}

async fn files(app: &App) -> Vec<String> {
    let listed = app.context().bucket().list("exports/").await.unwrap();
    listed.into_iter().map(|object| object.key).collect()
}

async fn storage(app: &App, person: &Person) -> AccountStorage {
    let database = app.context().database();
    let read = database.read(Freshness::Strict, |db| account_storage::of(db, person.id));
    read.await.unwrap()
}

async fn exported_bytes(app: &App, person: &Person) -> u64 {
    storage(app, person).await.exported_today(app.clock.now())
}

async fn pattern(app: &App, person: &Person, settings: &Value) {
    let body = json!({ "design": "aaron", "settings": settings });
    let made = app.post("/patterns/jwt").jwt(&person.token).json(&body).send().await;
    made.expect_status(201);
}

#[tokio::test]
async fn file_of_nested_lists_has_no_indentation() {
    let app = App::new().await;
    let jane = app.person("jane").await;
    let nested = (0..20).fold(json!(vec![1; 2_000]), |inner, _| json!([inner]));
    pattern(&app, &jane, &json!({ "a": nested })).await;
    let link = export_path(&app, &jane).await;
    let file = app.get(&link).send().await.body;
    let text_bytes = storage(&app, &jane).await.text_bytes;
    assert!(
        (file.len() as u64) < text_bytes + 4 * 1024,
        "{} {text_bytes}",
        file.len()
    );
    assert_eq!(exported_bytes(&app, &jane).await, file.len() as u64 + COMMIT_BYTES);
}

#[tokio::test]
async fn quota_of_exports_counts_the_complete_file() {
    // A quarter of a MiB, and each export has 64,000 bytes that are not among the counted texts of the account.
    let app = App::with(&[("BACKEND_ACCOUNT_WRITES_MIB_PER_DAY", "1")]).await;
    let jane = app.person("jane").await;
    let body = json!({ "bio": "x".repeat(30_000), "data": { "a": "x".repeat(34_000) } });
    let change = app.patch("/account/jwt").jwt(&jane.token).json(&body);
    change.send().await.expect_status(200);
    let mut made = 0;
    let refused = loop {
        let counted = exported_bytes(&app, &jane).await;
        let answer = export(&app, &jane).await;
        if answer.status != 200 {
            assert_eq!(exported_bytes(&app, &jane).await, counted);
            break answer;
        }
        made += 1;
        assert!(made < 10);
    };
    assert_eq!(made, 3);
    let expected = json!({ "result": "error", "error": "quotaExceeded", "limit": "exportedBytes" });
    assert_eq!((refused.status, refused.json()), (429, expected));
    assert_eq!(files(&app).await.len(), 3);
}

#[tokio::test]
async fn export_outlives_its_client() {
    let (app, store) = app_with_held_puts("exports/").await;
    let jane = app.person("jane").await;
    for path in ["/account/export/key", "/Account/Export/Key/"] {
        let before = exported_bytes(&app, &jane).await;
        let request = Request::get(path).header(header::AUTHORIZATION, jane.key.authorization());
        let call = app.gateway().handle_to_end(request.body(Body::empty()).unwrap());
        tokio::select! {
            _ = call => panic!("the response does not wait for the file"),
            () = store.arrival() => {}
        }
        assert!(
            exported_bytes(&app, &jane).await > before,
            "the export is counted before its file is stored"
        );
        store.release();
        assert!(store.end().await, "the file is stored without a client");
    }
    let names: Vec<_> = files(&app).await;
    assert_eq!(names.len(), 2);
    for name in names {
        let name = name.strip_prefix("exports/").unwrap().strip_suffix(".json").unwrap();
        let database = app.context().database();
        let noted = database.read(Freshness::Strict, |db| exports::exists(db, name)).await;
        assert!(noted.unwrap(), "{name}");
    }
}

#[tokio::test]
async fn removal_during_an_export_leaves_no_file() {
    let (app, store) = app_with_held_puts("exports/").await;
    let jane = app.person("jane").await;
    let remove = async {
        store.arrival().await;
        let removed = app.delete("/account/jwt").jwt(&jane.token).send().await;
        removed.expect_status(200);
        store.release();
    };
    let (answer, ()) = tokio::join!(export(&app, &jane), remove);
    answer.expect_missing();
    assert!(files(&app).await.is_empty());
}

#[tokio::test]
async fn export_that_cannot_be_stored_leaves_no_trace() {
    let (app, store) = app_with_faults().await;
    let jane = app.person("jane").await;
    for fault in [Fault::Forbidden, Fault::LostReply] {
        store.script(Operation::Put, "exports/", fault);
        let answer = export(&app, &jane).await;
        assert!(answer.status >= 500, "{fault:?}: {}", answer.status);
        assert_eq!(
            (exported_bytes(&app, &jane).await, files(&app).await.len()),
            (0, 0),
            "{fault:?}"
        );
    }
    export(&app, &jane).await.expect_status(200);
}

#[tokio::test]
async fn unrecorded_export_stores_no_file() {
    // During a restore the database refuses every write.
    let (app, store) = app_with_faults().await;
    let jane = app.person("jane").await;
    let stored = || {
        store
            .calls()
            .iter()
            .filter(|(_, key)| key.starts_with("exports/"))
            .count()
    };
    store.script(Operation::Put, "head", Fault::Forbidden);
    let answer = export(&app, &jane).await;
    assert!(answer.status >= 500, "{}", answer.status);
    assert_eq!(stored(), 0);
}

#[tokio::test]
async fn files_without_a_row_are_deleted_by_maintenance() {
    let app = App::new().await;
    let jane = app.person("jane").await;
    export_path(&app, &jane).await;
    let kept = files(&app).await;
    let orphan = format!("exports/{}.json", app.context().new_export_name());
    let bucket = app.context().bucket();
    bucket
        .put(&orphan, "{}".into(), bespoke_storage::PutCondition::None)
        .await
        .unwrap();
    let done = app.another().await.context().maintain(&[Task::Purge]).await;
    assert!(done.iter().all(|done| !done.failed), "{done:?}");
    assert_eq!(files(&app).await, kept);
}

#[tokio::test]
async fn file_is_read_as_fast_as_its_client() {
    let (app, store) = app_with_faults().await;
    let jane = app.person("jane").await;
    for number in 0..7 {
        let text = format!("{number}").repeat(200_000);
        pattern(&app, &jane, &json!({ "text": text })).await;
    }
    let link = export_path(&app, &jane).await;
    let pieces = || {
        let calls = store.calls();
        let of_file =
            |(operation, key): &&(Operation, String)| *operation == Operation::Get && key.starts_with("exports/");
        calls.iter().filter(of_file).count()
    };
    let request = Request::get(&link).body(Body::empty()).unwrap();
    let response = app.gateway().handle(request).await;
    let (parts, mut body) = response.into_parts();
    assert_eq!(
        (parts.status.as_u16(), pieces()),
        (200, 1),
        "nothing is read before the client takes it"
    );
    assert!(!parts.headers.contains_key(header::CONTENT_LENGTH));
    let mut taken = 0;
    while let Some(frame) = body.frame().await {
        taken += frame.unwrap().into_data().unwrap().len();
        assert!(pieces() <= taken / PIECE_BYTES + 1, "{taken} {}", pieces());
    }
    assert!(taken > 1_200_000 && pieces() >= 5, "{taken} {}", pieces());

    let tag = parts.headers[header::ETAG].to_str().unwrap();
    let name = link.strip_prefix("/exports/").unwrap().split('?').next().unwrap();
    assert_eq!(tag, format!("\"{name}\""));
    for (sent, status) in [(tag, 304), ("*", 304), ("\"other\"", 200)] {
        let answer = app.get(&link).header("if-none-match", sent).send().await;
        assert_eq!(
            (answer.status, answer.body.is_empty()),
            (status, status == 304),
            "{sent}"
        );
        assert_eq!(answer.header("etag"), tag);
    }
    let head = app.request("HEAD", &link).send().await;
    assert_eq!(
        (head.status, head.body.is_empty(), head.header("etag")),
        (200, true, tag)
    );
}
