//! Tests of changes of the e-mail address by `PATCH /account/{auth}`.

use bespoke_tests::support::{Answer, App, Person};
use serde_json::{Value, json};

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

async fn patch(app: &App, person: &Person, body: Value) -> Answer {
    app.patch("/account/jwt").jwt(&person.token).json(&body).send().await
}

/// Requests an address; returns the body that confirms it.
async fn request_change(app: &App, person: &Person, address: &str) -> Value {
    let answer = patch(app, person, json!({ "email": address })).await.expect_status(200);
    assert_eq!(
        (
            &answer["ignored"],
            &answer["account"]["email"],
            answer.get("confirmation")
        ),
        (&json!([]), &json!(person.email), None)
    );
    let mails = app.mails();
    let mail = mails
        .iter()
        .rfind(|mail| mail.contains("confirm/emailchange?id="))
        .unwrap();
    let query = mail.split_once("?id=").unwrap().1.lines().next().unwrap();
    let (id, check) = query.split_once("&check=").unwrap();
    json!({ "confirm": "emailchange", "confirmation": id, "check": check })
}

fn mails_to(app: &App, address: &str, subject: &str) -> usize {
    let (to, subject) = (format!("To: {address}"), format!("Subject: {subject}"));
    let mails = app.mails();
    mails
        .iter()
        .filter(|mail| mail.contains(&to) && mail.contains(&subject))
        .count()
}

#[tokio::test]
async fn address_changes_by_link_and_old_address_is_notified() {
    let app = App::new().await;
    let person = app.person("jane").await;
    let confirm = request_change(&app, &person, " Jane.Doe@Example.org ").await;
    assert_eq!(mails_to(&app, "jane.doe@example.org", "Confirm your new address"), 1);
    assert_eq!(mails_to(&app, &person.email, "Another address"), 1);
    let answer = patch(&app, &person, confirm.clone()).await.expect_status(200);
    assert_eq!(
        (
            &answer["account"]["email"],
            &answer["account"]["initial"],
            &answer["ignored"]
        ),
        (&json!("jane.doe@example.org"), &json!(person.email), &json!([]))
    );
    assert_eq!(mails_to(&app, &person.email, "Your FreeSewing account has another"), 1);
    // Now mails go to the new address, and it signs in. The original stored a new address encrypted twice.
    let body = json!({ "username": "JANE.doe@example.org" });
    app.post("/signinlink").json(&body).send().await.expect_status(200);
    assert_eq!(mails_to(&app, "jane.doe@example.org", "Sign in"), 1);
    let before = app.mails().len();
    let body = json!({ "username": person.email });
    app.post("/signinlink").json(&body).send().await.expect_status(200);
    assert_eq!(app.mails().len(), before);
    // The confirmation is used up. The original never deleted it.
    patch(&app, &person, confirm).await.expect_missing();
}

#[tokio::test]
async fn test_mode_returns_the_confirmation_and_requires_its_check() {
    let app = App::new().await;
    let person = app.person("jane").await;
    for method in ["jwt", "key"] {
        for address in ["other@freesewing.dev", "jane@freesewing.dev"] {
            let path = format!("/account/{method}");
            let send = async |body: Value| {
                app.patch(&path)
                    .auth(&person, method)
                    .json(&body)
                    .send()
                    .await
                    .expect_status(200)
            };
            let asked = send(json!({ "email": address, "test": true })).await;
            assert_eq!(asked["result"], "success");
            assert_eq!(asked["confirmation"].is_string(), address != person.email);
            let confirm = json!({ "confirm": "emailchange", "confirmation": asked["confirmation"] });
            let answer = send(confirm).await;
            assert_eq!(
                (&answer["result"], &answer["account"]["email"], &answer["ignored"]),
                (&json!("success"), &json!(person.email), &json!([]))
            );
        }
    }
    assert_eq!(app.mails().len(), 0);
    let off = App::with(&[("BACKEND_ENABLE_TESTS", "no")]).await;
    assert_eq!(off.mails().len(), 0);
}

#[tokio::test]
async fn foreign_confirmation_is_missing_and_changes_nothing() {
    let app = App::new().await;
    let person = app.person("jane").await;
    let eve = app.person("eve").await;
    let confirm = request_change(&app, &person, "jane@example.org").await;
    let with = |name: &str, value: Value| {
        let mut body = confirm.clone();
        body[name] = value;
        body["bio"] = json!("changed");
        body
    };
    for body in [
        with("check", json!("0123456789abcdef")),
        with("check", json!("")),
        with("confirmation", json!("6f9619ff-8b86-4011-b42d-00c04fc964ff")),
        with("confirmation", json!("12")),
        with("confirmation", json!("x".repeat(9_000))),
    ] {
        patch(&app, &person, body).await.expect_missing();
    }
    patch(&app, &eve, confirm.clone()).await.expect_missing();
    // Without one of its parts it is ignored.
    for name in ["check", "confirmation", "confirm"] {
        for value in [Value::Null, json!(7)] {
            let answer = patch(&app, &person, with(name, value)).await.expect_status(200);
            assert_eq!(answer["account"]["email"], json!(person.email));
        }
    }
    // So is a link of another kind.
    let body = json!({ "username": person.email });
    app.post("/signinlink").json(&body).send().await.expect_status(200);
    let (id, check) = app.newest_link();
    let body = json!({ "confirm": "emailchange", "confirmation": id, "check": check });
    patch(&app, &person, body).await.expect_missing();
    patch(&app, &person, confirm).await.expect_status(200);
}

#[tokio::test]
async fn confirmations_expire_after_a_day_or_use() {
    let app = App::new().await;
    let person = app.person("jane").await;
    let old = request_change(&app, &person, "old@example.org").await;
    app.clock.advance_ms(DAY_MS);
    patch(&app, &person, old).await.expect_missing();
    let first = request_change(&app, &person, "first@example.org").await;
    let second = request_change(&app, &person, "second@example.org").await;
    app.clock.advance_ms(DAY_MS - 1);
    patch(&app, &person, first).await.expect_status(200);
    patch(&app, &person, second).await.expect_missing();
}

#[tokio::test]
async fn address_taken_before_confirmation_is_refused() {
    let app = App::new().await;
    let person = app.person("jane").await;
    let other = app.person("other").await;
    // The request itself notifies neither address.
    let confirm = request_change(&app, &person, &other.email).await;
    patch(&app, &person, confirm).await.expect_error(409, "emailTaken");
    let (one, two) = (
        request_change(&app, &person, "both@example.org").await,
        request_change(&app, &other, "both@example.org").await,
    );
    let process = app.another().await;
    let (one, two) = tokio::join!(patch(&app, &person, one), patch(&process, &other, two));
    let mut statuses = [one.status, two.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409]);
}

#[tokio::test]
async fn links_to_the_old_address_are_revoked() {
    let app = App::new().await;
    let person = app.person("jane").await;
    let confirm = request_change(&app, &person, "jane@example.org").await;
    let body = json!({ "username": person.email });
    app.post("/signinlink").json(&body).send().await.expect_status(200);
    let (id, check) = app.newest_link();
    patch(&app, &person, confirm).await.expect_status(200);
    app.post(&format!("/signinlink/{id}/{check}"))
        .send()
        .await
        .expect_missing();
}

#[tokio::test]
async fn invalid_addresses_are_listed_and_own_address_changes_nothing() {
    let app = App::new().await;
    let person = app.person("jane").await;
    for address in [
        json!("jane"),
        json!(""),
        json!(7),
        json!({ "a": 1 }),
        json!(null),
        json!("a@b.de\r\nBcc: c@d.de"),
        json!("x".repeat(10_000)),
    ] {
        let answer = patch(&app, &person, json!({ "email": address, "bio": "kept" }))
            .await
            .expect_status(200);
        assert_eq!(
            (&answer["ignored"], &answer["account"]["bio"]),
            (&json!(["email"]), &json!("kept"))
        );
    }
    let answer = patch(&app, &person, json!({ "email": " JANE@freesewing.dev" }))
        .await
        .expect_status(200);
    assert_eq!(answer["ignored"], json!([]));
    assert_eq!(app.mails().len(), 0);
}

#[tokio::test]
async fn level_3_key_cannot_change_the_address() {
    // In the original, a key of level 3 could change the address.
    let app = App::new().await;
    let person = app.person("jane").await;
    let key = app.key(&person, 3).await;
    let confirm = request_change(&app, &person, "jane@example.org").await;
    for body in [json!({ "email": "eve@example.org" }), confirm] {
        app.patch("/account/key")
            .key(&key)
            .json(&body)
            .send()
            .await
            .expect_error(403, "insufficientAccessLevel");
    }
}

#[tokio::test]
async fn mails_of_address_changes_are_limited() {
    let app = App::new().await;
    let person = app.person("jane").await;
    for number in 0..6 {
        let body = json!({ "email": format!("victim-{number}@example.org") });
        patch(&app, &person, body).await.expect_status(200);
    }
    assert_eq!(
        app.mails().len(),
        6,
        "three to other addresses, and three to the own address"
    );
    let others = [app.person("a").await, app.person("b").await];
    for person in others {
        for _ in 0..3 {
            patch(&app, &person, json!({ "email": "victim@example.org" }))
                .await
                .expect_status(200);
        }
    }
    assert_eq!(mails_to(&app, "victim@example.org", "Confirm"), 3);
}

#[tokio::test]
async fn old_address_is_notified_of_a_password_change() {
    let app = App::new().await;
    let person = app.person("jane").await;
    let mut body = request_change(&app, &person, "jane@example.org").await;
    body["password"] = json!("another one");
    patch(&app, &person, body).await.expect_status(200);
    assert_eq!(mails_to(&app, &person.email, "Your FreeSewing password"), 1);
}
