//! Tests of suggestions: `/curated-sets/suggest`, `/suggested-sets`, `/curated-sets/from`, `/option-packs/suggest`, `/suggested-packs`,
//! and reading them at `/confirmations`.

use bespoke_tests::support::picture::RED;
use bespoke_tests::support::{App, Person};
use serde_json::{Value, json};

async fn curator(app: &App) -> Person {
    let mut curator = app.person_as("curator", "curator").await;
    curator.key = app.key(&curator, 5).await;
    curator
}

async fn set(app: &App, person: &Person) -> Value {
    let body = json!({ "name": "Jane", "measies": { "chest": 930, "neck": 360 } });
    let made = app.post("/sets/jwt").jwt(&person.token).json(&body).send().await;
    made.expect_status(201)["set"].clone()
}

#[tokio::test]
async fn suggested_set_is_listed_read_promoted_and_deleted() {
    // In the original, each promotion crashed the server.
    let app = App::new().await;
    let (curator, jane) = (curator(&app).await, app.person("jane").await);
    let own = set(&app, &jane).await;
    for (method, id) in [("jwt", own["id"].clone()), ("key", own["uuid"].clone())] {
        let body = json!({ "set": id, "height": "166cm", "name": "Jane", "notes": "", "img": RED });
        let path = format!("/curated-sets/suggest/{method}");
        let made = app
            .post(&path)
            .auth(&jane, method)
            .json(&body)
            .send()
            .await
            .expect_status(200);
        assert_eq!(
            (&made["submission"]["type"], &made["ignored"]),
            (&json!("cset"), &json!([]))
        );
        let id = made["submission"]["id"].as_str().unwrap();
        assert_eq!(app.get(&format!("/images/sugset-{id}")).send().await.status, 200);

        let list = app
            .get(&format!("/suggested-sets/{method}"))
            .auth(&curator, method)
            .send()
            .await
            .expect_status(200);
        let [listed] = list["suggested"].as_array().unwrap().as_slice() else {
            panic!("{list}")
        };
        assert_eq!(
            (&listed["id"], &listed["type"], &listed["userId"]),
            (&json!(id), &json!("sugset"), &json!(jane.id))
        );
        let data = json!({ "name": "Jane", "notes": "", "set": own["id"], "height": "166cm" });
        assert_eq!(listed["data"], data);
        // The website sends the word `check` in place of the check.
        let read = app
            .get(&format!("/confirmations/{id}/check"))
            .send()
            .await
            .expect_status(200);
        let submission = json!({ "id": id, "name": "Jane", "notes": "", "set": own["id"], "height": "166cm" });
        assert_eq!(read["submission"], submission);

        let promoted = app
            .post(&format!("/curated-sets/from/{id}/{method}"))
            .auth(&curator, method)
            .send()
            .await;
        let curated = promoted.expect_status(200)["curatedSet"].clone();
        assert_eq!(
            (&curated["nameEn"], &curated["nameUk"], &curated["notesFr"]),
            (&json!("Jane"), &json!("Jane"), &json!("--"))
        );
        assert_eq!(
            (&curated["measies"], &curated["height"]),
            (&own["measies"], &json!(166))
        );
        assert_eq!(curated["published"], false);
        assert_eq!(
            app.get(&format!("/images/cset-{}", curated["id"])).send().await.status,
            200
        );

        let one = format!("/suggested-sets/{id}/{method}");
        app.delete(&one).auth(&curator, method).send().await.expect_status(204);
        app.get(&format!("/confirmations/{id}/check"))
            .send()
            .await
            .expect_missing();
        app.get(&format!("/images/sugset-{id}")).send().await.expect_missing();
        app.delete(&one).auth(&curator, method).send().await.expect_missing();
    }
}

#[tokio::test]
async fn only_own_sets_can_be_suggested() {
    // In the original, a private set of another user could be suggested, and so be published.
    let app = App::new().await;
    let (jane, eve, admin) = (
        app.person("jane").await,
        app.person("eve").await,
        app.person_as("root", "admin").await,
    );
    let own = set(&app, &jane).await;
    let body = json!({ "set": own["id"], "height": 166, "name": "n", "img": RED });
    for other in [&eve, &admin] {
        let refused = app
            .post("/curated-sets/suggest/jwt")
            .jwt(&other.token)
            .json(&body)
            .send()
            .await;
        refused.expect_error(403, "insufficientAccessLevel");
    }
    let post = async |body: Value| {
        app.post("/curated-sets/suggest/jwt")
            .jwt(&jane.token)
            .json(&body)
            .send()
            .await
    };
    post(json!({ "set": 99, "height": 1, "name": "n", "img": RED }))
        .await
        .expect_missing();
    for (body, code) in [
        (json!({}), "setMissing"),
        (json!({ "set": 0 }), "setMissing"),
        (json!({ "set": "12abc" }), "setMissing"),
        (json!({ "set": 1.5 }), "setMissing"),
        (json!({ "set": 1 }), "heightMissing"),
        (json!({ "set": 1, "height": { "a": 1 } }), "heightMissing"),
        (json!({ "set": 1, "height": 1 }), "nameMissing"),
        (json!({ "set": 1, "height": 1, "name": "n" }), "imgMissing"),
        // The original crashed on an image that is not a text.
        (
            json!({ "set": 1, "height": 1, "name": "n", "img": { "a": 1 } }),
            "imgMissing",
        ),
    ] {
        post(body).await.expect_error(403, code);
    }
    // An invalid image does not discard the suggestion.
    let made = post(json!({ "set": own["id"], "height": 166, "name": "n", "img": "none" }))
        .await
        .expect_status(200);
    assert_eq!(made["ignored"], json!(["img"]));
    let curator = curator(&app).await;
    let list = app
        .get("/suggested-sets/jwt")
        .jwt(&curator.token)
        .send()
        .await
        .expect_status(200);
    assert_eq!(
        list["suggested"][0]["data"]["height"], 166,
        "the height is stored as sent"
    );
    // The suggestions of a set are deleted with it.
    app.delete(&format!("/sets/{}/jwt", own["id"]))
        .jwt(&jane.token)
        .send()
        .await
        .expect_status(204);
    let path = format!("/curated-sets/from/{}/jwt", made["submission"]["id"].as_str().unwrap());
    app.post(&path).jwt(&curator.token).send().await.expect_missing();
}

#[tokio::test]
async fn pending_suggestions_are_limited_to_a_hundred() {
    let app = App::with(&[("BACKEND_RATE_LIMITS", "off")]).await;
    let jane = app.person("jane").await;
    let body = json!({ "design": "aaron", "options": {}, "notes": "n" });
    for _ in 0..100 {
        app.post("/option-packs/suggest/jwt")
            .jwt(&jane.token)
            .json(&body)
            .send()
            .await
            .expect_status(200);
    }
    let refused = app
        .post("/option-packs/suggest/jwt")
        .jwt(&jane.token)
        .json(&body)
        .send()
        .await;
    refused.expect_error(409, "tooManySuggestions");
}

#[tokio::test]
async fn suggested_pack_is_listed_and_deleted() {
    // The original stored it under one name and looked for another.
    let app = App::new().await;
    let (curator, jane) = (curator(&app).await, app.person("jane").await);
    for method in ["jwt", "key"] {
        let body = json!({ "design": "Aaron", "options": { "chestEase": 0.1 }, "notes": "Loose" });
        let made = app
            .post(&format!("/option-packs/suggest/{method}"))
            .auth(&jane, method)
            .json(&body)
            .send()
            .await;
        let made = made.expect_status(200);
        assert_eq!(made["submission"]["type"], "opack");
        let id = made["submission"]["id"].as_str().unwrap();
        let list = app
            .get(&format!("/suggested-packs/{method}"))
            .auth(&curator, method)
            .send()
            .await
            .expect_status(200);
        let data = json!({ "notes": "Loose", "design": "aaron", "options": { "chestEase": 0.1 } });
        assert_eq!(
            (&list["suggested"][0]["id"], &list["suggested"][0]["data"]),
            (&json!(id), &data)
        );
        app.get(&format!("/confirmations/{id}/check"))
            .send()
            .await
            .expect_missing();
        // The id of a suggested pack is unknown to the route for sets.
        let other = format!("/suggested-sets/{id}/{method}");
        app.delete(&other)
            .auth(&curator, method)
            .send()
            .await
            .expect_error(400, "typeMismatch");
        let one = format!("/suggested-packs/{id}/{method}");
        let removed = app.delete(&one).auth(&curator, method).send().await.expect_status(200);
        assert_eq!(removed, json!({ "result": "success", "data": {} }));
        app.delete(&one).auth(&curator, method).send().await.expect_missing();
    }
    let post = async |body: Value| {
        app.post("/option-packs/suggest/jwt")
            .jwt(&jane.token)
            .json(&body)
            .send()
            .await
    };
    for (body, code) in [
        (json!({}), "designMissing"),
        (json!({ "design": 7 }), "designMissing"),
        (json!({ "design": "a" }), "optionsMissing"),
        (json!({ "design": "a", "options": [1] }), "optionsMissing"),
        (json!({ "design": "a", "options": {} }), "notesMissing"),
    ] {
        post(body).await.expect_error(403, code);
    }
}

#[tokio::test]
async fn confirmation_requires_its_check_and_survives_a_get() {
    let app = App::new().await;
    let body = json!({ "email": "jane@example.com", "language": "en" });
    app.post("/signup").json(&body).send().await.expect_status(201);
    let (id, check) = app.newest_link();
    for _ in 0..2 {
        let read = app
            .get(&format!("/confirmations/{id}/{check}"))
            .send()
            .await
            .expect_status(200);
        assert_eq!(read["confirmation"], json!({ "id": id, "check": check }));
    }
    for path in [
        format!("{id}/check"),
        format!("{id}/{check}0"),
        format!("1/{check}"),
        format!("x/{check}"),
    ] {
        app.get(&format!("/confirmations/{path}")).send().await.expect_missing();
    }
    app.post(&format!("/confirm/signup/{id}"))
        .json(&json!({ "consent": 1, "check": check }))
        .send()
        .await
        .expect_status(200);
    app.get(&format!("/confirmations/{id}/{check}"))
        .send()
        .await
        .expect_missing();
}
