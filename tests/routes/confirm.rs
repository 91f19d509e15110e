//! Tests of `POST /confirm/signup/{id}`.

use bespoke_tests::support::App;
use serde_json::{Value, json};

async fn sign_up(app: &App) -> String {
    let body = json!({ "email": "jane@freesewing.dev", "language": "en", "test": true });
    let answer = app.post("/signup").json(&body).send().await.expect_status(201);
    format!("/confirm/signup/{}", answer["confirmation"].as_str().unwrap())
}

#[tokio::test]
async fn consent_must_be_1_to_3() {
    let app = App::new().await;
    let confirm = sign_up(&app).await;
    app.post(&confirm).send().await.expect_error(400, "postBodyMissing");
    // The original stored 99.
    for consent in [
        json!(null),
        json!(0),
        json!(-1),
        json!("1"),
        json!(4),
        json!(99),
        json!(1.5),
        json!(true),
    ] {
        let answer = app.post(&confirm).json(&json!({ "consent": consent })).send().await;
        answer.expect_error(400, "consentRequired");
    }
}

#[tokio::test]
async fn confirmation_activates_the_account_once() {
    let app = App::new().await;
    let confirm = sign_up(&app).await;
    let answer = app
        .post(&confirm)
        .json(&json!({ "consent": 3 }))
        .send()
        .await
        .expect_status(200);
    assert_eq!(answer["result"], "success");
    let account = &answer["account"];
    assert_eq!(
        (&account["status"], &account["consent"], &account["role"]),
        (&json!(1), &json!(3), &json!("user"))
    );
    let expected = [
        "id",
        "bio",
        "compare",
        "consent",
        "control",
        "createdAt",
        "email",
        "data",
        "ihash",
        "imperial",
        "initial",
        "jwtCalls",
        "keyCalls",
        "language",
        "lastSeen",
        "mfaEnabled",
        "newsletter",
        "patron",
        "role",
        "status",
        "updatedAt",
        "username",
        "lusername",
        "passwordType",
        "uuid",
    ];
    assert_eq!(account.as_object().unwrap().keys().collect::<Vec<_>>(), expected);
    let whoami = app
        .get("/whoami/jwt")
        .jwt(answer["token"].as_str().unwrap())
        .send()
        .await
        .expect_status(200);
    assert_eq!(whoami["account"]["username"], format!("user-{}", account["id"]));
    app.post(&confirm)
        .json(&json!({ "consent": 1 }))
        .send()
        .await
        .expect_missing();
}

#[tokio::test]
async fn unknown_or_used_confirmation_is_missing() {
    let app = App::new().await;
    let confirm = sign_up(&app).await;
    let body = json!({ "consent": 1 });
    for path in [
        "/confirm/signup/12",
        "/confirm/signup/x",
        "/confirm/signup/6f9619ff-8b86-4011-b42d-00c04fc964ff",
    ] {
        app.post(path).json(&body).send().await.expect_missing();
    }
    for check in [json!("0123456789abcdef"), json!(7), Value::Null, json!("")] {
        app.post(&confirm)
            .json(&json!({ "consent": 1, "check": check }))
            .send()
            .await
            .expect_missing();
    }
    // Seven days.
    app.clock.advance_ms(7 * 24 * 60 * 60 * 1000);
    app.post(&confirm).json(&body).send().await.expect_missing();
    let again = sign_up(&app).await;
    app.post(&again).json(&body).send().await.expect_status(200);
}

#[tokio::test]
async fn check_is_mandatory_if_configured() {
    let app = App::with(&[("BACKEND_REQUIRE_SIGNUP_CHECK", "yes")]).await;
    let body = json!({ "email": "jane@example.com", "language": "en" });
    app.post("/signup").json(&body).send().await.expect_status(201);
    let (id, check) = app.newest_link();
    let confirm = format!("/confirm/signup/{id}");
    app.post(&confirm)
        .json(&json!({ "consent": 1 }))
        .send()
        .await
        .expect_missing();
    app.post(&confirm)
        .json(&json!({ "consent": 1, "check": check }))
        .send()
        .await
        .expect_status(200);
}

#[tokio::test]
async fn first_of_two_links_works_and_voids_the_second() {
    let app = App::new().await;
    let (first, second) = (sign_up(&app).await, sign_up(&app).await);
    app.post(&first)
        .json(&json!({ "consent": 1 }))
        .send()
        .await
        .expect_status(200);
    app.post(&second)
        .json(&json!({ "consent": 1 }))
        .send()
        .await
        .expect_missing();
}

#[tokio::test]
async fn concurrent_confirmations_have_one_winner() {
    let app = App::new().await;
    let other = app.another().await;
    let confirm = sign_up(&app).await;
    let body = json!({ "consent": 1 });
    let (one, two) = tokio::join!(
        app.post(&confirm).json(&body).send(),
        other.post(&confirm).json(&body).send()
    );
    let mut statuses = [one.status, two.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 404]);
}
