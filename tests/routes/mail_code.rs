//! Tests of the code in mails with a link to a website, whose pages ask for it.

use bespoke_tests::support::App;
use serde_json::json;

/// Settings with a website.
const WEBSITE: [(&str, &str); 2] = [
    ("BACKEND_WEBSITE_DOMAIN", "lab.example.org"),
    ("BACKEND_REQUIRE_SIGNUP_CHECK", "yes"),
];

/// Returns the code in the newest mail.
fn newest_code(app: &App) -> String {
    let mail = app.mails().pop().unwrap();
    let (_, rest) = mail
        .split_once("If the page asks for a code, enter this one:")
        .expect("a code");
    rest.trim_start().chars().take(4).collect()
}

#[tokio::test]
async fn code_confirms_a_sign_up_and_signs_in() {
    let app = App::with(&WEBSITE).await;
    let body = json!({ "email": "jane@example.com", "language": "en" });
    app.post("/signup").json(&body).send().await.expect_status(201);
    let ((id, _), code) = (app.newest_link(), newest_code(&app));
    let open = app.get(&format!("/confirmations/{id}/{code}")).send().await;
    let confirmation = open.expect_status(200)["confirmation"].clone();
    assert_eq!(confirmation, json!({ "id": id, "check": code }));
    let body = json!({ "consent": 2, "check": code });
    let confirm = app.post(&format!("/confirm/signup/{id}")).json(&body).send().await;
    confirm.expect_status(200);

    let body = json!({ "username": "jane@example.com" });
    app.post("/signinlink").json(&body).send().await.expect_status(200);
    let ((id, _), code) = (app.newest_link(), newest_code(&app));
    let wrong = if code == "1234" { "4321" } else { "1234" };
    let sign_in = |check: &str| {
        app.post(&format!("/signinlink/{id}"))
            .json(&json!({ "check": check }))
            .send()
    };
    sign_in(wrong).await.expect_missing();
    assert!(sign_in(&code).await.expect_status(200)["token"].is_string());
    sign_in(&code).await.expect_missing();
}

#[tokio::test]
async fn ten_wrong_codes_void_the_code_but_not_the_link() {
    let app = App::with(&WEBSITE[..1]).await;
    let jane = app.person("jane").await;
    let body = json!({ "username": jane.email });
    app.post("/signinlink").json(&body).send().await.expect_status(200);
    let ((id, check), code) = (app.newest_link(), newest_code(&app));
    let wrong = if code == "1234" { "4321" } else { "1234" };
    // From one network, and from more networks than lock an account.
    for number in 0..130 {
        let network = if number < 20 { 0 } else { number };
        let guess = app.get(&format!("/confirmations/{id}/{wrong}"));
        guess
            .from_ip(&format!("192.0.{network}.1"))
            .send()
            .await
            .expect_missing();
    }
    let same_network = app.get(&format!("/confirmations/{id}/{check}")).from_ip("192.0.0.1");
    same_network.send().await.expect_status(200);
    for (text, is_accepted) in [(&code, false), (&check, true)] {
        let answer = app.get(&format!("/confirmations/{id}/{text}")).from_ip("198.51.100.1");
        let status = answer.send().await.status;
        assert_eq!(status == 200, is_accepted, "{text}");
    }
}

#[tokio::test]
async fn mail_with_a_link_to_the_console_has_no_code() {
    let app = App::new().await;
    let body = json!({ "email": "jane@example.com", "language": "en" });
    app.post("/signup").json(&body).send().await.expect_status(201);
    assert!(!app.mails().pop().unwrap().contains("code"));
}
