//! Tests of the images of records: uploads, and `GET /images/{id}`.

use std::sync::Arc;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bespoke_storage::{ETag, Fetched, Listed, MemoryStore, ObjectStore, PutCondition, StoreError};
use bespoke_tests::support::picture::{GLASS, RED};
use bespoke_tests::support::{Answer, App, Person};
use bytes::Bytes;
use serde_json::{Value, json};

const URL: &str = "http://localhost:3000";
const HOUR_MS: i64 = 60 * 60 * 1000;

async fn set(app: &App, person: &Person, body: &Value) -> Value {
    let made = app.post("/sets/jwt").jwt(&person.token).json(body).send().await;
    made.expect_status(201)
}

/// The content behind the `imageUrl` of a record.
async fn fetch_image(app: &App, record: &Value) -> Answer {
    let url = record["imageUrl"].as_str().expect("a URL");
    app.get(url.strip_prefix(URL).expect("a URL of this server"))
        .send()
        .await
}

#[tokio::test]
async fn private_image_requires_its_signed_link() {
    let app = App::new().await;
    let jane = app.person("jane").await;
    let made = set(&app, &jane, &json!({ "name": "Jane", "img": RED })).await;
    assert_eq!(made["ignored"], json!([]));
    let (one, own) = (&made["set"], format!("set-{}", made["set"]["id"]));
    assert_eq!((&one["img"], &one["image"]), (&json!(own), &json!(own)));
    let seen = fetch_image(&app, one).await;
    assert_eq!((seen.status, seen.header("content-type")), (200, "image/jpeg"));
    assert_eq!(seen.header("cache-control"), "private, max-age=300");
    assert!(seen.body.starts_with(b"\xff\xd8\xff"));

    let plain = format!("/images/{own}");
    app.get(&plain).send().await.expect_missing();
    app.get(&format!("{plain}?expires=99999999999&signature=AAAA"))
        .send()
        .await
        .expect_missing();
    app.get(&format!("{plain}?expires=x"))
        .send()
        .await
        .expect_error(400, "badRequest");
    let other = set(&app, &jane, &json!({ "name": "Other", "img": GLASS })).await["set"].clone();
    let query = one["imageUrl"].as_str().unwrap().split_once('?').unwrap().1;
    app.get(&format!("/images/set-{}?{query}", other["id"]))
        .send()
        .await
        .expect_missing();
    assert_eq!(fetch_image(&app, &other).await.header("content-type"), "image/png");
    app.clock.advance_ms(HOUR_MS);
    assert_eq!(fetch_image(&app, one).await.status, 200);
    app.clock.advance_ms(HOUR_MS);
    fetch_image(&app, one).await.expect_missing();
    let again = app
        .get(&format!("/sets/{}/jwt", one["id"]))
        .jwt(&jane.token)
        .send()
        .await;
    assert_eq!(
        fetch_image(&app, &again.json()["set"]).await.status,
        200,
        "a fresh link"
    );
}

#[tokio::test]
async fn public_set_shows_its_own_image_only() {
    // A restore can assign the id of a private set to another one, while the image stays under that id.
    let app = App::new().await;
    let jane = app.person("jane").await;
    let made = set(&app, &jane, &json!({ "name": "Jane", "img": RED })).await;
    let id = made["set"]["id"].as_i64().unwrap();
    let database = app.context().database();
    let write = database.write::<_, bespoke_web::Error>(database.fresh_commit_id(), move |db| {
        let now = bespoke_core::Timestamp::from_millis(0);
        Ok(bespoke_database::sets::set_image(db, id, "default-avatar", now)?)
    });
    write.await.unwrap();
    let publish = app.patch(&format!("/sets/{id}/jwt")).jwt(&jane.token);
    publish.json(&json!({ "public": true })).send().await.expect_status(200);
    app.get(&format!("/images/set-{id}")).send().await.expect_missing();
}

#[tokio::test]
async fn image_is_public_as_long_as_its_set() {
    let app = App::new().await;
    let jane = app.person("jane").await;
    let made = set(&app, &jane, &json!({ "name": "Jane", "public": true, "img": RED })).await["set"].clone();
    let plain = format!("/images/set-{}", made["id"]);
    assert_eq!(made["imageUrl"], format!("{URL}{plain}"));
    for path in [&plain, &plain.to_uppercase().replace("SET", "set")] {
        let seen = app.get(path).send().await;
        assert_eq!(
            (seen.status, seen.header("cache-control")),
            (200, "public, max-age=300")
        );
        assert_eq!(seen.header("x-content-type-options"), "nosniff");
    }
    let tag = app.get(&plain).send().await.header("etag").to_owned();
    assert_eq!(app.get(&plain).header("if-none-match", &tag).send().await.status, 304);
    let one = format!("/sets/{}/jwt", made["id"]);
    let patch = async |body: Value| {
        app.patch(&one)
            .jwt(&jane.token)
            .json(&body)
            .send()
            .await
            .expect_status(200)
    };
    patch(json!({ "public": false })).await;
    app.get(&plain).send().await.expect_missing();
    patch(json!({ "public": true })).await;
    assert_eq!(app.get(&plain).send().await.status, 200);
    let link = app.context().links().sign(&plain, app.context().now().plus_ms(HOUR_MS));
    app.delete(&one).jwt(&jane.token).send().await.expect_status(204);
    app.get(&plain).send().await.expect_missing();
    app.get(&link).send().await.expect_missing();
}

#[tokio::test]
async fn rejected_image_keeps_the_record_and_the_old_image() {
    // In the original, a failed image crashed the server or discarded the other changes of the request.
    let app = App::new().await;
    let jane = app.person("jane").await;
    let made = set(
        &app,
        &jane,
        &json!({ "name": "Jane", "public": true, "img": "no picture" }),
    )
    .await;
    assert_eq!(made["ignored"], json!(["img"]));
    assert_eq!(
        (&made["set"]["img"], &made["set"]["imageUrl"]),
        (&json!("default-avatar"), &json!(null))
    );
    let one = format!("/sets/{}/jwt", made["set"]["id"]);
    let patch = async |body: Value| {
        app.patch(&one)
            .jwt(&jane.token)
            .json(&body)
            .send()
            .await
            .expect_status(200)
    };
    let changed = patch(json!({ "img": GLASS })).await;
    assert_eq!(changed["ignored"], json!([]));
    let old = fetch_image(&app, &changed["set"]).await.body;
    for (index, bad) in [
        json!(""),
        json!(7),
        json!({ "a": 1 }),
        json!("data:image/png;base64,AAAA"),
        json!("https://127.0.0.1/a.png"),
        json!("http://example.com/a.png"),
    ]
    .into_iter()
    .enumerate()
    {
        let name = format!("Changed {index}");
        let changed = patch(json!({ "name": name, "img": bad })).await;
        assert_eq!(
            (&changed["ignored"], &changed["set"]["name"]),
            (&json!(["img"]), &json!(name))
        );
        assert_eq!(fetch_image(&app, &changed["set"]).await.body, old);
    }
    assert_eq!(patch(json!({ "img": null })).await["ignored"], json!([]));
    let changed = patch(json!({ "img": RED })).await;
    assert_ne!(fetch_image(&app, &changed["set"]).await.body, old);
}

/// A bucket that accepts everything but images.
struct WithoutImages(MemoryStore);

#[async_trait]
impl ObjectStore for WithoutImages {
    async fn get(&self, key: &str, if_none_match: Option<&ETag>) -> Result<Fetched, StoreError> {
        self.0.get(key, if_none_match).await
    }
    async fn get_range(&self, key: &str, offset: u64, length: u64) -> Result<Fetched, StoreError> {
        self.0.get_range(key, offset, length).await
    }
    async fn put(&self, key: &str, body: Bytes, condition: PutCondition) -> Result<ETag, StoreError> {
        if key.starts_with("images/") {
            return Err(StoreError::Unknown("no images today".into()));
        }
        self.0.put(key, body, condition).await
    }
    async fn delete(&self, key: &str) -> Result<(), StoreError> {
        self.0.delete(key).await
    }
    async fn list(&self, prefix: &str) -> Result<Vec<Listed>, StoreError> {
        self.0.list(prefix).await
    }
}

#[tokio::test]
async fn failing_image_store_keeps_the_record() {
    let bucket = MemoryStore::new();
    let app = App::over(Arc::new(WithoutImages(bucket.clone())), bucket, &[])
        .await
        .expect("a start");
    let jane = app.person("jane").await;
    let made = set(&app, &jane, &json!({ "name": "Jane", "img": RED })).await;
    assert_eq!(
        (&made["ignored"], &made["set"]["img"]),
        (&json!(["img"]), &json!("default-avatar"))
    );
    let one = format!("/sets/{}/jwt", made["set"]["id"]);
    let changed = app
        .patch(&one)
        .jwt(&jane.token)
        .json(&json!({ "notes": "new", "img": RED }))
        .send()
        .await;
    let changed = changed.expect_status(200);
    assert_eq!(
        (&changed["ignored"], &changed["set"]["notes"]),
        (&json!(["img"]), &json!("new"))
    );
}

#[tokio::test]
async fn default_image_exists_and_unknown_image_is_missing() {
    let app = App::new().await;
    let default = app.get("/images/default-avatar").send().await;
    assert_eq!((default.status, default.header("location")), (302, "/avatar.svg"));
    assert_eq!(app.get(default.header("location")).send().await.status, 200);
    let account = format!("uid-{}", "0".repeat(64));
    for id in [
        "set-1",
        "set-0",
        "pattern-1",
        "cset-1",
        "x",
        "..%2Fhead",
        "%00",
        &account,
        "sugset-1",
    ] {
        app.get(&format!("/images/{id}")).send().await.expect_missing();
    }
}

#[tokio::test]
async fn social_image_is_drawn_and_can_be_uploaded() {
    let app = App::new().await;
    let person = app.person("jane").await;
    let draw = async |body: Value| app.post("/img").jwt(&person.token).json(&body).send().await;
    let drawn = draw(json!({ "title": "A day out", "intro": "With a needle", "type": "blog" }))
        .await
        .expect_status(200);
    let uri = drawn["img"].as_str().unwrap();
    let png = STANDARD
        .decode(uri.strip_prefix("data:image/png;base64,").unwrap())
        .unwrap();
    // The header of a PNG contains its width and height.
    let size = |at: usize| u32::from_be_bytes(png[at..at + 4].try_into().unwrap());
    assert_eq!((size(16), size(20)), (1200, 630));
    let body = json!({ "type": "blog", "subId": 1, "slug": "a-day-out", "img": uri });
    app.post("/images/jwt")
        .jwt(&person.token)
        .json(&body)
        .send()
        .await
        .expect_status(200);
    for (body, code) in [
        (json!({}), "postBodyMissing"),
        (json!({ "title": " " }), "titleMissing"),
        (json!({ "intro": "x" }), "titleMissing"),
        (json!({ "title": 7 }), "titleInvalid"),
        (json!({ "title": "x".repeat(201) }), "titleInvalid"),
        (json!({ "title": "x", "intro": ["y"] }), "introInvalid"),
    ] {
        draw(body).await.expect_error(400, code);
    }
    let anonymous = app.post("/img").json(&json!({ "title": "x" })).send().await;
    anonymous.expect_error(401, "unauthorized");
}
