//! Tests of `POST /signin`.

use bespoke_tests::support::{App, Person};
use serde_json::{Value, json};

async fn person_with_password(app: &App) -> Person {
    let person = app.person("jane").await;
    let body = json!({ "password": "secret words", "username": "Jane" });
    app.change_account(&person, &body).await;
    person
}

#[tokio::test]
async fn missing_fields_are_named_and_failures_look_the_same() {
    let app = App::new().await;
    let person = person_with_password(&app).await;
    for (body, code) in [
        (json!({}), "postBodyMissing"),
        (json!({ "password": "x" }), "usernameMissing"),
        (json!({ "username": "", "password": "x" }), "usernameMissing"),
        (json!({ "username": "jane" }), "passwordMissing"),
        (json!({ "username": "jane", "password": "" }), "passwordMissing"),
    ] {
        app.post("/signin").json(&body).send().await.expect_error(400, code);
    }
    for (username, password) in [
        (json!("jane"), json!("secret")),
        (json!("jane"), json!("Secret words")),
        // The original crashed here.
        (json!("jane"), json!(7)),
        (json!("jane"), json!({ "$ne": null })),
        (json!(person.id), json!(["secret words"])),
        (json!("nobody"), json!("secret words")),
        (json!(["jane"]), json!("secret words")),
        (json!({}), json!("secret words")),
        (json!(999_999), json!("secret words")),
        // The original took leading digits for an id.
        (json!(format!("{}abc", person.id)), json!("secret words")),
        (json!("jane"), json!("x".repeat(50_000))),
    ] {
        let body = json!({ "username": username, "password": password });
        app.post("/signin")
            .json(&body)
            .send()
            .await
            .expect_error(401, "signInFailed");
    }
}

#[tokio::test]
async fn name_address_and_id_sign_in() {
    let app = App::new().await;
    let person = person_with_password(&app).await;
    for username in [
        json!("Jane"),
        json!("jANE"),
        json!(" jane "),
        json!(person.email),
        json!(person.email.to_uppercase()),
        json!(person.id),
        json!(person.id.to_string()),
        json!(person.uuid),
    ] {
        let body = json!({ "username": username, "password": "secret words" });
        let answer = app.post("/signin").json(&body).send().await.expect_status(200);
        assert_eq!(answer["result"], "success");
        let account = &answer["account"];
        assert_eq!(
            (&account["id"], &account["email"]),
            (&json!(person.id), &json!(person.email)),
            "{username}"
        );
        assert_eq!(
            (&account["username"], &account["lusername"]),
            (&json!("Jane"), &json!("jane"))
        );
        let token = answer["token"].as_str().unwrap();
        app.get("/account/jwt").jwt(token).send().await.expect_status(200);
    }
}

#[tokio::test]
async fn account_without_a_password_cannot_sign_in() {
    let app = App::new().await;
    let person = app.person("jane").await;
    let body = json!({ "username": person.email, "password": " " });
    app.post("/signin")
        .json(&body)
        .send()
        .await
        .expect_error(401, "signInFailed");
}

#[tokio::test]
async fn unconfirmed_account_is_revealed_by_the_right_password_only() {
    let app = App::new().await;
    app.post("/signup")
        .json(&json!({ "email": "jane@example.com", "language": "en" }))
        .send()
        .await
        .expect_status(201);
    let body = json!({ "username": "jane@example.com", "password": "guess" });
    app.post("/signin")
        .json(&body)
        .send()
        .await
        .expect_error(401, "signInFailed");
}

#[tokio::test]
async fn withdrawn_consent_can_be_given_again() {
    let app = App::new().await;
    let person = person_with_password(&app).await;
    app.patch("/consent/jwt")
        .jwt(&person.token)
        .json(&json!({ "consent": 0 }))
        .send()
        .await
        .expect_status(200);
    let signed_in = app
        .post("/signin")
        .json(&json!({ "username": "jane", "password": "secret words" }))
        .send()
        .await;
    let token = signed_in.expect_status(200)["token"].as_str().unwrap().to_owned();
    app.get("/account/jwt")
        .jwt(&token)
        .send()
        .await
        .expect_error(401, "unauthorized");
    app.get("/account/key")
        .key(&person.key)
        .send()
        .await
        .expect_error(401, "unauthorized");
    let whoami = app.get("/whoami/jwt").jwt(&token).send().await;
    assert_eq!(
        whoami.expect_status(451),
        json!({ "result": "error", "error": { "error": "consentLacking" } })
    );
    let given = app
        .patch("/consent/jwt")
        .jwt(&token)
        .json(&json!({ "consent": 3 }))
        .send()
        .await
        .expect_status(200);
    assert_eq!(given["account"]["consent"], 3);
    app.get("/account/jwt")
        .jwt(given["token"].as_str().unwrap())
        .send()
        .await
        .expect_status(200);
    app.get("/account/key").key(&person.key).send().await.expect_status(200);
    for consent in [json!(4), json!(-1), json!("1"), Value::Null] {
        let answer = app
            .patch("/consent/jwt")
            .jwt(&token)
            .json(&json!({ "consent": consent }))
            .send()
            .await;
        answer.expect_error(400, "consentInvalid");
    }
}

#[tokio::test]
async fn outdated_password_hash_is_replaced() {
    let bucket = bespoke_storage::MemoryStore::new();
    let app = App::on(bucket.clone(), &[]).await;
    let person = person_with_password(&app).await;
    let stored = async |app: &App| {
        let id = bespoke_core::EntityId::Integer(person.id);
        let read = app
            .context()
            .database()
            .read::<_, bespoke_web::Error>(bespoke_database::Freshness::Strict, move |db| {
                Ok(bespoke_database::users::by_id(db, id)?)
            });
        read.await.unwrap().unwrap().password
    };
    let before = stored(&app).await;
    let stronger = App::on(bucket, &[("BACKEND_PASSWORD_ITERATIONS", "2")]).await;
    let body = json!({ "username": "jane", "password": "secret words" });
    for _ in 0..2 {
        stronger.post("/signin").json(&body).send().await.expect_status(200);
        let after = stored(&stronger).await;
        assert!(before.contains("t=1,") && after.contains("t=2,"), "{before} {after}");
    }
    app.post("/signin").json(&body).send().await.expect_status(200);
}
