//! Tests of the routes below `/bookmarks`.

use bespoke_tests::support::App;
use serde_json::{Value, json};

#[tokio::test]
async fn bookmark_is_private_to_its_owner() {
    let app = App::new().await;
    let (jane, eve, admin) = (
        app.person("jane").await,
        app.person("eve").await,
        app.person_as("root", "admin").await,
    );
    for method in ["jwt", "key"] {
        let path = format!("/bookmarks/{method}");
        let body = json!({ "type": "set", "title": "My set", "url": "/sets/1" });
        let made = app
            .post(&path)
            .auth(&jane, method)
            .json(&body)
            .send()
            .await
            .expect_status(201);
        let bookmark = &made["bookmark"];
        let keys: Vec<_> = bookmark.as_object().unwrap().keys().collect();
        assert_eq!(keys, ["id", "type", "title", "url", "userId", "uuid", "userUuid"]);
        for field in ["type", "title", "url"] {
            assert_eq!(bookmark[field], body[field], "{field}");
        }
        for id in [
            bookmark["id"].to_string(),
            bookmark["uuid"].as_str().unwrap().to_owned(),
        ] {
            let one = format!("/bookmarks/{id}/{method}");
            let patch = async |body: Value| {
                let changed = app.patch(&one).auth(&jane, method).json(&body).send().await;
                changed.expect_status(200)
            };
            assert_eq!(patch(json!({ "title": "New" })).await["bookmark"]["title"], "New");
            assert_eq!(
                patch(json!({ "url": "https://freesewing.org/" })).await["bookmark"]["url"],
                "https://freesewing.org/"
            );
            let invalid = patch(json!({ "type": "doc", "title": "", "url": "javascript:alert(1)", "userId": 3 })).await;
            assert_eq!(invalid["ignored"], json!(["type", "title", "url", "userId"]));
            assert_eq!(
                (&invalid["bookmark"]["type"], &invalid["bookmark"]["title"]),
                (&json!("set"), &json!("New"))
            );
            let read = app.get(&one).auth(&jane, method).send().await.expect_status(200);
            assert_eq!(
                (&read["result"], &read["bookmark"]["title"]),
                (&json!("success"), &json!("New"))
            );
            for other in [&eve, &admin] {
                let denied = "insufficientAccessLevel";
                app.get(&one).auth(other, method).send().await.expect_error(403, denied);
                let change = app
                    .patch(&one)
                    .auth(other, method)
                    .json(&json!({ "title": "x" }))
                    .send()
                    .await;
                change.expect_error(403, denied);
                app.delete(&one)
                    .auth(other, method)
                    .send()
                    .await
                    .expect_error(403, denied);
            }
        }
        let list = app.get(&path).auth(&jane, method).send().await.expect_status(200);
        assert_eq!(list["bookmarks"].as_array().unwrap().len(), 1);
        let one = format!("/bookmarks/{}/{method}", bookmark["uuid"].as_str().unwrap());
        app.delete(&one).auth(&jane, method).send().await.expect_status(204);
        app.get(&one).auth(&jane, method).send().await.expect_missing();
    }
}

#[tokio::test]
async fn new_bookmark_requires_title_url_and_type() {
    let app = App::new().await;
    let jane = app.person("jane").await;
    let post = async |body: Value| app.post("/bookmarks/jwt").jwt(&jane.token).json(&body).send().await;
    for (body, code) in [
        // The original crashed on an empty body.
        (json!({}), "postBodyMissing"),
        (json!({ "url": "/x", "type": "doc" }), "titleMissing"),
        (json!({ "title": 7, "url": "/x", "type": "doc" }), "titleMissing"),
        (json!({ "title": "t", "type": "doc" }), "urlMissing"),
        (json!({ "title": "t", "url": "/x" }), "typeMissing"),
        (json!({ "title": "t", "url": "/x", "type": "page" }), "typeInvalid"),
        (json!({ "title": "t", "url": "/x", "type": ["doc"] }), "typeInvalid"),
        (
            json!({ "title": "t".repeat(1025), "url": "/x", "type": "doc" }),
            "titleTooLong",
        ),
        (
            json!({ "title": "t", "url": "x".repeat(4097), "type": "doc" }),
            "urlInvalid",
        ),
        // The original accepted script URLs.
        (
            json!({ "title": "t", "url": "JavaScript:alert(1)", "type": "doc" }),
            "urlInvalid",
        ),
    ] {
        post(body).await.expect_error(400, code);
    }
    let low = app.key(&jane, 2).await;
    let body = json!({ "title": "t", "url": "/x", "type": "doc" });
    app.post("/bookmarks/key")
        .key(&low)
        .json(&body)
        .send()
        .await
        .expect_error(403, "insufficientAccessLevel");
}

#[tokio::test]
async fn unknown_bookmark_is_missing() {
    // The original crashed on a missing record.
    let app = App::new().await;
    let jane = app.person("jane").await;
    for id in ["99", "x", "1.5", "6f9619ff-8b86-4011-b42d-00c04fc964ff"] {
        for method in ["jwt", "key"] {
            let one = format!("/bookmarks/{id}/{method}");
            app.get(&one).auth(&jane, method).send().await.expect_missing();
            app.patch(&one)
                .auth(&jane, method)
                .json(&json!({ "title": "x" }))
                .send()
                .await
                .expect_missing();
            app.delete(&one).auth(&jane, method).send().await.expect_missing();
        }
    }
}
