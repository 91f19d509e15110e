//! Tests of `POST /signinlink`, `POST /signinlink/{id}`, `POST /signinlink/{id}/{check}` and `GET /confirmations/{id}/{check}`.

use bespoke_tests::support::{App, Person};
use serde_json::{Value, json};

const HOUR_MS: i64 = 60 * 60 * 1000;

async fn request_link(app: &App, name: &Value) -> Value {
    let body = json!({ "username": name });
    app.post("/signinlink").json(&body).send().await.expect_status(200)
}

async fn link_for(app: &App, person: &Person) -> (String, String) {
    request_link(app, &json!(person.email)).await;
    app.newest_link()
}

#[tokio::test]
async fn missing_name_is_rejected() {
    let app = App::new().await;
    app.post("/signinlink")
        .send()
        .await
        .expect_error(400, "postBodyMissing");
    for body in [
        json!({ "user": "jane" }),
        json!({ "username": "" }),
        json!({ "username": null }),
    ] {
        app.post("/signinlink")
            .json(&body)
            .send()
            .await
            .expect_error(400, "usernameMissing");
    }
}

#[tokio::test]
async fn link_signs_in_once_in_either_form() {
    let app = App::new().await;
    let person = app.person("jane").await;
    for (name, in_path) in [
        (json!("user-1"), true),
        (json!(person.id), false),
        (json!(person.uuid), true),
    ] {
        assert_eq!(request_link(&app, &name).await, json!({ "result": "emailSent" }));
        let mail = app.mails().pop().unwrap();
        assert!(
            mail.contains("To: jane@freesewing.dev") && mail.contains("Subject: Sign in"),
            "{mail}"
        );
        assert!(mail.contains("/console/confirm/signin?id="), "{mail}");
        let (id, check) = app.newest_link();
        let send = async || match in_path {
            true => app.post(&format!("/signinlink/{id}/{check}")).send().await,
            false => {
                let body = json!({ "check": check });
                app.post(&format!("/signinlink/{id}")).json(&body).send().await
            }
        };
        let answer = send().await.expect_status(200);
        assert_eq!(
            (&answer["result"], &answer["account"]["id"]),
            (&json!("success"), &json!(person.id))
        );
        let token = answer["token"].as_str().unwrap();
        app.get("/account/jwt").jwt(token).send().await.expect_status(200);
        send().await.expect_missing();
    }
}

#[tokio::test]
async fn unusable_account_gets_the_same_response_and_no_mail() {
    let app = App::new().await;
    let body = json!({ "email": "inactive@freesewing.dev", "language": "en", "test": true });
    app.post("/signup").json(&body).send().await.expect_status(201);
    for name in [
        json!("nobody"),
        json!("nobody@example.com"),
        json!(99),
        json!({ "a": 1 }),
        json!([]),
        json!(true),
        json!("inactive@freesewing.dev"),
        json!("x".repeat(10_000)),
    ] {
        assert_eq!(
            request_link(&app, &name).await,
            json!({ "result": "emailSent" }),
            "{name}"
        );
    }
    assert_eq!(app.mails().len(), 0);
    let person = app.person("jane").await;
    let body = json!({ "username": person.email, "test": "yes" });
    let answer = app.post("/signinlink").json(&body).send().await.expect_status(200);
    assert_eq!(answer, json!({ "result": "emailSent" }), "no mail in test mode");
    assert_eq!(app.mails().len(), 0);
}

#[tokio::test]
async fn get_does_not_use_a_link() {
    let app = App::new().await;
    let person = app.person("jane").await;
    let (id, check) = link_for(&app, &person).await;
    for _ in 0..2 {
        let answer = app.get(&format!("/confirmations/{id}/{check}")).send().await;
        assert_eq!(
            answer.expect_status(200),
            json!({ "result": "success", "confirmation": { "id": id, "check": check } })
        );
    }
    for path in [
        format!("/confirmations/{id}/0123456789abcdef"),
        format!("/confirmations/{id}/check"),
        format!("/confirmations/7/{check}"),
        format!("/confirmations/6f9619ff-8b86-4011-b42d-00c04fc964ff/{check}"),
    ] {
        app.get(&path).send().await.expect_missing();
    }
    // Mail programs open links before their readers do.
    app.get(&format!("/signinlink/{id}/{check}"))
        .send()
        .await
        .expect_error(405, "methodNotAllowed");
    app.post(&format!("/signinlink/{id}/{check}"))
        .send()
        .await
        .expect_status(200);
    app.get(&format!("/confirmations/{id}/{check}"))
        .send()
        .await
        .expect_missing();
}

#[tokio::test]
async fn open_links_work_until_one_of_them_is_used() {
    let app = App::new().await;
    let person = app.person("jane").await;
    let first = link_for(&app, &person).await;
    let second = link_for(&app, &person).await;
    let third = link_for(&app, &person).await;
    let use_link = async |(id, check): &(String, String)| app.post(&format!("/signinlink/{id}/{check}")).send().await;
    use_link(&first).await.expect_status(200);
    for used_up in [&first, &second, &third] {
        use_link(used_up).await.expect_missing();
    }
}

#[tokio::test]
async fn link_expires_after_an_hour() {
    let app = App::new().await;
    let person = app.person("jane").await;
    let (second, second_check) = link_for(&app, &person).await;
    app.clock.advance_ms(HOUR_MS - 1);
    app.get(&format!("/confirmations/{second}/{second_check}"))
        .send()
        .await
        .expect_status(200);
    app.clock.advance_ms(1);
    for path in ["confirmations", "signinlink"] {
        let method = if path == "signinlink" { "POST" } else { "GET" };
        app.request(method, &format!("/{path}/{second}/{second_check}"))
            .send()
            .await
            .expect_missing();
    }
}

#[tokio::test]
async fn concurrent_uses_of_a_link_have_one_winner() {
    let app = App::new().await;
    let other = app.another().await;
    let person = app.person("jane").await;
    let (id, check) = link_for(&app, &person).await;
    let path = format!("/signinlink/{id}/{check}");
    let (one, two) = tokio::join!(app.post(&path).send(), other.post(&path).send());
    let mut statuses = [one.status, two.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 404]);
}

#[tokio::test]
async fn links_for_strangers_are_limited_per_site_and_in_total() {
    let app = App::new().await;
    let person = app.person("jane").await;
    let body = json!({ "username": person.email });
    let ask_from = async |from: &str| {
        let answer = app.post("/signinlink").from_ip(from).json(&body).send().await;
        assert_eq!(answer.expect_status(200), json!({ "result": "emailSent" }));
    };
    for round in 0..5 {
        ask_from(&format!("2001:db8:1:{round}::1")).await;
    }
    assert_eq!(app.mails().len(), 3);
    for round in 0..20 {
        ask_from(&format!("198.51.100.{round}")).await;
    }
    assert_eq!(app.mails().len(), 10);
    // On a known network the owner has a separate budget of mails.
    for _ in 0..5 {
        request_link(&app, &json!(person.email)).await;
    }
    assert_eq!(app.mails().len(), 13);
    // A used link frees its place.
    let (id, check) = app.newest_link();
    app.post(&format!("/signinlink/{id}/{check}"))
        .send()
        .await
        .expect_status(200);
    ask_from("203.0.113.10").await;
    request_link(&app, &json!(person.email)).await;
    assert_eq!(app.mails().len(), 15);
}

#[tokio::test]
async fn tagged_addresses_share_the_budget_of_their_mailbox() {
    let app = App::new().await;
    let sign_up = async |from: &str, email: &str| {
        let body = json!({ "email": email, "language": "en" });
        let request = app.post("/signup").from_ip(from).json(&body);
        request.send().await.expect_status(201);
    };
    for tag in 0..6 {
        sign_up("198.51.100.1", &format!("jane+{tag}@example.com")).await;
    }
    sign_up("198.51.100.1", "jane@example.com").await;
    assert_eq!(app.mails().len(), 3);
    // Her own sign-up is not suppressed.
    sign_up("203.0.113.10", "jane@example.com").await;
    assert_eq!(app.mails().len(), 4);
}

#[tokio::test]
async fn sign_up_mails_are_limited_to_three_an_hour() {
    let app = App::new().await;
    let body = json!({ "email": "jane@example.com", "language": "en" });
    for _ in 0..5 {
        let answer = app.post("/signup").json(&body).send().await.expect_status(201);
        assert_eq!(answer, json!({ "result": "created", "email": "jane@example.com" }));
    }
    assert_eq!(app.mails().len(), 3);
    let (id, check) = app.newest_link();
    let body = json!({ "consent": 1, "check": check });
    app.post(&format!("/confirm/signup/{id}"))
        .json(&body)
        .send()
        .await
        .expect_status(200);
}

#[tokio::test]
async fn response_does_not_wait_for_the_mail() {
    let app = App::new().await;
    let person = app.person("jane").await;
    let subscribe = json!({ "email": person.email, "language": "en" });
    app.post("/subscriber").json(&subscribe).send().await.expect_status(200);
    for (path, body) in [
        ("/signinlink", json!({ "username": person.email })),
        ("/subscriber/remove", json!({ "email": person.email })),
    ] {
        let before = app.mails().len();
        let request = http::Request::post(path).header("content-type", "application/json");
        let request = request.body(body.to_string().into()).unwrap();
        assert_eq!(app.gateway().handle(request).await.status(), 200);
        assert_eq!(app.mails().len(), before, "{path}");
        app.context().finish_mail().await;
        assert_eq!(app.mails().len(), before + 1, "{path}");
    }
}
