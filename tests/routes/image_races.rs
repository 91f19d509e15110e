//! Tests of the images of requests that are repeated under an `Idempotency-Key`, and of records that are deleted while their image is
//! stored.

use bespoke_core::Clock;
use bespoke_database::{Freshness, account_storage};
use bespoke_storage::{Fault, FaultyStore, Operation};
use bespoke_tests::support::picture::{GLASS, RED};
use bespoke_tests::support::{Answer, App, Person};
use serde_json::{Value, json};

use super::held::{app_with_faults, app_with_held_puts};

/// The kinds of records whose image can be replaced: path, name in responses, and the smallest valid body.
fn kinds() -> [(&'static str, &'static str, Value); 4] {
    [
        ("sets", "set", json!({ "name": "s" })),
        ("patterns", "pattern", json!({ "design": "aaron", "settings": {} })),
        ("curated-sets", "curatedSet", json!({ "nameEn": "c" })),
        (
            "option-packs",
            "optionPack",
            json!({ "design": "aaron", "nameEn": "o" }),
        ),
    ]
}

fn with_image(mut body: Value, image: &str) -> Value {
    body["img"] = image.into();
    body
}

async fn post(app: &App, person: &Person, path: &str, body: &Value) -> Answer {
    let request = app.post(path).jwt(&person.token).header("idempotency-key", "k");
    request.json(body).send().await
}

async fn patch(app: &App, person: &Person, path: &str, body: Value) -> Answer {
    app.patch(path).jwt(&person.token).json(&body).send().await
}

async fn images(app: &App) -> Vec<u64> {
    let listed = app.context().bucket().list("images/").await.unwrap();
    listed.into_iter().map(|object| object.bytes).collect()
}

/// Bytes that the account has written today.
async fn written_bytes(app: &App, person: &Person) -> u64 {
    let database = app.context().database();
    let read = database.read(Freshness::Strict, |db| account_storage::of(db, person.id));
    read.await.unwrap().written_today(app.clock.now())
}

/// A suggestion of the person's own set.
async fn suggestion(app: &App, person: &Person) -> Value {
    let set = app.post("/sets/jwt").jwt(&person.token).json(&json!({ "name": "s" }));
    let set = set.send().await.expect_status(201)["set"]["id"].clone();
    json!({ "set": set, "height": "166cm", "name": "Jane", "notes": "", "img": RED })
}

fn stored_images(store: &FaultyStore) -> usize {
    let calls = store.calls();
    let is_image = |(operation, key): &&(Operation, String)| *operation == Operation::Put && key.starts_with("images/");
    calls.iter().filter(is_image).count()
}

#[tokio::test]
async fn repeat_does_not_replace_a_newer_image() {
    let (app, store) = app_with_faults().await;
    let curator = app.person_as("curator", "curator").await;
    for (path, name, body) in kinds() {
        let (list, body) = (format!("/{path}/jwt"), with_image(body, RED));
        let made = post(&app, &curator, &list, &body).await.expect_status(201);
        let one = format!("/{path}/{}/jwt", made[name]["id"]);
        let changed = patch(&app, &curator, &one, json!({ "img": GLASS })).await;
        assert_eq!(changed.expect_status(200)["ignored"], json!([]));
        let (before, bytes) = (stored_images(&store), written_bytes(&app, &curator).await);
        let again = post(&app, &curator, &list, &body).await.expect_status(201);
        assert_eq!((&again[name]["id"], &again["ignored"]), (&made[name]["id"], &json!([])));
        assert_eq!(
            (stored_images(&store), written_bytes(&app, &curator).await),
            (before, bytes),
            "{path}"
        );
    }
}

#[tokio::test]
async fn repeated_suggestion_and_promotion_keep_their_images() {
    let (app, store) = app_with_faults().await;
    let curator = app.person_as("curator", "curator").await;
    let body = suggestion(&app, &curator).await;
    let suggest = async || {
        post(&app, &curator, "/curated-sets/suggest/jwt", &body)
            .await
            .expect_status(200)
    };
    let suggested = suggest().await;
    let stored = stored_images(&store);
    assert_eq!(suggest().await, suggested);
    assert_eq!(stored_images(&store), stored);

    let path = format!(
        "/curated-sets/from/{}/jwt",
        suggested["submission"]["id"].as_str().unwrap()
    );
    let promote = async || post(&app, &curator, &path, &json!({})).await.expect_status(200);
    let set = promote().await["curatedSet"]["id"].clone();
    let one = format!("/curated-sets/{set}/jwt");
    patch(&app, &curator, &one, json!({ "img": GLASS }))
        .await
        .expect_status(200);
    let stored = stored_images(&store);
    assert_eq!(promote().await["curatedSet"]["id"], set);
    assert_eq!(stored_images(&store), stored);
}

#[tokio::test]
async fn repeat_stores_and_counts_a_missing_image() {
    let (app, store) = app_with_faults().await;
    let curator = app.person_as("curator", "curator").await;
    for (path, name, body) in kinds() {
        let (list, body) = (format!("/{path}/jwt"), with_image(body, RED));
        store.script(Operation::Put, "images/", Fault::Forbidden);
        let made = post(&app, &curator, &list, &body).await.expect_status(201);
        assert_eq!(made["ignored"], json!(["img"]), "{path}");
        let (bytes, before) = (written_bytes(&app, &curator).await, images(&app).await.len());
        let again = post(&app, &curator, &list, &body).await.expect_status(201);
        assert_eq!((&again[name]["id"], &again["ignored"]), (&made[name]["id"], &json!([])));
        let stored = images(&app).await;
        assert_eq!(stored.len(), before + 1, "{path}");
        let grown = written_bytes(&app, &curator).await - bytes;
        assert!(grown > *stored.iter().min().unwrap(), "{path}: {grown}");
    }
}

#[tokio::test]
async fn image_of_a_removed_record_is_removed() {
    let (app, store) = app_with_held_puts("images/").await;
    let curator = app.person_as("curator", "curator").await;
    for (path, name, body) in kinds() {
        let made = post(&app, &curator, &format!("/{path}/jwt"), &body)
            .await
            .expect_status(201);
        let one = format!("/{path}/{}/jwt", made[name]["id"]);
        let remove = async {
            store.arrival().await;
            let removed = app.delete(&one).jwt(&curator.token).send().await;
            removed.expect_status(204);
            store.release();
        };
        let (answer, ()) = tokio::join!(patch(&app, &curator, &one, json!({ "img": RED })), remove);
        assert_eq!(answer.status, 404, "{path}");
        assert!(images(&app).await.is_empty(), "{path}");
    }
}

#[tokio::test]
async fn image_of_a_removed_account_or_suggestion_is_removed() {
    let (app, store) = app_with_held_puts("images/").await;
    let (curator, jane) = (app.person_as("curator", "curator").await, app.person("jane").await);
    let body = suggestion(&app, &jane).await;
    let remove = async {
        store.arrival().await;
        let listed = app.get("/suggested-sets/jwt").jwt(&curator.token).send().await;
        let id = listed.expect_status(200)["suggested"][0]["id"].clone();
        let path = format!("/suggested-sets/{}/jwt", id.as_str().unwrap());
        app.delete(&path).jwt(&curator.token).send().await.expect_status(204);
        store.release();
    };
    let (answer, ()) = tokio::join!(post(&app, &jane, "/curated-sets/suggest/jwt", &body), remove);
    assert_eq!(answer.expect_status(200)["ignored"], json!(["img"]));
    assert!(images(&app).await.is_empty());

    let remove = async {
        store.arrival().await;
        let removed = app.delete("/account/jwt").jwt(&jane.token).send().await;
        removed.expect_status(200);
        store.release();
    };
    let (answer, ()) = tokio::join!(patch(&app, &jane, "/account/jwt", json!({ "img": RED })), remove);
    assert_eq!(answer.expect_status(200)["ignored"], json!(["img"]));
    assert!(images(&app).await.is_empty());
}
