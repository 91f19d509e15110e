//! Tests of the routes below `/sets`.

use bespoke_tests::support::{App, Person};
use serde_json::{Value, json};

async fn make(app: &App, person: &Person, method: &str, body: &Value) -> Value {
    let path = format!("/sets/{method}");
    app.post(&path)
        .auth(person, method)
        .json(body)
        .send()
        .await
        .expect_status(201)["set"]
        .clone()
}

#[tokio::test]
async fn set_is_created_read_changed_listed_and_deleted() {
    let app = App::new().await;
    let person = app.person("jane").await;
    for method in ["jwt", "key"] {
        let body = json!({ "name": "Me 🧍", "notes": "Some notes", "measies": { "chest": 930.0, "neck": 360.5 },
            "public": true, "imperial": true, "test": true });
        let path = format!("/sets/{method}");
        let made = app.post(&path).auth(&person, method).json(&body).send().await;
        let made = made.expect_status(201);
        assert_eq!((&made["result"], &made["ignored"]), (&json!("created"), &json!([])));
        let set = &made["set"];
        let keys: Vec<_> = set.as_object().unwrap().keys().collect();
        let expected = [
            "id",
            "createdAt",
            "img",
            "imperial",
            "name",
            "notes",
            "userId",
            "measies",
            "public",
            "updatedAt",
            "uuid",
            "userUuid",
            "image",
            "imageUrl",
        ];
        assert_eq!(keys, expected);
        assert_eq!(set["measies"].to_string(), r#"{"chest":930,"neck":360.5}"#);
        assert_eq!(
            (&set["userId"], &set["userUuid"]),
            (&json!(person.id), &json!(person.uuid))
        );
        for field in ["name", "notes", "public", "imperial"] {
            assert_eq!(set[field], body[field], "{field}");
        }

        for id in [set["id"].to_string(), set["uuid"].as_str().unwrap().to_owned()] {
            let one = format!("/sets/{id}/{method}");
            let patch = async |body: Value| {
                app.patch(&one)
                    .auth(&person, method)
                    .json(&body)
                    .send()
                    .await
                    .expect_status(200)["set"]
                    .clone()
            };
            assert_eq!(patch(json!({ "name": "Changed" })).await["name"], "Changed");
            assert_eq!(patch(json!({ "notes": "" })).await["notes"], "");
            assert_eq!(
                patch(json!({ "imperial": false, "public": false })).await["imperial"],
                false
            );
            let changed = patch(json!({ "measies": { "ankle": 200, "neck": 361, "tail": 3 } })).await;
            assert_eq!(
                changed["measies"].to_string(),
                r#"{"chest":930,"neck":361,"ankle":200}"#
            );
            assert_eq!(
                patch(json!({ "measies": { "ankle": null } })).await["measies"],
                json!({ "chest": 930, "neck": 361 })
            );
            assert_eq!(
                patch(json!({ "measies": null })).await["measies"],
                json!({ "chest": 930, "neck": 361 })
            );
            let read = app.get(&one).auth(&person, method).send().await.expect_status(200);
            assert_eq!(
                (&read["result"], &read["set"]["measies"]),
                (&json!("success"), &json!({ "chest": 930, "neck": 361 }))
            );
        }
        let list = app.get(&path).auth(&person, method).send().await.expect_status(200);
        assert_eq!(list["sets"].as_array().unwrap().len(), 1);
        assert_eq!(list["sets"][0]["id"], set["id"]);
        let one = format!("/sets/{}/{method}", set["uuid"].as_str().unwrap());
        app.delete(&one).auth(&person, method).send().await.expect_status(204);
        app.get(&one).auth(&person, method).send().await.expect_missing();
    }
}

#[tokio::test]
async fn new_set_requires_a_name_and_ignores_invalid_fields() {
    let app = App::new().await;
    let person = app.person("jane").await;
    let post = async |body: Value| app.post("/sets/jwt").jwt(&person.token).json(&body).send().await;
    post(json!({})).await.expect_error(400, "postBodyMissing");
    for name in [json!(null), json!(""), json!(7), json!(["x"])] {
        post(json!({ "name": name, "notes": "n" }))
            .await
            .expect_error(400, "nameMissing");
    }
    post(json!({ "name": "n".repeat(1025) }))
        .await
        .expect_error(400, "nameTooLong");
    let long = post(json!({ "name": "n", "notes": "x".repeat(64 * 1024 + 1) }))
        .await
        .expect_status(201);
    assert_eq!(
        (&long["ignored"], &long["set"]["notes"]),
        (&json!(["notes"]), &json!("--"))
    );
    // The original crashed on `measies: null`.
    let invalid =
        json!({ "name": "n", "measies": null, "notes": 5, "public": "true", "imperial": 1, "img": { "a": 1 } });
    let made = post(invalid).await.expect_status(201);
    assert_eq!(made["ignored"], json!(["notes", "public", "imperial", "img"]));
    let set = &made["set"];
    assert_eq!(
        (&set["notes"], &set["measies"], &set["img"]),
        (&json!("--"), &json!({}), &json!("default-avatar"))
    );
    assert_eq!((&set["public"], &set["imperial"]), (&json!(false), &json!(false)));
}

#[tokio::test]
async fn foreign_sets_are_refused() {
    let app = App::new().await;
    let (jane, eve) = (app.person("jane").await, app.person("eve").await);
    let (bughunter, support, admin) = (
        app.person_as("bug", "bughunter").await,
        app.person_as("help", "support").await,
        app.person_as("root", "admin").await,
    );
    for public in [false, true] {
        let set = make(&app, &jane, "jwt", &json!({ "name": "Jane", "public": public })).await;
        for method in ["jwt", "key"] {
            let one = format!("/sets/{}/{method}", set["id"]);
            let clone = format!("/sets/{}/clone/{method}", set["id"]);
            let denied = "insufficientAccessLevel";
            app.get(&one).auth(&eve, method).send().await.expect_error(403, denied);
            app.patch(&one)
                .auth(&eve, method)
                .json(&json!({ "name": "x" }))
                .send()
                .await
                .expect_error(403, denied);
            app.delete(&one)
                .auth(&eve, method)
                .send()
                .await
                .expect_error(403, denied);
            let cloned = app.post(&clone).auth(&eve, method).send().await;
            if public {
                cloned.expect_status(201);
            } else {
                cloned.expect_error(403, denied);
            }
        }
        let one = format!("/sets/{}/jwt", set["uuid"].as_str().unwrap());
        let clone = format!("/sets/{}/clone/jwt", set["id"]);
        app.get(&one).jwt(&bughunter.token).send().await.expect_status(200);
        app.patch(&one)
            .jwt(&support.token)
            .json(&json!({ "name": "x" }))
            .send()
            .await
            .expect_error(403, "insufficientAccessLevel");
        app.post(&clone).jwt(&support.token).send().await.expect_status(201);
        app.patch(&one)
            .jwt(&admin.token)
            .json(&json!({ "name": "by admin" }))
            .send()
            .await
            .expect_status(200);
        let owner = app.get(&one).jwt(&jane.token).send().await.expect_status(200)["set"].clone();
        assert_eq!(
            (&owner["name"], &owner["userId"]),
            (&json!("by admin"), &json!(jane.id))
        );
        app.delete(&one).jwt(&admin.token).send().await.expect_status(204);
    }
}

#[tokio::test]
async fn clone_belongs_to_its_creator() {
    // In the original, the copy belonged to the owner of the source, and the response was ciphertext.
    let app = App::new().await;
    let (jane, eve) = (app.person("jane").await, app.person("eve").await);
    let body =
        json!({ "name": "Jane", "notes": "tall", "measies": { "chest": 930 }, "public": true, "imperial": true });
    let source = make(&app, &jane, "jwt", &body).await;
    app.clock.advance_ms(1000);
    let clone = app
        .post(&format!("/sets/{}/clone/key", source["id"]))
        .key(&eve.key)
        .send()
        .await
        .expect_status(201);
    assert_eq!(clone["result"], "created");
    let clone = &clone["set"];
    assert_eq!(clone["name"], format!("Jane (cloned from #{})", source["id"]));
    assert!(clone["notes"].as_str().unwrap().starts_with("tall ("));
    assert_eq!(
        (&clone["userId"], &clone["measies"]),
        (&json!(eve.id), &source["measies"])
    );
    assert_eq!((&clone["public"], &clone["imperial"]), (&json!(false), &json!(true)));
    assert_ne!(clone["createdAt"], source["createdAt"]);
    assert_eq!(
        app.get("/sets/jwt").jwt(&jane.token).send().await.json()["sets"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    assert_eq!(
        app.get("/sets/jwt").jwt(&eve.token).send().await.json()["sets"][0]["id"],
        clone["id"]
    );
}

#[tokio::test]
async fn unknown_set_is_missing() {
    // The original crashed on each of these.
    let app = App::new().await;
    let person = app.person("jane").await;
    for id in [
        "99",
        "x",
        "12abc",
        "0",
        "-1",
        "99999999999999999999",
        "6f9619ff-8b86-4011-b42d-00c04fc964ff",
        "%F0%9F%90%80",
    ] {
        for method in ["jwt", "key"] {
            let one = format!("/sets/{id}/{method}");
            app.get(&one).auth(&person, method).send().await.expect_missing();
            app.patch(&one)
                .auth(&person, method)
                .json(&json!({ "name": "x" }))
                .send()
                .await
                .expect_missing();
            app.delete(&one).auth(&person, method).send().await.expect_missing();
            app.post(&format!("/sets/{id}/clone/{method}"))
                .auth(&person, method)
                .send()
                .await
                .expect_missing();
        }
        app.get(&format!("/sets/{id}.json")).send().await.expect_missing();
        let yaml = app.get(&format!("/sets/{id}.yaml")).send().await;
        assert_eq!((yaml.status, yaml.text().as_str()), (404, "null\n"));
        assert_eq!(yaml.header("content-type"), "text/yaml; charset=utf-8");
    }
}

#[tokio::test]
async fn only_public_sets_are_documents() {
    let app = App::new().await;
    let person = app.person("jane").await;
    let body =
        json!({ "name": "Jane: a set", "notes": "", "measies": { "chest": 930, "neck": 360.5 }, "public": true });
    let set = make(&app, &person, "jwt", &body).await;
    for id in [set["id"].to_string(), set["uuid"].as_str().unwrap().to_uppercase()] {
        let json = app.get(&format!("/sets/{id}.json")).send().await;
        let document = json.expect_status(200);
        let keys: Vec<_> = document.as_object().unwrap().keys().collect();
        let expected = [
            "result",
            "author",
            "type",
            "about",
            "id",
            "createdAt",
            "img",
            "name",
            "notes",
            "updatedAt",
            "uuid",
            "image",
            "measurements",
            "units",
        ];
        assert_eq!(keys, expected);
        assert_eq!(document["measurements"], json!({ "chest": 930, "neck": 360.5 }));
        assert_eq!(
            (&document["type"], &document["units"]),
            (&json!("measurementsSet"), &json!("metric"))
        );

        let yaml = app.get(&format!("/SETS/{id}.YAML")).send().await;
        assert_eq!(yaml.header("content-type"), "text/yaml; charset=utf-8");
        let text = yaml.text();
        for line in [
            "result: success",
            "createdAt: \"2026-01-01T00:00:00.000Z\"",
            "name: \"Jane: a set\"",
            "notes: \"\"",
            "measurements:",
            "  chest: 930",
            "  neck: 360.5",
            "units: metric",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} in\n{text}");
        }
    }
    let hide = json!({ "public": false });
    app.patch(&format!("/sets/{}/jwt", set["id"]))
        .jwt(&person.token)
        .json(&hide)
        .send()
        .await
        .expect_status(200);
    app.get(&format!("/sets/{}.json", set["id"]))
        .send()
        .await
        .expect_missing();
    assert_eq!(app.get(&format!("/sets/{}.yaml", set["id"])).send().await.status, 404);
}

#[tokio::test]
async fn stored_content_is_encrypted() {
    let bucket = bespoke_storage::MemoryStore::new();
    let app = App::on(bucket.clone(), &[]).await;
    let person = app.person("jane").await;
    make(
        &app,
        &person,
        "jwt",
        &json!({ "name": "NeedleInHaystack", "notes": "NeedleInNotes", "measies": { "chest": 987.125 } }),
    )
    .await;
    let needles = [
        "NeedleInHaystack",
        "NeedleInNotes",
        "987.125",
        "crossSeam",
        "jane@freesewing.dev",
        &person.key.secret,
    ];
    let rows = dump(bucket).await;
    assert!(rows.contains("sets"), "the dump has the tables");
    for needle in needles {
        assert!(!rows.contains(needle), "{needle} is readable in the database");
    }
}

/// Every table, column and value in the database file.
async fn dump(bucket: bespoke_storage::MemoryStore) -> String {
    use bespoke_storage::rusqlite::types::ValueRef;
    use bespoke_storage::{Engine, Freshness, Options};
    let folder = tempfile::tempdir().unwrap();
    let options = Options::new(folder.path(), bespoke_database::MIGRATIONS);
    let engine = Engine::open(std::sync::Arc::new(bucket), options).await.unwrap();
    let dump = engine.read::<String, bespoke_storage::Error>(Freshness::Strict, |connection| {
        let mut text = String::new();
        // Curated sets are public, not measurements of a person.
        let mut tables =
            connection.prepare("SELECT name FROM sqlite_master WHERE type = 'table' AND name <> 'curated_sets'")?;
        let names: Vec<String> = tables.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
        for name in names {
            let mut statement = connection.prepare(&format!("SELECT * FROM \"{name}\""))?;
            let columns = statement.column_count();
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                text.push_str(&name);
                for column in 0..columns {
                    match row.get_ref(column)? {
                        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => text.push_str(&String::from_utf8_lossy(bytes)),
                        other => text.push_str(&format!("{other:?}")),
                    }
                }
            }
        }
        Ok(text)
    });
    dump.await.unwrap().value
}

#[tokio::test]
async fn set_is_visible_in_other_processes_immediately() {
    let app = App::new().await;
    let other = app.another().await;
    let person = app.person("jane").await;
    let set = make(&app, &person, "jwt", &json!({ "name": "Jane" })).await;
    let one = format!("/sets/{}/jwt", set["id"]);
    other.get(&one).jwt(&person.token).send().await.expect_status(200);
    other
        .patch(&one)
        .jwt(&person.token)
        .json(&json!({ "name": "Changed" }))
        .send()
        .await
        .expect_status(200);
    assert_eq!(
        app.get(&one).jwt(&person.token).send().await.expect_status(200)["set"]["name"],
        "Changed"
    );
}

#[tokio::test]
async fn no_value_of_units_empties_a_set() {
    let app = App::new().await;
    let person = app.person("jane").await;
    let measies = json!({ "chest": 930, "shoulderSlope": 13 });
    for (units, stored, imperial) in [
        ("metric", json!(930), false),
        ("imperial", json!(930), true),
        ("mm", json!(930), false),
        ("cm", json!(9300), false),
        ("in", json!(23622), false),
    ] {
        let body = json!({ "name": "a", "units": units, "measies": measies });
        let set = make(&app, &person, "key", &body).await;
        let expected = json!({ "chest": stored, "shoulderSlope": 13 });
        assert_eq!(
            (&set["measies"], &set["imperial"]),
            (&expected, &json!(imperial)),
            "{units}"
        );
        let path = format!("/sets/{}/key", set["id"]);
        let change = app
            .patch(&path)
            .key(&person.key)
            .json(&body)
            .send()
            .await
            .expect_status(200);
        assert_eq!(
            (&change["set"]["measies"], &change["ignored"]),
            (&expected, &json!([])),
            "{units}"
        );
        for unknown in [json!("ell"), json!(""), json!(7), json!(["in"])] {
            let body = json!({ "name": "b", "units": unknown, "measies": { "chest": 1 } });
            let reason = "is not mm, cm, in, metric or imperial";
            let update = app.patch(&path).key(&person.key).json(&body).send().await;
            update.expect_invalid("unitsInvalid", "units", reason);
            let post = app.post("/sets/key").key(&person.key).json(&body).send().await;
            post.expect_invalid("unitsInvalid", "units", reason);
        }
        let read = app.get(&path).key(&person.key).send().await.expect_status(200);
        assert_eq!(
            (&read["set"]["name"], &read["set"]["measies"]),
            (&json!("a"), &expected)
        );
    }
}

#[tokio::test]
async fn public_document_sent_back_keeps_its_measurements() {
    let app = App::new().await;
    let person = app.person("jane").await;
    let body = json!({ "name": "Jane", "imperial": true, "public": true, "measies": { "chest": 930, "neck": 360.5 } });
    let set = make(&app, &person, "jwt", &body).await;
    let document = app
        .get(&format!("/sets/{}.json", set["id"]))
        .send()
        .await
        .expect_status(200);
    let copy = make(&app, &person, "key", &document).await;
    assert_eq!((&copy["measies"], &copy["imperial"]), (&set["measies"], &json!(true)));
    let path = format!("/sets/{}/key", copy["id"]);
    let change = app
        .patch(&path)
        .key(&person.key)
        .json(&document)
        .send()
        .await
        .expect_status(200);
    assert_eq!(change["set"]["measies"], set["measies"]);
}
