//! Tests of lookups of the measurements of a set.

use bespoke_core::measurement::MODEL_SETS;
use bespoke_tests::support::{App, Person};
use serde_json::{Value, json};

async fn make(app: &App, person: &Person, body: &Value) -> Value {
    let made = app.post("/sets/jwt").jwt(&person.token).json(body).send().await;
    made.expect_status(201)["set"].clone()
}

/// A set that lacks a measurement that Aaron requires, and an optional one.
async fn incomplete_set(app: &App, person: &Person) -> Value {
    let mut measies = MODEL_SETS[3].1.clone();
    measies.retain(|name, _| !["hips", "highBust"].contains(&name.as_str()));
    make(app, person, &json!({ "name": "Jane", "measies": measies })).await
}

#[tokio::test]
async fn lookup_returns_required_and_missing_measurements() {
    let app = App::new().await;
    let person = app.person("jane").await;
    let set = incomplete_set(&app, &person).await;
    for method in ["jwt", "key"] {
        let get = async |query: &str| {
            let path = format!("/sets/{}/measurements/{method}{query}", set["uuid"].as_str().unwrap());
            app.get(&path).auth(&person, method).send().await
        };
        let all = get("").await.expect_status(200);
        let head = json!({ "id": set["id"], "uuid": set["uuid"], "name": "Jane", "updatedAt": set["updatedAt"] });
        assert_eq!((&all["set"], &all["measurements"]), (&head, &set["measies"]));
        assert_eq!(
            (&all["units"], &all["warnings"], all.get("design")),
            (&json!("mm"), &json!([]), None)
        );

        let aaron = get("?design=aaron").await.expect_status(200);
        let verdict =
            json!({ "name": "aaron", "complete": false, "missing": ["hips"], "missingOptional": ["highBust"] });
        assert_eq!(aaron["design"], verdict);
        assert_eq!(aaron["measurements"].as_object().unwrap().len(), 9);
        let everything = get("?design=aaron&only=all").await.expect_status(200);
        assert_eq!(everything["measurements"], set["measies"]);
        let inches = get("?design=aaron&units=in&only=required").await.expect_status(200);
        assert_eq!(inches["units"], "in");
        assert_eq!(
            (
                &inches["measurements"]["neck"],
                &inches["measurements"]["shoulderSlope"]
            ),
            (&json!(13.385826772), &json!(13))
        );

        let first = get("?design=aaron").await;
        let path = format!("/sets/{}/measurements/{method}?design=aaron", set["id"]);
        let again = app
            .get(&path)
            .auth(&person, method)
            .header("if-none-match", first.header("etag"));
        assert_eq!(again.send().await.status, 304);

        for (query, code) in [
            ("?units=ell", "unitsUnknown"),
            ("?units=", "unitsUnknown"),
            ("?design=nobody", "designUnknown"),
            ("?design=", "designUnknown"),
            ("?design=aaron&only=some", "onlyUnknown"),
            ("?only=some", "onlyUnknown"),
            ("?only=design", "designMissing"),
            ("?units=mm&units=cm", "badRequest"),
        ] {
            get(query).await.expect_error(400, code);
        }
    }
}

#[tokio::test]
async fn lookup_requires_the_owner_or_a_public_set() {
    let app = App::new().await;
    let (jane, eve) = (app.person("jane").await, app.person("eve").await);
    let set = incomplete_set(&app, &jane).await;
    let (own, open) = (
        format!("/sets/{}/measurements/key", set["id"]),
        format!("/sets/{}/measurements", set["id"]),
    );
    app.get(&own).send().await.expect_error(401, "unauthorized");
    app.get(&own)
        .key(&eve.key)
        .send()
        .await
        .expect_error(403, "insufficientAccessLevel");
    app.get(&open).send().await.expect_missing();
    // An invalid query does not reveal the existence of the set either.
    app.get(&format!("{open}?units=ell")).send().await.expect_missing();
    let publish = app.patch(&format!("/sets/{}/jwt", set["id"])).jwt(&jane.token);
    publish.json(&json!({ "public": true })).send().await.expect_status(200);
    let found = app.get(&format!("{open}?design=aaron")).send().await.expect_status(200);
    assert_eq!(found["design"]["missing"], json!(["hips"]));
    app.get("/sets/99/measurements").send().await.expect_missing();
    app.get("/sets/x/measurements/key")
        .key(&jane.key)
        .send()
        .await
        .expect_missing();

    let adult = app
        .get("/curated-sets/1/measurements?design=aaron&units=cm")
        .send()
        .await;
    let adult = adult.expect_status(200);
    assert_eq!(
        (&adult["set"]["name"], &adult["measurements"]["chest"]),
        (&json!("Woman, size 28"), &json!(76.2))
    );
    assert_eq!(adult["design"]["complete"], true);
    app.get("/curated-sets/99/measurements").send().await.expect_missing();
}

#[tokio::test]
async fn single_set_key_looks_up_its_set_only() {
    let app = App::new().await;
    let person = app.person("jane").await;
    let (one, other) = (incomplete_set(&app, &person).await, incomplete_set(&app, &person).await);
    let path = |set: &Value| format!("/sets/{}/measurements/key?design=aaron", set["id"]);
    let scope = format!("set:{}:read", one["uuid"].as_str().unwrap());
    let runner = app.key_with(&person, 1, json!({ "scopes": [scope] })).await;
    app.get(&path(&one)).key(&runner).send().await.expect_status(200);
    let refused = app.get(&path(&other)).key(&runner).send().await;
    assert!(refused.header("www-authenticate").contains("sets:read"));
    refused.expect_error(403, "insufficientScope");
    let by_name = "/sets/lookup/key?name=Jane";
    app.get(by_name)
        .key(&runner)
        .send()
        .await
        .expect_error(403, "insufficientScope");
    let patterns = app.key_with(&person, 1, json!({ "scopes": ["patterns:read"] })).await;
    app.get(&path(&one))
        .key(&patterns)
        .send()
        .await
        .expect_error(403, "insufficientScope");
    let reader = app.key_with(&person, 1, json!({ "scopes": ["sets:read"] })).await;
    app.get(&path(&other)).key(&reader).send().await.expect_status(200);
    app.clock.advance_ms(86_400_000);
    app.get(&path(&one))
        .key(&runner)
        .send()
        .await
        .expect_error(401, "keyExpired");
}

#[tokio::test]
async fn lookup_by_name_finds_own_sets_only() {
    let app = App::new().await;
    let (jane, eve) = (app.person("jane").await, app.person("eve").await);
    for name in ["Jane", "JANE", "Zoë 🧵", "twice", "Twice"] {
        make(&app, &jane, &json!({ "name": name, "measies": { "chest": 930 } })).await;
    }
    let get = async |query: &str| {
        let path = format!("/sets/lookup/jwt{query}");
        app.get(&path).jwt(&jane.token).send().await
    };
    for (sent, name) in [
        ("Jane", "Jane"),
        ("JANE", "JANE"),
        ("zo%C3%AB%20%F0%9F%A7%B5", "Zoë 🧵"),
    ] {
        let found = get(&format!("?name={sent}&units=cm")).await.expect_status(200);
        assert_eq!(
            (&found["set"]["name"], &found["measurements"]["chest"]),
            (&json!(name), &json!(93))
        );
    }
    for (sent, count) in [("jane", 2), ("TWICE", 2)] {
        let unclear = get(&format!("?name={sent}")).await.expect_status(409);
        assert_eq!(
            (&unclear["result"], &unclear["error"]),
            (&json!("error"), &json!("nameAmbiguous"))
        );
        assert_eq!(unclear["candidates"].as_array().unwrap().len(), count);
    }
    get("").await.expect_error(400, "nameMissing");
    get("?name=").await.expect_error(400, "nameMissing");
    get("?name=Jane&design=nobody").await.expect_error(400, "designUnknown");
    get(&format!("?name={}", "x".repeat(5000))).await.expect_missing();
    let theirs = app.get("/sets/lookup/jwt?name=Jane").jwt(&eve.token).send().await;
    theirs.expect_missing();
}
