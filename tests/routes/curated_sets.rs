//! Tests of the routes below `/curated-sets`.

use bespoke_tests::support::picture::RED;
use bespoke_tests::support::{App, Person};
use serde_json::{Value, json};

const SUFFIXES: [&str; 6] = ["De", "En", "Es", "Fr", "Nl", "Uk"];

/// A complete curated set, as a curator sends it.
fn complete_set() -> Value {
    let mut body = json!({ "tags": ["a", "b"], "measies": { "chest": 930.0, "neck": 360, "tail": 1 }, "height": "166.5",
        "info": "among us", "published": true, "test": true });
    for suffix in SUFFIXES {
        body[format!("name{suffix}")] = format!("Name {suffix}").into();
        body[format!("notes{suffix}")] = format!("Notes {suffix}").into();
    }
    body
}

async fn make(app: &App, curator: &Person) -> Value {
    let made = app
        .post("/curated-sets/jwt")
        .jwt(&curator.token)
        .json(&complete_set())
        .send()
        .await;
    made.expect_status(201)["curatedSet"].clone()
}

/// A curator with a key of level 5.
async fn curator(app: &App) -> Person {
    let mut curator = app.person_as("curator", "curator").await;
    curator.key = app.key(&curator, 5).await;
    curator
}

#[tokio::test]
async fn new_installation_has_the_adult_models() {
    let app = App::new().await;
    let list = app.get("/curated-sets").send().await.expect_status(200);
    let sets = list["curatedSets"].as_array().unwrap();
    assert_eq!(sets.len(), 20);
    assert!(
        sets.iter()
            .all(|set| set["published"] == true && set["measies"].as_object().unwrap().len() == 38)
    );
    let heights: Vec<_> = sets.iter().map(|set| set["height"].as_i64().unwrap()).collect();
    assert!(heights.is_sorted(), "{heights:?}");
    // Many pages link to this URL.
    let first = app.get("/curated-sets/1.json").send().await.expect_status(200);
    assert_eq!(
        (&first["measurements"]["chest"], &first["nameEn"]),
        (&json!(762), &json!("Woman, size 28"))
    );
    assert_eq!(
        app.get("/curated-sets/20.json").send().await.json()["measurements"]["chest"],
        1316
    );
    app.get("/curated-sets/21").send().await.expect_missing();
    // A deleted set is not seeded again.
    let curator = curator(&app).await;
    app.delete("/curated-sets/7/jwt")
        .jwt(&curator.token)
        .send()
        .await
        .expect_status(204);
    let other = app.another().await;
    other.get("/curated-sets/7").send().await.expect_missing();
}

#[tokio::test]
async fn curators_create_change_and_delete_curated_sets() {
    let app = App::new().await;
    let curator = curator(&app).await;
    for method in ["jwt", "key"] {
        let path = format!("/curated-sets/{method}");
        let body = complete_set();
        let made = app
            .post(&path)
            .auth(&curator, method)
            .json(&body)
            .send()
            .await
            .expect_status(201);
        assert_eq!(
            (&made["result"], &made["ignored"]),
            (&json!("created"), &json!(["measies.tail"]))
        );
        let set = &made["curatedSet"];
        let keys: Vec<_> = set.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(keys[..5], ["id", "createdAt", "height", "nameDe", "nameEn"]);
        assert_eq!(keys[15..], ["tags", "measies", "updatedAt", "published", "uuid"]);
        for suffix in SUFFIXES {
            for stem in ["name", "notes"] {
                let field = format!("{stem}{suffix}");
                assert_eq!(set[&field], body[&field], "{field}");
            }
        }
        assert_eq!((&set["tags"], &set["height"]), (&body["tags"], &json!(166)));
        assert_eq!(
            (&set["published"], &set["measies"]),
            (&json!(false), &json!({ "chest": 930, "neck": 360 }))
        );
        for id in [set["id"].to_string(), set["uuid"].as_str().unwrap().to_owned()] {
            let one = format!("/curated-sets/{id}/{method}");
            let patch = async |body: Value| {
                let changed = app.patch(&one).auth(&curator, method).json(&body).send().await;
                changed.expect_status(200)
            };
            for suffix in SUFFIXES {
                for stem in ["name", "notes"] {
                    let field = format!("{stem}{suffix}");
                    let value = format!("{field} {id}");
                    assert_eq!(patch(json!({ &field: value })).await["curatedSet"][&field], value);
                }
            }
            for (name, value) in [("chest", 940), ("neck", 370), ("ankle", 200)] {
                assert_eq!(
                    patch(json!({ "measies": { name: value } })).await["curatedSet"]["measies"][name],
                    value
                );
            }
            let invalid = patch(json!({ "measies": { "ankle": 210, "potato": 12 } })).await;
            assert_eq!(
                (&invalid["ignored"], &invalid["curatedSet"]["measies"]["ankle"]),
                (&json!(["measies.potato"]), &json!(210))
            );
            let removed = patch(json!({ "measies": { "chest": null } })).await;
            assert!(removed["curatedSet"]["measies"].get("chest").is_none());
            // In the original, tags could not be changed.
            assert_eq!(
                patch(json!({ "tags": ["c"] })).await["curatedSet"]["tags"],
                json!(["c"])
            );
            assert_eq!(
                patch(json!({ "published": true, "height": 170 })).await["curatedSet"]["published"],
                true
            );
            let invalid =
                patch(json!({ "nameDe": "", "height": "tall", "tags": [1], "info": 3, "published": "yes", "id": 1 }))
                    .await;
            assert_eq!(
                invalid["ignored"],
                json!(["nameDe", "height", "tags", "info", "published", "id"])
            );
        }
        let one = format!("/curated-sets/{}/{method}", set["id"]);
        app.delete(&one).auth(&curator, method).send().await.expect_status(204);
        app.get(&format!("/curated-sets/{}", set["id"]))
            .send()
            .await
            .expect_missing();
    }
}

#[tokio::test]
async fn new_curated_set_requires_an_english_name_only() {
    let app = App::new().await;
    let curator = curator(&app).await;
    let post = async |body: Value| {
        app.post("/curated-sets/jwt")
            .jwt(&curator.token)
            .json(&body)
            .send()
            .await
    };
    post(json!({})).await.expect_error(400, "postBodyMissing");
    for name in [json!(null), json!(""), json!(7)] {
        post(json!({ "nameEn": name, "nameDe": "x" }))
            .await
            .expect_error(400, "nameEnMissing");
    }
    // The original crashed on each of these.
    post(json!({ "nameEn": "x", "height": "166cm" }))
        .await
        .expect_error(400, "heightInvalid");
    post(json!({ "nameEn": "x", "info": { "a": 1 } }))
        .await
        .expect_error(400, "infoInvalid");
    // It crashed on a set without an image too.
    let least = post(json!({ "nameEn": "x", "measies": null, "tags": "no" }))
        .await
        .expect_status(201);
    assert_eq!(least["ignored"], json!(["tags"]));
    let set = &least["curatedSet"];
    assert_eq!(
        (&set["height"], &set["tags"], &set["measies"]),
        (&json!(1), &json!([]), &json!({}))
    );
    // It crashed on a second image too.
    let one = format!("/curated-sets/{}/jwt", set["id"]);
    for _ in 0..2 {
        let changed = app
            .patch(&one)
            .jwt(&curator.token)
            .json(&json!({ "img": RED }))
            .send()
            .await;
        assert_eq!(changed.expect_status(200)["ignored"], json!([]));
    }
    assert_eq!(app.get(&format!("/images/cset-{}", set["id"])).send().await.status, 200);
    app.delete(&one).jwt(&curator.token).send().await.expect_status(204);
    app.get(&format!("/images/cset-{}", set["id"]))
        .send()
        .await
        .expect_missing();
}

#[tokio::test]
async fn curated_sets_are_public_in_each_format() {
    let app = App::new().await;
    let curator = curator(&app).await;
    let set = make(&app, &curator).await;
    for id in [set["id"].to_string(), set["uuid"].as_str().unwrap().to_owned()] {
        let read = app.get(&format!("/curated-sets/{id}")).send().await.expect_status(200);
        assert_eq!((&read["result"], &read["curatedSet"]), (&json!("success"), &set));
        let document = app
            .get(&format!("/curated-sets/{id}.json"))
            .send()
            .await
            .expect_status(200);
        let keys: Vec<_> = document.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(
            (&keys[..4], keys.last()),
            (&["author", "type", "about", "id"][..], Some(&"measurements"))
        );
        assert!(
            document.get("measies").is_none() && document.get("result").is_none() && document.get("info").is_none()
        );
        assert_eq!(document["type"], "curatedMeasurementsSet");
        let yaml = app.get(&format!("/curated-sets/{id}.yaml")).send().await;
        assert_eq!(
            (yaml.status, yaml.header("content-type")),
            (200, "text/yaml; charset=utf-8")
        );
        assert!(
            yaml.text().contains("\nmeasurements:\n  chest: 930\n"),
            "{}",
            yaml.text()
        );
    }
    let list = app.get("/curated-sets").send().await.expect_status(200);
    assert_eq!(
        list["curatedSets"][20], set,
        "the tallest is the last, published or not"
    );
    let bare = app.get("/curated-sets.json").send().await.expect_status(200);
    assert_eq!(bare, list["curatedSets"]);
    let yaml = app.get("/curated-sets.yaml").send().await;
    assert_eq!(yaml.status, 200);
    assert!(yaml.text().starts_with("- id: 1\n"), "{}", &yaml.text()[..40]);
}

#[tokio::test]
async fn unknown_curated_set_is_missing() {
    // The original crashed on unknown ids.
    let app = App::new().await;
    let curator = curator(&app).await;
    for id in ["99", "x", "12abc", "0", "6f9619ff-8b86-4011-b42d-00c04fc964ff"] {
        app.get(&format!("/curated-sets/{id}")).send().await.expect_missing();
        app.get(&format!("/curated-sets/{id}.json"))
            .send()
            .await
            .expect_missing();
        assert_eq!(
            app.get(&format!("/curated-sets/{id}.yaml")).send().await.text(),
            "null\n"
        );
        for method in ["jwt", "key"] {
            let one = format!("/curated-sets/{id}/{method}");
            app.patch(&one)
                .auth(&curator, method)
                .json(&json!({ "nameEn": "x" }))
                .send()
                .await
                .expect_missing();
            app.delete(&one).auth(&curator, method).send().await.expect_missing();
            let clone = app
                .post(&format!("/curated-sets/{id}/clone/{method}"))
                .auth(&curator, method);
            clone.json(&json!({ "language": "en" })).send().await.expect_missing();
            let from = format!("/curated-sets/from/{id}/{method}");
            app.post(&from).auth(&curator, method).send().await.expect_missing();
            let suggestion = format!("/suggested-sets/{id}/{method}");
            app.delete(&suggestion)
                .auth(&curator, method)
                .send()
                .await
                .expect_missing();
        }
    }
    for method in ["jwt", "key"] {
        app.get(&format!("/curated-sets/{method}"))
            .send()
            .await
            .expect_error(405, "methodNotAllowed");
    }
}

#[tokio::test]
async fn curated_set_is_copied_into_a_private_set() {
    let app = App::new().await;
    let (curator, jane) = (curator(&app).await, app.person("jane").await);
    let set = make(&app, &curator).await;
    for (method, language) in [("jwt", "fr"), ("key", "uk")] {
        let path = format!("/curated-sets/{}/clone/{method}", set["uuid"].as_str().unwrap());
        let clone = app
            .post(&path)
            .auth(&jane, method)
            .json(&json!({ "language": language }))
            .send()
            .await;
        let clone = clone.expect_status(201);
        let suffix = if language == "fr" { "Fr" } else { "Uk" };
        assert_eq!(
            (&clone["result"], &clone["set"]["name"]),
            (&json!("created"), &set[format!("name{suffix}")])
        );
        assert_eq!(
            (&clone["set"]["measies"], &clone["set"]["userId"]),
            (&set["measies"], &json!(jane.id))
        );
        assert_eq!(clone["set"]["public"], false);
    }
    // The original crashed on each of these.
    let clone = async |body: Value| {
        app.post("/curated-sets/1/clone/jwt")
            .jwt(&jane.token)
            .json(&body)
            .send()
            .await
    };
    for body in [json!({}), json!({ "language": "FR" }), json!({ "language": 7 })] {
        clone(body).await.expect_error(400, "languageMissing");
    }
    let low = app.key(&jane, 2).await;
    let refused = app
        .post("/curated-sets/1/clone/key")
        .key(&low)
        .json(&json!({ "language": "en" }))
        .send()
        .await;
    refused.expect_error(403, "insufficientAccessLevel");
    let only_english = app
        .post("/curated-sets/jwt")
        .jwt(&curator.token)
        .json(&json!({ "nameEn": "x" }))
        .send()
        .await;
    let id = only_english.expect_status(201)["curatedSet"]["id"].clone();
    let path = format!("/curated-sets/{id}/clone/jwt");
    let post = async |language: &str| {
        app.post(&path)
            .jwt(&jane.token)
            .json(&json!({ "language": language }))
            .send()
            .await
    };
    post("de").await.expect_error(400, "nameMissing");
    assert_eq!(post("en").await.expect_status(201)["set"]["notes"], "--");
}
