//! Tests of the routes below `/patterns`.

use bespoke_tests::support::picture::RED;
use bespoke_tests::support::{App, Person};
use serde_json::{Value, json};

async fn make(app: &App, person: &Person, method: &str, body: &Value) -> Value {
    let made = app
        .post(&format!("/patterns/{method}"))
        .auth(person, method)
        .json(body)
        .send()
        .await;
    made.expect_status(201)["pattern"].clone()
}

fn aaron() -> Value {
    json!({ "design": "aaron", "settings": { "sa": 5, "measurements": { "chest": 930.0, "tail": 3 } }, "name": "For Jane",
        "notes": "Notes", "public": true, "data": { "some": "value" }, "img": RED, "test": true })
}

#[tokio::test]
async fn pattern_is_created_read_changed_listed_and_deleted() {
    let app = App::new().await;
    let person = app.person("jane").await;
    for method in ["jwt", "key"] {
        let path = format!("/patterns/{method}");
        let made = app
            .post(&path)
            .auth(&person, method)
            .json(&aaron())
            .send()
            .await
            .expect_status(201);
        assert_eq!(
            (&made["result"], &made["ignored"]),
            (&json!("created"), &json!(["settings.measurements.tail"]))
        );
        let pattern = &made["pattern"];
        let keys: Vec<_> = pattern.as_object().unwrap().keys().collect();
        let expected = [
            "id",
            "createdAt",
            "data",
            "design",
            "img",
            "name",
            "notes",
            "public",
            "settings",
            "userId",
            "updatedAt",
            "uuid",
            "userUuid",
            "image",
            "imageUrl",
        ];
        assert_eq!(keys, expected);
        assert_eq!(
            (&pattern["userId"], &pattern["design"]),
            (&json!(person.id), &json!("aaron"))
        );
        assert_eq!(
            pattern["settings"].to_string(),
            r#"{"sa":5,"measurements":{"chest":930}}"#
        );
        assert_eq!(pattern["img"], format!("pattern-{}", pattern["id"]));
        let image = app.get(&format!("/images/pattern-{}", pattern["id"])).send().await;
        assert_eq!(image.status, 200);

        for id in [pattern["id"].to_string(), pattern["uuid"].as_str().unwrap().to_owned()] {
            let one = format!("/patterns/{id}/{method}");
            let patch = async |body: Value| {
                let changed = app.patch(&one).auth(&person, method).json(&body).send().await;
                changed.expect_status(200)
            };
            assert_eq!(patch(json!({ "name": "Changed" })).await["pattern"]["name"], "Changed");
            assert_eq!(patch(json!({ "notes": "" })).await["pattern"]["notes"], "");
            assert_eq!(patch(json!({ "public": true })).await["pattern"]["public"], true);
            let fixed = patch(json!({ "design": "simon", "userId": 7, "name": 3, "data": "text", "test": true })).await;
            assert_eq!(fixed["pattern"]["design"], "aaron");
            assert_eq!(fixed["ignored"], json!(["design", "userId", "name", "data"]));
            for data in [json!({ "nested": { "a": 1 } }), json!([1]), json!(null)] {
                assert_eq!(patch(json!({ "data": data })).await["pattern"]["data"], data);
            }
            let changed = patch(json!({ "settings": { "other": true, "measurements": { "neck": 360 } } })).await;
            assert_eq!(
                changed["pattern"]["settings"],
                json!({ "other": true, "measurements": { "neck": 360 } })
            );
            // In the original, `data` in lists was the text of an object.
            patch(json!({ "data": { "version": 3 } })).await;
            let read = app.get(&one).auth(&person, method).send().await.expect_status(200);
            assert_eq!(
                (&read["result"], &read["pattern"]["data"]),
                (&json!("success"), &json!({ "version": 3 }))
            );
            let list = app.get(&path).auth(&person, method).send().await.expect_status(200);
            assert_eq!(list["patterns"][0], read["pattern"]);
        }
        let one = format!("/patterns/{}/{method}", pattern["uuid"].as_str().unwrap());
        app.delete(&one).auth(&person, method).send().await.expect_status(204);
        app.get(&one).auth(&person, method).send().await.expect_missing();
        app.get(&format!("/images/pattern-{}", pattern["id"]))
            .send()
            .await
            .expect_missing();
    }
}

#[tokio::test]
async fn new_pattern_requires_settings_and_a_design() {
    let app = App::new().await;
    let person = app.person("jane").await;
    let post = async |body: Value| app.post("/patterns/jwt").jwt(&person.token).json(&body).send().await;
    for (body, code) in [
        (json!({}), "postBodyMissing"),
        (json!({ "design": "aaron" }), "postBodyMissing"),
        // The original crashed on null.
        (json!({ "design": "aaron", "settings": null }), "settingsNotAnObject"),
        (json!({ "design": "aaron", "settings": [1] }), "settingsNotAnObject"),
        (
            json!({ "design": "aaron", "settings": {}, "data": "x" }),
            "dataNotAnObject",
        ),
        (json!({ "name": "n", "settings": {} }), "designMissing"),
        (
            json!({ "design": "", "settings": {}, "data": { "x": 1 } }),
            "designMissing",
        ),
        (json!({ "design": 7, "settings": {} }), "designNotStringy"),
        (json!({ "design": "x".repeat(1025), "settings": {} }), "designTooLong"),
        (
            json!({ "design": "a", "settings": { "x": "x".repeat(256 * 1024) } }),
            "settingsTooLarge",
        ),
        (
            json!({ "design": "a", "settings": {}, "data": { "x": "x".repeat(256 * 1024) } }),
            "dataTooLarge",
        ),
    ] {
        post(body).await.expect_error(400, code);
    }
    let least = post(json!({ "settings": {}, "data": { "design": "Any Design" }, "img": { "a": 1 } })).await;
    let least = least.expect_status(201);
    assert_eq!(least["ignored"], json!(["img"]));
    let pattern = &least["pattern"];
    assert_eq!(
        (&pattern["design"], &pattern["name"], &pattern["notes"]),
        (&json!("Any Design"), &json!("--"), &json!("--"))
    );
    assert_eq!(pattern["settings"], json!({ "measurements": {} }));
    assert_eq!(
        (&pattern["public"], &pattern["img"]),
        (&json!(false), &json!("default-avatar"))
    );
    // Level 3 is enough for sets, but not for patterns.
    let key = app.key(&person, 3).await;
    app.post("/patterns/key")
        .key(&key)
        .json(&aaron())
        .send()
        .await
        .expect_error(403, "insufficientAccessLevel");
}

#[tokio::test]
async fn free_form_json_is_limited_in_values_and_depth() {
    let app = App::new().await;
    let person = app.person("jane").await;
    let nested = (0..40).fold(json!(1), |value, _| json!([value]));
    for value in [nested, json!(vec![1; 30_000])] {
        for (field, error) in [("settings", "settingsTooLarge"), ("data", "dataTooLarge")] {
            let mut body = aaron();
            body[field] = json!({ "value": value });
            let made = app.post("/patterns/jwt").jwt(&person.token).json(&body).send().await;
            made.expect_error(400, error);
        }
        let pattern = make(&app, &person, "jwt", &aaron()).await;
        let changes = json!({ "settings": { "value": value }, "data": { "value": value } });
        let path = format!("/patterns/{}/jwt", pattern["id"]);
        let changed = app.patch(&path).jwt(&person.token).json(&changes).send().await;
        let changed = changed.expect_status(200);
        assert_eq!(changed["ignored"], json!(["settings", "data"]));
        assert_eq!(changed["pattern"]["settings"], pattern["settings"]);
        let account = json!({ "data": { "value": value } });
        let changed = app.patch("/account/jwt").jwt(&person.token).json(&account).send().await;
        assert_eq!(changed.expect_status(200)["ignored"], json!(["data"]));
    }
}

#[tokio::test]
async fn foreign_patterns_are_refused() {
    let app = App::new().await;
    let (jane, eve) = (app.person("jane").await, app.person("eve").await);
    let (bughunter, support, admin) = (
        app.person_as("bug", "bughunter").await,
        app.person_as("help", "support").await,
        app.person_as("root", "admin").await,
    );
    for public in [false, true] {
        let body = json!({ "design": "aaron", "settings": {}, "public": public });
        let pattern = make(&app, &jane, "jwt", &body).await;
        let denied = "insufficientAccessLevel";
        for method in ["jwt", "key"] {
            let one = format!("/patterns/{}/{method}", pattern["id"]);
            app.get(&one).auth(&eve, method).send().await.expect_error(403, denied);
            let change = app
                .patch(&one)
                .auth(&eve, method)
                .json(&json!({ "name": "x" }))
                .send()
                .await;
            change.expect_error(403, denied);
            app.delete(&one)
                .auth(&eve, method)
                .send()
                .await
                .expect_error(403, denied);
            let clone = format!("/patterns/{}/clone/{method}", pattern["id"]);
            let cloned = app.post(&clone).auth(&eve, method).send().await;
            if public {
                let cloned = cloned.expect_status(200);
                assert_eq!(
                    (&cloned["result"], &cloned["pattern"]["userId"]),
                    (&json!("success"), &json!(eve.id))
                );
            } else {
                cloned.expect_error(403, denied);
            }
        }
        let one = format!("/patterns/{}/jwt", pattern["uuid"].as_str().unwrap());
        app.get(&one).jwt(&bughunter.token).send().await.expect_status(200);
        app.post(&format!("/patterns/{}/clone/jwt", pattern["id"]))
            .jwt(&support.token)
            .send()
            .await
            .expect_status(200);
        let change = async |person: &Person| {
            app.patch(&one)
                .jwt(&person.token)
                .json(&json!({ "name": "theirs" }))
                .send()
                .await
        };
        change(&support).await.expect_error(403, denied);
        assert_eq!(
            change(&admin).await.expect_status(200)["pattern"]["userId"],
            json!(jane.id)
        );
        app.delete(&one).jwt(&admin.token).send().await.expect_status(204);
    }
}

#[tokio::test]
async fn clone_is_private() {
    // In the original, a copy belonged to the owner of the source.
    let app = App::new().await;
    let (jane, eve) = (app.person("jane").await, app.person("eve").await);
    let source = make(&app, &jane, "jwt", &aaron()).await;
    app.clock.advance_ms(1000);
    let path = format!("/patterns/{}/clone/key", source["uuid"].as_str().unwrap());
    let clone = app.post(&path).key(&eve.key).send().await.expect_status(200)["pattern"].clone();
    assert_eq!(clone["name"], format!("For Jane (cloned from #{})", source["id"]));
    assert_eq!(
        (&clone["data"], &clone["settings"]),
        (&source["data"], &source["settings"])
    );
    assert_eq!(
        (&clone["public"], &clone["img"]),
        (&json!(false), &json!("default-avatar"))
    );
    assert_ne!(clone["createdAt"], source["createdAt"]);
    let mine = app.get("/patterns/jwt").jwt(&eve.token).send().await.expect_status(200);
    assert_eq!(mine["patterns"][0]["id"], clone["id"]);
}

#[tokio::test]
async fn unknown_pattern_is_missing() {
    // The original crashed on each of these.
    let app = App::new().await;
    let person = app.person("jane").await;
    for id in [
        "99",
        "x",
        "12abc",
        "0",
        "-1",
        "6f9619ff-8b86-4011-b42d-00c04fc964ff",
        "%F0%9F%90%80",
    ] {
        let is_id = id.bytes().all(|byte| byte.is_ascii_digit()) || id.len() == 36;
        for method in ["jwt", "key"] {
            let one = format!("/patterns/{id}/{method}");
            let read = app.get(&one).auth(&person, method).send().await;
            if is_id {
                read.expect_missing();
            } else {
                read.expect_error(403, "idNotNumeric");
            }
            app.patch(&one)
                .auth(&person, method)
                .json(&json!({ "name": "x" }))
                .send()
                .await
                .expect_missing();
            app.delete(&one).auth(&person, method).send().await.expect_missing();
            let clone = format!("/patterns/{id}/clone/{method}");
            app.post(&clone).auth(&person, method).send().await.expect_missing();
        }
        app.get(&format!("/patterns/{id}.json")).send().await.expect_missing();
        let yaml = app.get(&format!("/patterns/{id}.yaml")).send().await;
        assert_eq!((yaml.status, yaml.text().as_str()), (404, "null\n"));
    }
}

#[tokio::test]
async fn public_pattern_hides_its_owner() {
    let app = App::new().await;
    let person = app.person("jane").await;
    let pattern = make(&app, &person, "jwt", &aaron()).await;
    for id in [pattern["id"].to_string(), pattern["uuid"].as_str().unwrap().to_owned()] {
        let document = app.get(&format!("/patterns/{id}.json")).send().await.expect_status(200);
        let keys: Vec<_> = document.as_object().unwrap().keys().collect();
        let expected = [
            "result",
            "provider",
            "type",
            "id",
            "createdAt",
            "data",
            "design",
            "img",
            "name",
            "notes",
            "settings",
            "updatedAt",
            "uuid",
            "image",
            "imageUrl",
        ];
        assert_eq!(keys, expected);
        assert_eq!(
            (&document["provider"], &document["type"]),
            (&json!("FreeSewing.org"), &json!("pattern"))
        );
        let yaml = app.get(&format!("/patterns/{id}.yaml")).send().await;
        assert_eq!(yaml.header("content-type"), "text/yaml; charset=utf-8");
        assert!(
            yaml.text().contains("  measurements:\n    chest: 930\n"),
            "{}",
            yaml.text()
        );
    }
    let hide = app
        .patch(&format!("/patterns/{}/jwt", pattern["id"]))
        .jwt(&person.token);
    hide.json(&json!({ "public": false })).send().await.expect_status(200);
    app.get(&format!("/patterns/{}.json", pattern["id"]))
        .send()
        .await
        .expect_missing();
}
