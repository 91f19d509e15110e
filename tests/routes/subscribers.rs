//! Tests of the routes below `/subscriber` and `/ocunsub`.

use bespoke_tests::support::{Answer, App};
use serde_json::{Value, json};

async fn subscribe(app: &App, body: &Value) -> Answer {
    app.post("/subscriber").json(body).send().await
}

/// Subscribes and confirms an address; returns the id and the check of the subscription.
async fn subscribe_and_confirm(app: &App, email: &str) -> (String, String) {
    let made = subscribe(app, &json!({ "email": email, "language": "en", "test": "yes please" })).await;
    let data = made.expect_status(200)["data"].clone();
    let text = |field: &str| data[field].as_str().unwrap().to_owned();
    let (id, ehash) = (text("id"), text("ehash"));
    let confirm = app
        .request("PUT", "/subscriber")
        .json(&json!({ "id": id, "ehash": ehash }));
    assert_eq!(confirm.send().await.expect_status(200), json!({ "result": "success" }));
    (id, ehash)
}

/// Whether that address receives the newsletter.
async fn is_subscribed(app: &App, email: &str) -> bool {
    let support = app.person_as(&format!("support{}", email.len()), "support").await;
    let list = app
        .get("/admin/subscribers/jwt")
        .jwt(&support.token)
        .send()
        .await
        .expect_status(200);
    let by_language = list["subscribers"].as_object().unwrap();
    let mut all = by_language.values().flat_map(|list| list.as_array().unwrap());
    all.any(|one| one["email"] == email && one["ehash"].is_string())
}

#[tokio::test]
async fn pages_that_read_x_unsubscribe() {
    let app = App::new().await;
    for language in ["en", "nl"] {
        let email = format!("jane@{language}.example");
        let body = json!({ "email": email, "language": language });
        subscribe(&app, &body).await.expect_status(200);
        let (id, ehash) = app.newest_link();
        let confirm = json!({ "id": id, "ehash": ehash });
        app.request("PUT", "/subscriber")
            .json(&confirm)
            .send()
            .await
            .expect_status(200);
    }
    let support = app.person_as("support", "support").await;
    let list = app
        .get("/admin/subscribers/jwt")
        .jwt(&support.token)
        .send()
        .await
        .expect_status(200);
    assert_eq!(list["subscribers"]["nl"][0]["email"], "jane@nl.example");
    assert_eq!(list["subscribers"]["en"].as_array().unwrap().len(), 1);
    subscribe(&app, &json!({ "email": "jane@en.example", "language": "en" }))
        .await
        .expect_status(200);
    let mail = app.mails().pop().unwrap().replace("=\r\n", "").replace("=3D", "=");
    let secret = mail
        .split("&x=")
        .nth(1)
        .or_else(|| mail.split("&amp;x=").nth(1))
        .unwrap();
    let secret = secret
        .split(|character: char| !character.is_ascii_hexdigit())
        .next()
        .unwrap();
    assert_eq!(list["subscribers"]["en"][0]["ehash"], secret);
    let unsubscribe = app.request("DELETE", &format!("/subscriber/{secret}"));
    assert_eq!(unsubscribe.send().await.status, 204);
    assert!(!is_subscribed(&app, "jane@en.example").await);
}

#[tokio::test]
async fn mailed_link_subscribes_the_address() {
    let app = App::new().await;
    let made = subscribe(&app, &json!({ "email": " Jane@Example.COM ", "language": "nL" }))
        .await
        .expect_status(200);
    assert_eq!(
        made,
        json!({ "result": "success", "data": { "language": "nl", "email": "jane@example.com" } })
    );
    let mail = app.mails().pop().unwrap();
    for expected in [
        "/newsletter/subscribe?id=",
        "List-Unsubscribe: <http://localhost:3000/ocunsub/",
        "List-Unsubscribe-Post: List-Unsubscribe=One-Click",
    ] {
        assert!(mail.contains(expected), "{expected} in {mail}");
    }
    // In the original, new subscribers got the mail for a repeated subscription.
    assert!(mail.contains("Je staat op het punt"), "{mail}");
    let (id, check) = app.newest_link();
    subscribe(&app, &json!({ "email": "jane@example.com", "language": "en" }))
        .await
        .expect_status(200);
    assert!(app.mails().pop().unwrap().contains("has not been confirmed yet"));
    assert_eq!(app.newest_link(), (id.clone(), check.clone()));
    let confirm = app
        .request("PUT", "/subscriber")
        .json(&json!({ "id": id, "ehash": check }));
    confirm.send().await.expect_status(200);
    assert!(is_subscribed(&app, "jane@example.com").await);
    subscribe(&app, &json!({ "email": "jane@example.com", "language": "en" }))
        .await
        .expect_status(200);
    assert!(app.mails().pop().unwrap().contains("/newsletter/unsubscribe?id="));
}

#[tokio::test]
async fn invalid_address_or_language_is_rejected() {
    let app = App::new().await;
    for (body, code) in [
        (json!({}), "emailMissing"),
        (json!({ "language": "en" }), "emailMissing"),
        (json!({ "email": 7, "language": "en" }), "emailMissing"),
        // The original accepted a blank address.
        (json!({ "email": "  ", "language": "en" }), "emailMissing"),
        (json!({ "email": "jane", "language": "en" }), "emailInvalid"),
        (json!({ "email": "jane@example.com" }), "languageMissing"),
        // The original crashed on a language that is not a text.
        (
            json!({ "email": "jane@example.com", "language": { "a": 1 } }),
            "languageMissing",
        ),
        (
            json!({ "email": "jane@example.com", "language": "xx" }),
            "languageMissing",
        ),
    ] {
        subscribe(&app, &body).await.expect_error(400, code);
    }
    let put = async |body: Value| app.request("PUT", "/subscriber").json(&body).send().await;
    put(json!({})).await.expect_error(400, "idMissing");
    put(json!({ "id": "x" })).await.expect_error(400, "ehashMissing");
    put(json!({ "id": "x", "ehash": "y" })).await.expect_missing();
    put(json!({ "id": [1], "ehash": { "a": 1 } })).await.expect_missing();
    assert!(app.mails().is_empty());
}

#[tokio::test]
async fn check_is_bound_to_its_id_and_not_guessable() {
    // In the original, knowing an address was enough to subscribe and unsubscribe it.
    use sha2::{Digest, Sha256};
    let app = App::new().await;
    let (jane, eve) = (
        subscribe_and_confirm(&app, "jane@freesewing.dev").await,
        subscribe_and_confirm(&app, "eve@freesewing.dev").await,
    );
    let digest = Sha256::digest(b"jane@freesewing.dev");
    let bare: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_ne!(bare, jane.1);
    for path in [
        format!("{}/{}", eve.0, jane.1),
        format!("{}/{bare}", eve.0),
        bare.clone(),
        format!("1/{}", jane.1),
        format!("{}/x", jane.0),
        "x".to_owned(),
        "1".to_owned(),
    ] {
        app.delete(&format!("/subscriber/{path}")).send().await.expect_missing();
    }
    let put = app
        .request("PUT", "/subscriber")
        .json(&json!({ "id": eve.0, "ehash": jane.1 }));
    put.send().await.expect_missing();
    // Links in mails of the original have the bare hash after the id.
    app.delete(&format!("/subscriber/{}/{bare}", jane.0))
        .send()
        .await
        .expect_status(204);
    assert!(!is_subscribed(&app, "jane@freesewing.dev").await);
    app.delete(&format!("/subscriber/{}/{bare}", jane.0))
        .send()
        .await
        .expect_missing();
}

#[tokio::test]
async fn each_form_of_unsubscribing_works() {
    let app = App::new().await;
    let email = "jane@freesewing.dev";
    for form in ["both", "check", "id"] {
        let (id, check) = subscribe_and_confirm(&app, email).await;
        let path = match form {
            "both" => format!("/subscriber/{id}/{check}"),
            "check" => format!("/subscriber/{}", check.to_uppercase()),
            _ => format!("/subscriber/{id}"),
        };
        app.delete(&path).send().await.expect_status(204);
        app.delete(&path).send().await.expect_missing();
    }
    let (id, check) = subscribe_and_confirm(&app, email).await;
    for secret in [&id, &check] {
        let page = app.get(&format!("/ocunsub/{secret}")).send().await;
        assert_eq!(
            (page.status, page.header("content-type")),
            (200, "text/html; charset=utf-8")
        );
        assert!(page.text().contains("<form method=\"post\">") && !page.text().contains(secret.as_str()));
        assert!(page.header("content-security-policy").contains("default-src 'none'"));
    }
    assert!(is_subscribed(&app, email).await, "a GET changes nothing");
    let form = "application/x-www-form-urlencoded";
    for _ in 0..2 {
        let removed = app
            .post(&format!("/ocunsub/{id}"))
            .body(form, "List-Unsubscribe=One-Click")
            .send()
            .await;
        assert_eq!(removed.status, 200);
    }
    app.get(&format!("/ocunsub/{id}")).send().await.expect_missing();
    assert!(
        subscribe_and_confirm(&app, email).await.0 != id,
        "a new subscription has new links"
    );
}

#[tokio::test]
async fn unsubscribing_by_mail_reveals_nothing() {
    let app = App::new().await;
    let remove = async |body: Value| app.post("/subscriber/remove").json(&body).send().await;
    remove(json!({})).await.expect_error(400, "emailMissing");
    remove(json!({ "email": "x" })).await.expect_error(400, "emailInvalid");
    let unknown = remove(json!({ "email": "nobody@example.com" }))
        .await
        .expect_status(200);
    assert!(app.mails().is_empty());
    let (id, check) = subscribe_and_confirm(&app, "jane@freesewing.dev").await;
    assert_eq!(
        remove(json!({ "email": "JANE@freesewing.dev" }))
            .await
            .expect_status(200),
        unknown
    );
    assert!(app.mails().pop().unwrap().contains("/newsletter/unsubscribe?id="));
    assert_eq!(app.newest_link(), (id.clone(), check.clone()));
    app.delete(&format!("/subscriber/{id}/{check}"))
        .send()
        .await
        .expect_status(204);
}

#[tokio::test]
async fn stranger_cannot_change_the_language_of_a_subscription() {
    let app = App::new().await;
    subscribe_and_confirm(&app, "jane@freesewing.dev").await;
    let again = json!({ "email": "jane@freesewing.dev", "language": "de" });
    let answer = subscribe(&app, &again).await.expect_status(200);
    assert_eq!(
        answer["data"],
        json!({ "email": "jane@freesewing.dev", "language": "de" })
    );
    let support = app.person_as("support", "support").await;
    let list = app.get("/admin/subscribers/jwt").jwt(&support.token).send().await;
    let list = list.expect_status(200);
    assert_eq!(list["subscribers"]["en"][0]["email"], "jane@freesewing.dev");
}
