//! Tests of routes that authenticate on a local copy that may be outdated, because their first transaction checks the caller again.

use bespoke_core::Timestamp;
use bespoke_database::usage::Call;
use bespoke_tests::support::{Answer, App, Person, functions};
use bespoke_web::Route;
use serde_json::{Value, json};

fn routes() -> Vec<Route> {
    let all = functions();
    let routes = all.iter().flat_map(|routes| routes.iter().cloned());
    routes.filter(|route| route.writes_first).collect()
}

async fn call(app: &App, route: &Route, person: &Person, body: &Value) -> Answer {
    let (_, last_segment) = route.path.rsplit_once('/').unwrap();
    let path = route.path.replace("{id}", "1");
    let request = app.request(route.method.as_str(), &path).auth(person, last_segment);
    request.json(body).send().await
}

async fn version(app: &App) -> String {
    let public = app.get("/curated-sets").send().await;
    public.header("db-seq").to_owned()
}

/// A body that each of the routes accepts, for a new or an existing record.
fn valid_body() -> Value {
    json!({
        "name": "x", "design": "aaron", "settings": {}, "title": "x", "url": "https://example.org", "type": "set",
    })
}

#[tokio::test]
async fn revoked_credentials_are_refused_by_a_process_with_an_old_copy() {
    let app = App::new().await;
    let jane = app.person("jane").await;
    let routes = routes();
    assert!(routes.len() >= 22, "{}", routes.len());
    let mut calls = Vec::new();
    for route in &routes {
        for body in [valid_body(), json!({ "image": "no picture", "units": "parsecs" })] {
            // Each process is used once, because it follows the database when it refuses a call.
            calls.push((app.another().await, route, body));
        }
    }
    for person in [&jane] {
        let path = format!("/apikeys/{}/jwt", person.key.id);
        app.delete(&path).jwt(&person.token).send().await.expect_status(204);
        let body = json!({ "signOutEverywhere": true });
        let sign_out = app.patch("/account/jwt").jwt(&person.token).json(&body);
        sign_out.send().await.expect_status(200);
    }
    let before = version(&app).await;
    for (process, route, body) in calls {
        let refused = call(&process, route, &jane, &body).await;
        assert_eq!(refused.status, 401, "{} {} {body}", route.method, route.path);
    }
    assert_eq!(version(&app).await, before);
}

#[tokio::test]
async fn revoked_key_cannot_repeat_its_request() {
    let app = App::new().await;
    let jane = app.person("jane").await;
    let make = async |process: &App| {
        let request = process
            .post("/sets/key")
            .key(&jane.key)
            .header("idempotency-key", "k-1");
        request.json(&json!({ "name": "one" })).send().await
    };
    make(&app).await.expect_status(201);
    let other = app.another().await;
    make(&other).await.expect_status(201);
    let stale = app.another().await;
    let path = format!("/apikeys/{}/jwt", jane.key.id);
    app.delete(&path).jwt(&jane.token).send().await.expect_status(204);
    make(&stale).await.expect_error(401, "keyRevoked");
}

#[tokio::test]
async fn new_credentials_are_accepted_by_a_process_with_an_old_copy() {
    let app = App::new().await;
    let other = app.another().await;
    let jane = app.person("jane").await;
    let request = other.post("/sets/key").key(&jane.key);
    request.json(&json!({ "name": "one" })).send().await.expect_status(201);
}

#[tokio::test]
async fn quota_that_other_processes_used_up_is_seen_by_the_write() {
    const QUOTA: i64 = 3_000;
    let settings = [
        ("BACKEND_APIKEY_CALLS_PER_DAY", "3000"),
        ("BACKEND_LIMIT_CALLERS", "9000"),
    ];
    let app = App::with(&settings).await;
    let jane = app.person("jane").await;
    let stale = app.another_with(&settings).await;
    let usage = app.context().database().usage();
    for _ in 0..QUOTA {
        usage.count(Call {
            user_id: jane.id,
            key: Some(jane.key.id.parse().unwrap()),
            refused: false,
            at: Timestamp::from_millis(app.context().now().as_millis()),
        });
    }
    app.clock.advance_ms(60_000);
    stale.clock.advance_ms(60_000);
    usage.flush(app.context().now()).await.unwrap();
    usage.merge().await.unwrap();
    let before = version(&app).await;
    let request = stale.post("/sets/key").key(&jane.key);
    let refused = request.json(&json!({ "name": "one" })).send().await;
    refused.expect_error(429, "quotaExceeded");
    assert_eq!(version(&app).await, before);
}
