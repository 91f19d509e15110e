//! What stops guessing passwords, and that it does not tell who has an account

use bespoke_tests::support::{Answer, App, Person};
use serde_json::{Value, json};

const WINDOW_MS: i64 = 15 * 60 * 1000;
const PASSWORD: &str = "secret words";

async fn with_password(app: &App) -> Person {
    let person = app.person("jane").await;
    let body = json!({ "password": PASSWORD });
    app.patch("/account/jwt")
        .jwt(&person.token)
        .json(&body)
        .send()
        .await
        .expect_status(200);
    person
}

async fn sign_in(app: &App, from: &str, name: &Value, password: &str) -> Answer {
    let body = json!({ "username": name, "password": password });
    app.post("/signin").from_ip(from).json(&body).send().await
}

#[tokio::test]
async fn ten_failures_lock_a_name_for_that_address_whether_anybody_has_it_or_not() {
    let app = App::new().await;
    with_password(&app).await;
    for (name, from) in [("user-1", "198.51.100.1"), ("nobody", "198.51.100.2")] {
        let name = json!(name);
        for _ in 0..10 {
            sign_in(&app, from, &name, "guess")
                .await
                .expect_error(401, "signInFailed");
        }
        for password in ["guess", PASSWORD] {
            let locked = sign_in(&app, from, &name, password).await;
            assert_eq!(locked.header("retry-after"), "900", "{name}");
            locked.expect_error(429, "tooManyRequests");
        }
    }
    let jane = json!("user-1");
    sign_in(&app, "203.0.113.9", &jane, PASSWORD).await.expect_status(200);
    app.clock.advance_ms(WINDOW_MS - 1);
    sign_in(&app, "198.51.100.1", &jane, PASSWORD)
        .await
        .expect_error(429, "tooManyRequests");
    app.clock.advance_ms(1);
    sign_in(&app, "198.51.100.1", &jane, PASSWORD).await.expect_status(200);
}

#[tokio::test]
async fn other_names_of_a_locked_account_fail_like_names_that_nobody_has() {
    let app = App::new().await;
    let person = with_password(&app).await;
    let from = "198.51.100.1";
    for round in 0..10 {
        let name = if round % 2 == 0 {
            json!("user-1")
        } else {
            json!(person.email)
        };
        sign_in(&app, from, &name, "guess")
            .await
            .expect_error(401, "signInFailed");
    }
    for name in [json!(person.id), json!("user-1"), json!("nobody")] {
        sign_in(&app, from, &name, PASSWORD)
            .await
            .expect_error(401, "signInFailed");
    }
}

#[tokio::test]
async fn the_addresses_of_one_ipv6_customer_are_one() {
    let app = App::new().await;
    with_password(&app).await;
    let jane = json!("user-1");
    for host in 0..10 {
        let from = format!("2001:db8:1:2::{host}");
        sign_in(&app, &from, &jane, "guess")
            .await
            .expect_error(401, "signInFailed");
    }
    sign_in(&app, "2001:db8:1:2:ffff::1", &jane, PASSWORD)
        .await
        .expect_error(429, "tooManyRequests");
    sign_in(&app, "2001:db8:1:3::1", &jane, PASSWORD)
        .await
        .expect_status(200);
}

#[tokio::test]
async fn a_hundred_failures_from_everywhere_lock_for_all_but_a_link_and_the_owner_is_told_once() {
    let app = App::new().await;
    let other = app.another().await;
    let person = with_password(&app).await;
    let jane = json!("user-1");
    let before = app.mails().len();
    for failure in 0..105 {
        let process = if failure % 2 == 0 { &app } else { &other };
        let from = format!("198.51.100.{}", failure / 9);
        sign_in(process, &from, &jane, "guess")
            .await
            .expect_error(401, "signInFailed");
    }
    sign_in(&app, "203.0.113.9", &jane, PASSWORD)
        .await
        .expect_error(401, "signInFailed");
    let told = |app: &App| {
        let mails = app.mails();
        mails
            .iter()
            .filter(|mail| mail.contains("Subject: Many failed"))
            .count()
    };
    assert_eq!(told(&app) + told(&other), 1);
    assert_eq!(app.mails().len() + other.mails().len(), before + 1);

    let body = json!({ "username": person.email });
    app.post("/signinlink").json(&body).send().await.expect_status(200);
    let (id, check) = app.newest_link();
    app.post(&format!("/signinlink/{id}/{check}"))
        .send()
        .await
        .expect_status(200);
    app.clock.advance_ms(WINDOW_MS);
    sign_in(&app, "203.0.113.9", &jane, PASSWORD).await.expect_status(200);
}

#[tokio::test]
async fn every_sign_in_hashes_one_password_whoever_is_meant() {
    // Defect D58: the time of an answer told who has an account.
    let app = App::new().await;
    let person = with_password(&app).await;
    let fresh = app.person("fresh").await;
    let body = json!({ "email": "inactive@freesewing.dev", "language": "en", "test": true });
    app.post("/signup").json(&body).send().await.expect_status(201);
    let runs = || app.context().password_runs();
    let long = "x".repeat(5_000);
    for (name, password, status) in [
        (json!("user-1"), json!(PASSWORD), 200),
        (json!(person.email), json!("guess"), 401),
        (json!("user-1"), json!(7), 401),
        (json!("user-1"), json!(long), 401),
        (json!(fresh.email), json!("no password was set"), 401),
        (json!("inactive@freesewing.dev"), json!("guess"), 401),
        (json!("nobody"), json!("guess"), 401),
        (json!("nobody@example.com"), json!({ "a": 1 }), 401),
        (json!(["user-1"]), json!(PASSWORD), 401),
        (json!(99), json!(long), 401),
    ] {
        let before = runs();
        let body = json!({ "username": name, "password": password });
        let answer = app.post("/signin").json(&body).send().await;
        assert_eq!((answer.status, runs() - before), (status, 1), "{body}");
    }
    for name in ["user-1", "nobody"] {
        let name = json!(name);
        for attempt in 0..12 {
            let before = runs();
            sign_in(&app, "198.51.100.1", &name, "guess").await;
            assert_eq!(runs() - before, 1, "{name} {attempt}");
        }
    }
}

#[tokio::test]
async fn a_locked_account_with_the_right_password_says_nothing_of_its_second_factor() {
    let app = App::new().await;
    let person = with_password(&app).await;
    let set_up = app
        .post("/account/mfa/jwt")
        .jwt(&person.token)
        .json(&json!({ "mfa": true }))
        .send()
        .await
        .expect_status(200);
    let secret = bespoke_core::TotpSecret::from_stored(set_up["mfa"]["secret"].as_str().unwrap().to_owned());
    let code = secret.code(bespoke_core::Clock::now(&*app.clock));
    let body = json!({ "mfa": true, "secret": secret.expose(), "token": code });
    app.post("/account/mfa/jwt")
        .jwt(&person.token)
        .json(&body)
        .send()
        .await
        .expect_status(200);
    let from = "198.51.100.1";
    for _ in 0..10 {
        sign_in(&app, from, &json!("user-1"), "guess").await;
    }
    sign_in(&app, from, &json!(person.email), PASSWORD)
        .await
        .expect_error(401, "signInFailed");
}
