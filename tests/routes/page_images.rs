//! `POST /images`, `POST /images/{auth}` and `DELETE /images/{id}/{auth}`

use bespoke_tests::support::App;
use bespoke_tests::support::picture::{GLASS, RED};
use serde_json::{Value, json};

fn page(img: &str) -> Value {
    json!({ "img": img, "type": "blog", "subId": "main", "slug": "a-day-out" })
}

#[tokio::test]
async fn anybody_adds_an_image_and_curators_alone_replace_and_remove_one() {
    let app = App::new().await;
    let (jane, curator) = (app.person("jane").await, app.person_as("cora", "curator").await);
    let seen = async || app.get("/images/blog-a-day-out").send().await;
    seen().await.expect_missing();
    let stored = app.post("/images").json(&page(GLASS)).send().await.expect_status(200);
    assert_eq!(stored, json!({ "result": "success", "imgId": "blog-a-day-out" }));
    assert_eq!(seen().await.header("content-type"), "image/png");
    for request in [
        app.post("/images"),
        app.post("/images/jwt").jwt(&jane.token),
        app.post("/images/key").key(&jane.key),
    ] {
        assert_eq!(request.json(&page(RED)).send().await.expect_status(200), stored);
        assert_eq!(seen().await.header("content-type"), "image/png", "it stays");
    }
    app.post("/images/jwt")
        .jwt(&curator.token)
        .json(&page(RED))
        .send()
        .await
        .expect_status(200);
    assert_eq!(seen().await.header("content-type"), "image/jpeg");

    let one = "/images/blog-a-day-out/jwt";
    app.delete(one)
        .jwt(&jane.token)
        .send()
        .await
        .expect_error(403, "insufficientAccessLevel");
    for _ in 0..2 {
        app.delete(one).jwt(&curator.token).send().await.expect_status(204);
        seen().await.expect_missing();
    }
}

#[tokio::test]
async fn what_is_no_image_of_a_page_is_never_removed() {
    // Defect D41.
    let app = App::new().await;
    let curator = app.person_as("cora", "curator").await;
    let body = json!({ "name": "Cora", "public": true, "img": RED });
    let set = app
        .post("/sets/jwt")
        .jwt(&curator.token)
        .json(&body)
        .send()
        .await
        .expect_status(201);
    let id = set["set"]["img"].as_str().unwrap();
    for id in [id, "default-avatar", "..%2Fhead", "blog-%2e%2e%2Fhead", "cset-1", "%00"] {
        let answer = app
            .delete(&format!("/images/{id}/jwt"))
            .jwt(&curator.token)
            .send()
            .await;
        assert_eq!(answer.status, 404, "{id}");
    }
    assert_eq!(app.get(&format!("/images/{id}")).send().await.status, 200);
}

#[tokio::test]
async fn each_field_is_asked_for_and_has_to_be_what_it_can_be() {
    let app = App::new().await;
    let jane = app.person("jane").await;
    app.post("/images").send().await.expect_error(400, "postBodyMissing");
    for (field, value, code) in [
        ("img", json!(null), "imgOrUrlMissing"),
        ("img", json!({ "a": 1 }), "imgInvalid"),
        ("img", json!("no picture"), "imgInvalid"),
        ("type", json!(null), "typeMissing"),
        ("type", json!("set"), "typeInvalid"),
        ("type", json!(["blog"]), "typeInvalid"),
        ("subId", json!(""), "subIdMissing"),
        ("subId", json!(0), "subIdMissing"),
        ("subId", json!(10), "subIdInvalid"),
        ("subId", json!(1.5), "subIdInvalid"),
        ("subId", json!("two"), "subIdInvalid"),
        ("slug", json!(""), "slugMissing"),
        ("slug", json!(7), "slugInvalid"),
        ("slug", json!("../x"), "slugInvalid"),
        ("slug", json!("A day"), "slugInvalid"),
        ("slug", json!("a".repeat(200)), "slugInvalid"),
    ] {
        let mut body = page(RED);
        body[field] = value;
        app.post("/images").json(&body).send().await.expect_error(400, code);
        app.post("/images/jwt")
            .jwt(&jane.token)
            .json(&body)
            .send()
            .await
            .expect_error(400, code);
    }
    for sub_id in [json!(2), json!("2")] {
        let mut body = page(RED);
        body["subId"] = sub_id;
        let stored = app.post("/images").json(&body).send().await.expect_status(200);
        assert_eq!(stored["imgId"], "blog-a-day-out-2");
    }
}

#[tokio::test]
async fn a_url_takes_an_account_and_a_public_host() {
    let app = App::new().await;
    let jane = app.person("jane").await;
    for url in [
        "https://127.0.0.1/a.png",
        "http://example.com/a.png",
        "https://[::1]/",
        "file:///etc/passwd",
        "nonsense",
    ] {
        let body = json!({ "url": url, "type": "blog", "subId": "main", "slug": "x" });
        app.post("/images")
            .json(&body)
            .send()
            .await
            .expect_error(403, "urlNotAllowed");
        let refused = app.post("/images/jwt").jwt(&jane.token).json(&body).send().await;
        refused.expect_error(400, "imgUnreachable");
    }
}

#[tokio::test]
async fn an_account_has_an_image() {
    let app = App::new().await;
    let jane = app.person("jane").await;
    let patch = async |body: Value| {
        let answer = app.patch("/account/jwt").jwt(&jane.token).json(&body).send().await;
        answer.expect_status(200)
    };
    let changed = patch(json!({ "img": RED, "bio": "new" })).await;
    assert_eq!(changed["ignored"], json!([]));
    let image = format!("/images/uid-{}", changed["account"]["ihash"].as_str().unwrap());
    assert_eq!(app.get(&image).send().await.header("content-type"), "image/jpeg");
    let changed = patch(json!({ "img": "no picture", "bio": "newer" })).await;
    assert_eq!(
        (&changed["ignored"], &changed["account"]["bio"]),
        (&json!(["img"]), &json!("newer"))
    );
    assert_eq!(app.get(&image).send().await.status, 200, "the old one stays");
    app.delete("/account/jwt")
        .jwt(&jane.token)
        .send()
        .await
        .expect_status(200);
    app.get(&image).send().await.expect_missing();
}
