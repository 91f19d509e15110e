//! Tests of `PATCH /consent/jwt`.

use bespoke_tests::support::{Answer, App, Person};
use serde_json::{Value, json};

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

async fn consent(app: &App, token: &str, consent: u8) -> Answer {
    let change = app.patch("/consent/jwt").jwt(token);
    change.json(&json!({ "consent": consent })).send().await
}

async fn administer(app: &App, admin: &Person, person: &Person, body: Value) {
    let change = app.patch(&format!("/admin/user/{}/jwt", person.id)).jwt(&admin.token);
    change.json(&body).send().await.expect_status(200);
}

#[tokio::test]
async fn consent_never_extends_a_token() {
    let app = App::new().await;
    let jane = app.person("jane").await;
    let claims = |token: &str| app.context().tokens().verify(token, app.context().now()).unwrap();
    let expiry = claims(&jane.token).exp;
    let mut token = jane.token.clone();
    // Otherwise a stolen token could be renewed without end, with or without consent in between.
    for (day, level) in [2, 2, 0, 1, 3].into_iter().enumerate() {
        app.clock.advance_ms(DAY_MS);
        let changed = consent(&app, &token, level).await.expect_status(200);
        token = changed["token"].as_str().unwrap().to_owned();
        assert_eq!(claims(&token).exp, expiry, "{day}");
        assert_eq!(changed["account"]["consent"], level);
    }
    app.clock.advance_ms(2 * DAY_MS);
    consent(&app, &token, 2).await.expect_error(401, "unauthorized");
}

#[tokio::test]
async fn repeated_consent_returns_the_same_token() {
    let app = App::new().await;
    let jane = app.person("jane").await;
    app.clock.advance_ms(DAY_MS);
    let changed = consent(&app, &jane.token, 2).await.expect_status(200);
    assert_eq!(changed["token"], jane.token);
}

#[tokio::test]
async fn owner_cannot_reactivate_a_deactivated_account() {
    let app = App::new().await;
    let admin = app.person_as("root", "admin").await;
    for withdraws_first in [false, true] {
        let jane = app.person(&format!("jane-{withdraws_first}")).await;
        if withdraws_first {
            consent(&app, &jane.token, 0).await.expect_status(200);
        }
        administer(&app, &admin, &jane, json!({ "status": 0 })).await;
        let changed = consent(&app, &jane.token, 2).await.expect_status(200);
        assert_eq!(changed["account"]["status"], 0);
        let body = json!({ "email": jane.email, "language": "en", "test": true });
        let again = app.post("/signup").json(&body).send().await.expect_status(201);
        assert_eq!(again.get("confirmation"), None);
        let read = app.get("/account/jwt").jwt(&jane.token).send().await;
        read.expect_error(401, "unauthorized");
        // Only an administrator activates it again.
        administer(&app, &admin, &jane, json!({ "status": 1 })).await;
        let read = app.get("/account/jwt").jwt(&jane.token).send().await;
        read.expect_status(200);
    }
}

#[tokio::test]
async fn confirmation_link_does_not_undo_a_deactivation() {
    let app = App::new().await;
    let admin = app.person_as("root", "admin").await;
    let body = json!({ "email": "new@freesewing.dev", "language": "en", "test": true });
    let signup = app.post("/signup").json(&body).send().await.expect_status(201);
    let path = format!("/confirm/signup/{}", signup["confirmation"].as_str().unwrap());
    let found = app.post("/admin/search/users/jwt").jwt(&admin.token);
    let found = found
        .json(&json!({ "q": "new@freesewing.dev" }))
        .send()
        .await
        .expect_status(200);
    let id = found["users"]["email"][0]["id"].clone();
    let change = app.patch(&format!("/admin/user/{id}/jwt")).jwt(&admin.token);
    change.json(&json!({ "status": 0 })).send().await.expect_status(200);
    let confirm = app.post(&path).json(&json!({ "consent": 2 })).send().await;
    confirm.expect_missing();
}
