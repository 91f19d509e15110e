//! Tests of tokens for acting as another account, and of the audit entries of their calls.

use bespoke_tests::support::{Answer, App};
use serde_json::{Value, json};

const DENIED: &str = "insufficientAccessLevel";

async fn consent(app: &App, token: &str, consent: u8) -> Answer {
    let change = app.patch("/consent/jwt").jwt(token);
    change.json(&json!({ "consent": consent })).send().await
}

#[tokio::test]
async fn impersonator_cannot_change_consent() {
    let app = App::new().await;
    let (admin, jane) = (app.person_as("root", "admin").await, app.person("jane").await);
    for role in ["support", "admin"] {
        let helper = app.person_as(&format!("{role}-2"), role).await;
        let token = app.impersonate(&helper, &jane).await;
        for level in 0..=3 {
            consent(&app, &token, level).await.expect_error(403, DENIED);
        }
    }
    // Not even if the account is unusable without consent.
    let helper = app.person_as("help", "support").await;
    let token = app.impersonate(&helper, &jane).await;
    consent(&app, &jane.token, 0).await.expect_status(200);
    consent(&app, &token, 2).await.expect_error(403, DENIED);
    let account = app.get(&format!("/admin/user/{}/jwt", jane.id)).jwt(&admin.token);
    assert_eq!(account.send().await.expect_status(200)["user"]["consent"], 0);
}

#[tokio::test]
async fn each_call_of_an_impersonator_is_audited() {
    let app = App::new().await;
    let (admin, jane) = (app.person_as("root", "admin").await, app.person("jane").await);
    let helper = app.person_as("help", "support").await;
    let token = app.impersonate(&helper, &jane).await;
    let before = app.audit(&admin).await.len();
    app.get("/whoami/jwt").jwt(&token).send().await.expect_status(200);
    app.get("/sets/jwt").jwt(&token).send().await.expect_status(200);
    app.post("/account/export/jwt")
        .jwt(&token)
        .send()
        .await
        .expect_status(200);
    // A refusal shows no private record.
    app.delete("/account/jwt")
        .jwt(&token)
        .send()
        .await
        .expect_error(403, DENIED);
    let rows = app.audit(&admin).await;
    assert_eq!(rows.len(), before + 3);
    for (row, (method, path)) in rows.iter().rev().skip(before).zip([
        ("GET", "/whoami/jwt"),
        ("GET", "/sets/jwt"),
        ("POST", "/account/export/jwt"),
    ]) {
        assert_eq!(
            (&row["actor"], &row["action"], &row["target"], &row["after"]),
            (
                &json!(helper.id),
                &json!("users.impersonate.call"),
                &json!(format!("users/{}", jane.id)),
                &json!({ "method": method, "path": path })
            )
        );
    }
}

#[tokio::test]
async fn reading_private_records_of_others_is_audited() {
    let app = App::new().await;
    let jane = app.person("jane").await;
    let make = async |kind: &str, body: Value| {
        let path = format!("/{kind}s/jwt");
        let made = app.post(&path).jwt(&jane.token).json(&body).send().await;
        made.expect_status(201)[kind]["id"].to_string()
    };
    let mut records = Vec::new();
    for public in [false, true] {
        let set = make("set", json!({ "name": "s", "public": public })).await;
        let pattern = json!({ "design": "aaron", "settings": {}, "public": public });
        records.push((set, make("pattern", pattern).await));
    }
    let [private, public] = [&records[0], &records[1]];
    let admin = app.person_as("root", "admin").await;
    let helper = app.person_as("bugs", "bughunter").await;
    let newest = async || app.audit(&admin).await.first().cloned().unwrap_or_default();
    for (reader, path, action, target) in [
        (
            &helper,
            format!("/sets/{}/jwt", private.0),
            "sets.read",
            format!("sets/{}", private.0),
        ),
        (
            &helper,
            format!("/sets/{}/measurements/jwt", private.0),
            "sets.read",
            format!("sets/{}", private.0),
        ),
        (
            &helper,
            format!("/patterns/{}/jwt", private.1),
            "patterns.read",
            format!("patterns/{}", private.1),
        ),
        (
            &helper,
            format!("/users/{}/jwt", jane.id),
            "users.readRecords",
            format!("users/{}", jane.id),
        ),
        (
            &admin,
            format!("/apikeys/{}/jwt", jane.key.id),
            "apikeys.read",
            format!("apikeys/{}", jane.key.id),
        ),
        (
            &admin,
            format!("/apikeys/{}/usage/jwt", jane.key.id),
            "apikeys.readUsage",
            format!("apikeys/{}", jane.key.id),
        ),
    ] {
        // The owner's own reads are not audited.
        let before = newest().await;
        app.get(&path).jwt(&jane.token).send().await.expect_status(200);
        assert_eq!(newest().await, before, "{path}");
        app.get(&path).jwt(&reader.token).send().await.expect_status(200);
        let row = newest().await;
        assert_eq!(
            (&row["actor"], &row["action"], &row["target"]),
            (&json!(reader.id), &json!(action), &json!(target)),
            "{path}"
        );
    }
    for (path, action) in [
        (format!("/sets/{}/clone/jwt", private.0), "sets.clone"),
        (format!("/patterns/{}/clone/jwt", private.1), "patterns.clone"),
    ] {
        let copy = app.post(&path).jwt(&admin.token).send().await;
        assert!([200, 201].contains(&copy.status));
        assert_eq!(newest().await["action"], action);
    }
    // Public records are readable without an entry.
    let before = newest().await;
    for path in [format!("/sets/{}/jwt", public.0), format!("/patterns/{}/jwt", public.1)] {
        app.get(&path).jwt(&helper.token).send().await.expect_status(200);
    }
    assert_eq!(newest().await, before);
}
