//! Tests of `POST /signup`.

use bespoke_tests::support::App;
use serde_json::json;

#[tokio::test]
async fn missing_and_invalid_fields_are_reported_in_order() {
    let app = App::new().await;
    for (body, code) in [
        (json!({}), "postBodyMissing"),
        (json!([]), "postBodyMissing"),
        (json!({ "language": "en" }), "emailMissing"),
        (json!({ "email": "", "language": "en" }), "emailMissing"),
        // The original crashed here.
        (json!({ "email": { "a": 1 }, "language": "en" }), "emailMissing"),
        (json!({ "email": 12, "language": "en" }), "emailMissing"),
        (json!({ "email": "jane@example.com" }), "languageMissing"),
        (
            json!({ "email": "jane@example.com", "language": "xx" }),
            "unsupportedLanguage",
        ),
        (
            json!({ "email": "jane@example.com", "language": "EN" }),
            "unsupportedLanguage",
        ),
        (
            json!({ "email": "jane@example.com", "language": 7 }),
            "unsupportedLanguage",
        ),
        // The original created an account with an empty address.
        (json!({ "email": "  ", "language": "en" }), "emailInvalid"),
        (json!({ "email": "jane", "language": "en" }), "emailInvalid"),
        (
            json!({ "email": "jane@example.com\r\nBcc: eve@example.com", "language": "en" }),
            "emailInvalid",
        ),
    ] {
        app.post("/signup").json(&body).send().await.expect_error(400, code);
    }
    app.post("/signup").send().await.expect_error(400, "postBodyMissing");
    assert_eq!(app.mails().len(), 0);
}

#[tokio::test]
async fn mailed_link_confirms_the_new_account() {
    let app = App::new().await;
    let body = json!({ "email": " Jane.Doe@Example.com ", "language": "fr" });
    let answer = app.post("/signup").json(&body).send().await;
    assert_eq!(answer.header("content-type"), "application/json; charset=utf-8");
    assert_eq!(
        answer.expect_status(201),
        json!({ "result": "created", "email": "jane.doe@example.com" })
    );
    let mails = app.mails();
    let [mail] = mails.as_slice() else { panic!("{mails:?}") };
    assert!(mail.contains("To: jane.doe@example.com"), "{mail}");
    let link = mail.lines().find(|line| line.starts_with("http")).unwrap();
    let (page, query) = link.split_once('?').unwrap();
    assert_eq!(page, "http://localhost:3000/console/confirm/signup");
    let (id, check) = query.strip_prefix("id=").unwrap().split_once("&check=").unwrap();
    let confirm = app
        .post(&format!("/confirm/signup/{id}"))
        .json(&json!({ "consent": 1, "check": check }))
        .send()
        .await;
    assert_eq!(confirm.expect_status(200)["account"]["email"], "jane.doe@example.com");
}

#[tokio::test]
async fn links_open_the_website_in_the_readers_language() {
    let app = App::with(&[("BACKEND_WEBSITE_DOMAIN", "sewing.example")]).await;
    for language in ["en", "nl"] {
        let body = json!({ "email": format!("{language}@example.com"), "language": language });
        app.post("/signup").json(&body).send().await.expect_status(201);
    }
    let mails = app.mails().concat();
    assert!(mails.contains("\nhttps://sewing.example/confirm/signup?id="), "{mails}");
    assert!(
        mails.contains("\nhttps://sewing.example/nl/confirm/signup?id="),
        "{mails}"
    );
}

#[tokio::test]
async fn known_address_gets_the_same_response_and_another_mail() {
    let app = App::new().await;
    let body = json!({ "email": "jane@example.com", "language": "en" });
    let first = app.post("/signup").json(&body).send().await;
    let again = app
        .post("/signup")
        .json(&json!({ "email": "JANE@example.com", "language": "en" }))
        .send()
        .await;
    assert_eq!((first.status, first.text()), (again.status, again.text()));

    let active = app.person("active").await;
    let body = json!({ "email": active.email, "language": "en" });
    let answer = app.post("/signup").json(&body).send().await.expect_status(201);
    assert_eq!(answer, json!({ "result": "created", "email": active.email }));
    let mails = app.mails();
    assert_eq!(
        mails
            .iter()
            .filter(|mail| mail.contains("Subject: Confirm your"))
            .count(),
        2
    );
    assert_eq!(
        mails
            .iter()
            .filter(|mail| mail.contains("Subject: You already have"))
            .count(),
        1
    );
    assert!(mails.last().unwrap().contains("/confirm/signin?id="));
}

#[tokio::test]
async fn link_for_an_existing_account_signs_in_once() {
    let app = App::new().await;
    let person = app.person("active").await;
    let body = json!({ "email": person.email, "language": "en", "test": "yes" });
    let id = app.post("/signup").json(&body).send().await.expect_status(201)["confirmation"].clone();
    // The check is required; the id of the confirmation is not enough.
    let link = format!("/signinlink/{}", id.as_str().unwrap());
    app.post(&link).send().await.expect_missing();
    app.post(&format!("{link}/0123456789abcdef"))
        .send()
        .await
        .expect_missing();

    let body = json!({ "email": person.email, "language": "en" });
    app.post("/signup").json(&body).send().await.expect_status(201);
    let (id, check) = app.newest_link();
    let signed_in = app
        .post(&format!("/signinlink/{id}"))
        .json(&json!({ "check": check }))
        .send()
        .await;
    assert_eq!(signed_in.expect_status(200)["account"]["id"], person.id);
    app.post(&format!("/signinlink/{id}/{check}"))
        .send()
        .await
        .expect_missing();
}

#[tokio::test]
async fn expired_link_is_refused() {
    let app = App::new().await;
    let person = app.person("active").await;
    app.post("/signup")
        .json(&json!({ "email": person.email, "language": "en" }))
        .send()
        .await
        .expect_status(201);
    let (id, check) = app.newest_link();
    app.clock.advance_ms(60 * 60 * 1000);
    app.post(&format!("/signinlink/{id}/{check}"))
        .send()
        .await
        .expect_missing();
}

#[tokio::test]
async fn test_mode_requires_setting_flag_and_domain() {
    // In the original, `test: true` was enough to create an administrator.
    let sign_up = async |app: &App, email: &str, test: serde_json::Value| {
        let body = json!({ "email": email, "language": "en", "role": "admin", "test": test });
        app.post("/signup").json(&body).send().await.expect_status(201)
    };
    let on = App::new().await;
    assert!(sign_up(&on, "a@freesewing.dev", json!(true)).await["confirmation"].is_string());
    assert!(sign_up(&on, "b@FreeSewing.DEV", json!("yes please")).await["confirmation"].is_string());
    assert!(sign_up(&on, "c@freesewing.dev", json!(false)).await["confirmation"].is_null());
    assert!(sign_up(&on, "d@example.com", json!(true)).await["confirmation"].is_null());
    assert!(sign_up(&on, "e@evil-freesewing.dev", json!(true)).await["confirmation"].is_null());
    let off = App::with(&[("BACKEND_ENABLE_TESTS", "no")]).await;
    assert!(sign_up(&off, "a@freesewing.dev", json!(true)).await["confirmation"].is_null());
    let (id, _) = off.newest_link();
    let body = json!({ "consent": 1 });
    let confirmed = off
        .post(&format!("/confirm/signup/{id}"))
        .json(&body)
        .send()
        .await
        .expect_status(200);
    assert_eq!(confirmed["account"]["role"], "user");
}

#[tokio::test]
async fn concurrent_sign_ups_create_one_account() {
    // The second got a 500 in the original.
    let app = App::new().await;
    let other = app.another().await;
    let body = json!({ "email": "jane@freesewing.dev", "language": "en", "test": true });
    let sign_up = async |app: &App| app.post("/signup").json(&body).send().await.expect_status(201);
    let (a, b, c, d) = tokio::join!(sign_up(&app), sign_up(&other), sign_up(&app), sign_up(&other));
    let mut confirmed = 0;
    for answer in [a, b, c, d] {
        let path = format!("/confirm/signup/{}", answer["confirmation"].as_str().unwrap());
        let answer = app.post(&path).json(&json!({ "consent": 1 })).send().await;
        confirmed += i32::from(answer.status == 200);
    }
    // Each new mail revokes the link of the one before.
    assert_eq!(confirmed, 1);
}

#[tokio::test]
async fn each_concurrent_sign_up_gets_its_mail() {
    let app = App::new().await;
    let other = app.another().await;
    let sign_ups = (0..60).map(|number| {
        let app = if number % 2 == 0 { &app } else { &other };
        async move {
            let body = json!({ "email": format!("p{number}@example.com"), "language": "en" });
            app.post("/signup").json(&body).send().await.expect_status(201)
        }
    });
    futures_util::future::join_all(sign_ups).await;
    // Two processes may both deliver the same mail, but each mail must be delivered.
    let delivered: std::collections::BTreeSet<_> = app.mails().into_iter().chain(other.mails()).collect();
    assert_eq!(delivered.len(), 60);
}
