//! Tests of the routes below `/option-packs`.

use bespoke_tests::support::picture::RED;
use bespoke_tests::support::{App, Person};
use serde_json::{Value, json};

const FIELDS: [&str; 12] = [
    "nameDe", "nameEn", "nameEs", "nameFr", "nameNl", "nameUk", "notesDe", "notesEn", "notesEs", "notesFr", "notesNl",
    "notesUk",
];

fn complete_pack(design: &str) -> Value {
    let mut body = json!({ "design": design, "tags": ["a"], "options": { "one": 1, "two": "x", "gone": null },
        "info": "among us", "img": RED, "test": true });
    for field in FIELDS {
        body[field] = format!("A {field}").into();
    }
    body
}

async fn curator(app: &App) -> Person {
    let mut curator = app.person_as("curator", "curator").await;
    curator.key = app.key(&curator, 5).await;
    curator
}

#[tokio::test]
async fn option_pack_is_created_changed_read_and_deleted() {
    let app = App::new().await;
    let curator = curator(&app).await;
    for method in ["jwt", "key"] {
        let body = complete_pack("Aaron");
        let made = app
            .post(&format!("/option-packs/{method}"))
            .auth(&curator, method)
            .json(&body)
            .send()
            .await;
        let made = made.expect_status(201);
        assert_eq!((&made["result"], &made["ignored"]), (&json!("created"), &json!([])));
        let pack = &made["optionPack"];
        let keys: Vec<_> = pack.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(keys[..4], ["id", "createdAt", "design", "img"]);
        assert_eq!(
            keys[16..],
            ["tags", "options", "updatedAt", "uuid", "image", "imageUrl"]
        );
        assert_eq!((&pack["design"], &pack["tags"]), (&json!("aaron"), &json!(["a"])));
        assert_eq!(pack["options"], json!({ "one": 1, "two": "x" }));
        for field in FIELDS {
            assert_eq!(pack[field], body[field], "{field}");
        }
        assert_eq!(
            app.get(&format!("/images/opack-{}", pack["id"])).send().await.status,
            200
        );
        for id in [pack["id"].to_string(), pack["uuid"].as_str().unwrap().to_owned()] {
            let one = format!("/option-packs/{id}/{method}");
            let patch = async |body: Value| {
                let changed = app.patch(&one).auth(&curator, method).json(&body).send().await;
                changed.expect_status(200)
            };
            for field in FIELDS {
                let value = format!("{field} {id}");
                assert_eq!(patch(json!({ field: value })).await["optionPack"][field], value);
            }
            for (name, value) in [("one", json!(2)), ("two", json!({ "a": [1] })), ("three", json!(true))] {
                assert_eq!(
                    patch(json!({ "options": { name: value } })).await["optionPack"]["options"][name],
                    value
                );
            }
            let removed = patch(json!({ "options": { "three": null } })).await;
            assert!(removed["optionPack"]["options"].get("three").is_none());
            // In the original, tags could not be changed.
            assert_eq!(patch(json!({ "tags": [] })).await["optionPack"]["tags"], json!([]));
            let invalid = patch(json!({ "design": "simon", "options": "x", "nameEn": "", "info": 1 })).await;
            assert_eq!(invalid["ignored"], json!(["design", "options", "nameEn", "info"]));
            let large = patch(json!({ "options": { "x": "x".repeat(64 * 1024) } })).await;
            assert_eq!(
                (&large["ignored"], &large["optionPack"]["design"]),
                (&json!(["options"]), &json!("aaron"))
            );

            let read = app.get(&format!("/option-packs/{id}")).send().await.expect_status(200);
            assert_eq!(
                (&read["result"], &read["optionPack"]),
                (&json!("success"), &large["optionPack"])
            );
            let document = app
                .get(&format!("/option-packs/{id}.json"))
                .send()
                .await
                .expect_status(200);
            assert_eq!(
                (&document["provider"], &document["type"]),
                (&json!("FreeSewing.org"), &json!("optionPack"))
            );
            assert!(document["options"].is_object() && document.get("result").is_none());
            let yaml = app.get(&format!("/option-packs/{id}.yaml")).send().await;
            assert!(yaml.text().contains("\noptions:\n  one: 2\n"), "{}", yaml.text());
        }
        let one = format!("/option-packs/{}/{method}", pack["id"]);
        app.delete(&one).auth(&curator, method).send().await.expect_status(204);
        app.get(&format!("/option-packs/{}", pack["id"]))
            .send()
            .await
            .expect_missing();
        app.get(&format!("/images/opack-{}", pack["id"]))
            .send()
            .await
            .expect_missing();
    }
}

#[tokio::test]
async fn new_option_pack_requires_design_and_english_name() {
    let app = App::new().await;
    let curator = curator(&app).await;
    let post = async |body: Value| {
        app.post("/option-packs/jwt")
            .jwt(&curator.token)
            .json(&body)
            .send()
            .await
    };
    for (body, code) in [
        (json!({}), "postBodyMissing"),
        (json!({ "nameEn": "x" }), "designMissing"),
        (json!({ "design": 7, "nameEn": "x" }), "designMissing"),
        (json!({ "design": "a" }), "nameEnMissing"),
        (
            json!({ "design": "a", "nameEn": "x", "options": "all" }),
            "optionsNotAnObject",
        ),
        (
            json!({ "design": "a", "nameEn": "x", "options": { "x": "x".repeat(64 * 1024) } }),
            "optionsTooLarge",
        ),
        // The original crashed here.
        (json!({ "design": "a", "nameEn": "x", "info": [1] }), "infoInvalid"),
    ] {
        post(body).await.expect_error(400, code);
    }
    let least = post(json!({ "design": "a", "nameEn": "x", "img": 7 }))
        .await
        .expect_status(201);
    assert_eq!(
        (&least["ignored"], &least["optionPack"]["img"]),
        (&json!(["img"]), &json!("default-avatar"))
    );
    assert_eq!(
        (&least["optionPack"]["options"], &least["optionPack"]["tags"]),
        (&json!({}), &json!([]))
    );
}

#[tokio::test]
async fn lists_filter_by_design_and_hide_remarks() {
    // In the original, lists contained the internal remarks of curators.
    let app = App::new().await;
    let curator = curator(&app).await;
    for design in ["aaron", "simon", "Aaron"] {
        let made = app
            .post("/option-packs/jwt")
            .jwt(&curator.token)
            .json(&complete_pack(design))
            .send()
            .await;
        made.expect_status(201);
    }
    let designs = |list: &Value| {
        let packs = list.as_array().unwrap().iter();
        packs
            .map(|pack| pack["design"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let all = app.get("/option-packs").send().await.expect_status(200);
    assert_eq!(designs(&all["optionPacks"]), ["aaron", "simon", "aaron"]);
    assert!(!all.to_string().contains("among us"));
    assert_eq!(
        app.get("/option-packs.json").send().await.expect_status(200),
        all["optionPacks"]
    );
    assert_eq!(app.get("/option-packs.yaml").send().await.status, 200);
    let aarons = app.get("/option-packs/AARON").send().await.expect_status(200);
    assert_eq!(designs(&aarons["optionPacks"]), ["aaron", "aaron"]);
    let bare = app.get("/option-packs/aaron.json").send().await.expect_status(200);
    assert_eq!(bare, aarons["optionPacks"]);
    assert!(
        app.get("/option-packs/aaron.yaml")
            .send()
            .await
            .text()
            .starts_with("- id: 1\n")
    );
    assert_eq!(
        app.get("/option-packs/12abc").send().await.expect_status(200)["optionPacks"],
        json!([])
    );
    let second = app
        .get("/option-packs/aaron?limit=1&after=1")
        .send()
        .await
        .expect_status(200);
    assert_eq!(second["optionPacks"][0]["id"], 3);
}

#[tokio::test]
async fn unknown_option_pack_is_missing() {
    // The original returned an empty object, or crashed.
    let app = App::new().await;
    let curator = curator(&app).await;
    for id in ["99", "6f9619ff-8b86-4011-b42d-00c04fc964ff"] {
        app.get(&format!("/option-packs/{id}")).send().await.expect_missing();
        app.get(&format!("/option-packs/{id}.json"))
            .send()
            .await
            .expect_missing();
        assert_eq!(
            app.get(&format!("/option-packs/{id}.yaml")).send().await.text(),
            "null\n"
        );
        for method in ["jwt", "key"] {
            let one = format!("/option-packs/{id}/{method}");
            let change = app
                .patch(&one)
                .auth(&curator, method)
                .json(&json!({ "options": {}, "img": RED }));
            change.send().await.expect_missing();
            app.delete(&one).auth(&curator, method).send().await.expect_missing();
        }
    }
    for method in ["jwt", "key"] {
        app.get(&format!("/option-packs/{method}"))
            .send()
            .await
            .expect_error(405, "methodNotAllowed");
        app.get(&format!("/option-packs/{method}.json"))
            .send()
            .await
            .expect_missing();
    }
}
