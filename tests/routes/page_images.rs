//! Tests of `POST /images`, `POST /images/{auth}` and `DELETE /images/{id}/{auth}`.

use bespoke_core::Clock as _;
use bespoke_database::page_images::{self, PageImage, PageName, ReserveOutcome, Uploader};
use bespoke_tests::support::App;
use bespoke_tests::support::picture::{GLASS, RED};
use bespoke_web::Session;
use bespoke_web::maintenance::Task;
use serde_json::{Value, json};
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

const HOUR_MS: i64 = 60 * 60 * 1000;

fn page(img: &str) -> Value {
    json!({ "img": img, "type": "blog", "subId": "main", "slug": "a-day-out" })
}

#[tokio::test]
async fn strangers_add_images_and_only_curators_replace_them() {
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
        assert_eq!(seen().await.header("content-type"), "image/png", "the image stays");
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
async fn only_images_of_pages_are_removed() {
    // In the original, curators could delete every image.
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
async fn missing_and_invalid_fields_are_rejected() {
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
async fn image_url_requires_an_account_and_a_public_host() {
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

/// An installation whose repository has a page `taken` and a proposal `proposed`.
async fn app_with_repository() -> (App, MockServer) {
    let github = MockServer::start().await;
    let repository = "/repos/freesewing/freesewing";
    for (what, status, body) in [
        (
            "/contents/markdown/org/blog",
            200,
            json!([{ "name": "taken" }, { "name": "page-2" }]),
        ),
        ("/branches/blog-proposed", 200, json!({ "name": "blog-proposed" })),
        ("/branches/blog-free", 404, json!({})),
    ] {
        let answer = ResponseTemplate::new(status).set_body_json(body);
        let asked = Mock::given(method("GET")).and(path(format!("{repository}{what}")));
        asked.respond_with(answer).mount(&github).await;
    }
    let app = App::with(&[
        ("BACKEND_ENABLE_GITHUB", "yes"),
        ("BACKEND_GITHUB_TOKEN", "secret"),
        ("BACKEND_GITHUB_API_URL", &github.uri()),
    ])
    .await;
    (app, github)
}

fn numbered(slug: &str, sub_id: usize) -> Value {
    json!({ "img": RED, "type": "blog", "subId": sub_id, "slug": slug })
}

#[tokio::test]
async fn images_of_an_hour_are_limited() {
    let app = App::new().await;
    let other = app.another().await;
    let jane = app.person("jane").await;
    let anonymous = async |app: &App, from: &str, slug: &str, sub_id| {
        let request = app.post("/images").from_ip(from).json(&numbered(slug, sub_id));
        request.send().await
    };
    for number in 0..10 {
        let process = if number % 2 == 0 { &app } else { &other };
        let from = format!("2001:db8:1:{number}::1");
        let slug = format!("page-{number}");
        anonymous(process, &from, &slug, 1).await.expect_status(200);
    }
    let refused = anonymous(&app, "2001:db8:1:99::1", "more", 1).await;
    assert_eq!(refused.header("retry-after"), "3600");
    refused.expect_error(429, "tooManyRequests");
    app.get("/images/blog-more-1").send().await.expect_missing();
    // An image that already exists does not count again.
    anonymous(&app, "2001:db8:1:99::1", "page-1", 1)
        .await
        .expect_status(200);
    anonymous(&app, "192.0.2.1", "more", 1).await.expect_status(200);
    app.clock.advance_ms(HOUR_MS);
    anonymous(&app, "2001:db8:1:99::1", "later", 1).await.expect_status(200);
    for number in 0..11 {
        let body = numbered(&format!("jane-{number}"), 1);
        let answer = app.post("/images/jwt").jwt(&jane.token).json(&body).send().await;
        assert_eq!(answer.status, if number < 10 { 200 } else { 429 });
    }
}

#[tokio::test]
async fn strangers_cannot_take_names_of_pages() {
    let (app, _github) = app_with_repository().await;
    let store = async |slug: &str| app.post("/images").json(&numbered(slug, 1)).send().await;
    for slug in ["taken", "proposed"] {
        store(slug).await.expect_error(409, "slugTaken");
        let image = app.get(&format!("/images/blog-{slug}-1")).send().await;
        image.expect_missing();
    }
    store("free").await.expect_status(200);
    // The second image of `page` has the id of the main image of `page-2`.
    let second = app.post("/images").json(&numbered("page", 2)).send().await;
    second.expect_error(409, "slugTaken");
    let main = json!({ "img": RED, "type": "blog", "subId": "main", "slug": "taken-1" });
    let main = app.post("/images").json(&main).send().await;
    main.expect_error(409, "slugTaken");
}

/// Reserves the name of an image, like a process that is killed before it stores the image.
async fn abandon_upload(app: &App, slug: &str, counts_bytes: bool) {
    let page = PageName {
        kind: "blog".to_owned(),
        slug: slug.to_owned(),
    };
    let name = format!("blog-{slug}");
    let (image, uploader) = (PageImage { name, page }, Uploader::Account(1));
    let now = app.clock.now();
    let session = Session::new(app.context().clone());
    let reserve = session.write(move |db| {
        let ReserveOutcome::Yes(reservation) = page_images::reserve(db, &image, uploader, now)? else {
            panic!("the name is free");
        };
        if counts_bytes {
            page_images::take_bytes(db, reservation, 100, uploader, now)?;
        }
        Ok(())
    });
    reserve.await.unwrap();
}

#[tokio::test]
async fn abandoned_image_does_not_block_its_name() {
    for counts_bytes in [false, true] {
        let app = App::new().await;
        let jane = app.person("jane").await;
        abandon_upload(&app, "a-day-out", counts_bytes).await;
        let store = async || app.post("/images").json(&page(RED)).send().await;
        let seen = async || app.get("/images/blog-a-day-out").send().await;
        let busy = store().await;
        assert_eq!(busy.header("retry-after"), "60");
        busy.expect_error(429, "tooManyRequests");
        app.post("/images/jwt")
            .jwt(&jane.token)
            .json(&page(RED))
            .send()
            .await
            .expect_error(429, "tooManyRequests");
        seen().await.expect_missing();
        app.clock.advance_ms(60 * 1000);
        store().await.expect_status(200);
        assert_eq!(seen().await.status, 200);
        store().await.expect_status(200);
    }
}

#[tokio::test]
async fn concurrent_takeovers_of_an_abandoned_image_have_one_winner() {
    let app = App::new().await;
    let other = app.another().await;
    abandon_upload(&app, "a-day-out", false).await;
    app.clock.advance_ms(60 * 1000);
    other.clock.advance_ms(60 * 1000);
    let image = page(RED);
    let calls = (0..6).map(|number| {
        let process = if number % 2 == 0 { &app } else { &other };
        process.post("/images").json(&image).send()
    });
    let answers = futures_util::future::join_all(calls).await;
    assert!(answers.iter().any(|answer| answer.status == 200));
    assert!(answers.iter().all(|answer| [200, 429].contains(&answer.status)));
    for process in [&app, &other] {
        process.post("/images").json(&image).send().await.expect_status(200);
        assert_eq!(process.get("/images/blog-a-day-out").send().await.status, 200);
    }
    // It is still an image without a page.
    app.clock.advance_ms(30 * 24 * HOUR_MS);
    app.context().maintain(&[Task::Purge]).await;
    app.get("/images/blog-a-day-out").send().await.expect_missing();
}

#[tokio::test]
async fn images_without_a_page_expire_after_a_month() {
    let (app, github) = app_with_repository().await;
    let curator = app.person_as("cora", "curator").await;
    let seen = async |name: &str| app.get(&format!("/images/{name}")).send().await.status;
    let purge = async || {
        let done = app.context().maintain(&[Task::Purge]).await;
        assert!(!done[0].failed, "{done:?}");
    };
    for sub_id in [1, 2] {
        let stored = app.post("/images").json(&numbered("free", sub_id)).send().await;
        stored.expect_status(200);
    }
    // A curator's image is permanent, even if it replaces a stranger's.
    let replace = app.post("/images/jwt").jwt(&curator.token).json(&numbered("free", 2));
    replace.send().await.expect_status(200);
    let again = app.post("/images").json(&numbered("free", 2));
    again.send().await.expect_status(200);
    app.clock.advance_ms(30 * 24 * HOUR_MS - 1);
    purge().await;
    assert_eq!((seen("blog-free-1").await, seen("blog-free-2").await), (200, 200));
    app.clock.advance_ms(1);
    purge().await;
    assert_eq!((seen("blog-free-1").await, seen("blog-free-2").await), (404, 200));
    // The image of a page that was created in the meantime stays.
    app.post("/images")
        .json(&numbered("free", 3))
        .send()
        .await
        .expect_status(200);
    github.reset().await;
    let pages = ResponseTemplate::new(200).set_body_json(json!([{ "name": "free" }]));
    let asked = Mock::given(method("GET")).and(path("/repos/freesewing/freesewing/contents/markdown/org/blog"));
    asked.respond_with(pages).mount(&github).await;
    app.clock.advance_ms(30 * 24 * HOUR_MS);
    purge().await;
    purge().await;
    assert_eq!(seen("blog-free-3").await, 200);
}

#[tokio::test]
async fn account_has_an_image() {
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
    assert_eq!(app.get(&image).send().await.status, 200, "the old image stays");
    app.delete("/account/jwt")
        .jwt(&jane.token)
        .send()
        .await
        .expect_status(200);
    app.get(&image).send().await.expect_missing();
}
