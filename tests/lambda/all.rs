//! Tests of the function `all`, which serves the routes of every function. tests/lambda/same_answers.rs compares the responses.

use axum::body::Body;
use bespoke_tests::support::App;
use bespoke_web::Gateway;
use serde_json::{Value, json};

use super::event::{event, read};
use super::installation::{Installation, invoke};

/// An event that the gateway sent to its default route.
fn default_event(method: &str, path: &str, body: &Value) -> Value {
    let mut event = event(method, path, "", body);
    event["routeKey"] = json!("$default");
    event["requestContext"]["routeKey"] = json!("$default");
    event
}

#[tokio::test]
async fn default_route_rejects_routes_of_other_functions() {
    let installation = Installation::empty();
    let all = installation.function("all", "all", &[]).await;
    let body = json!({ "email": "jane@freesewing.dev", "language": "en", "test": true });
    for spelling in ["/Signup", "/signup/", "/SIGNUP/"] {
        let moved = invoke(&all, default_event("POST", spelling, &body)).await;
        assert_eq!(
            (moved.status, moved.headers["location"].as_str()),
            (308, "/signup"),
            "{spelling}"
        );
    }
    let refused = invoke(&all, default_event("POST", "/signup", &body)).await;
    assert_eq!(refused.status, 404, "the gateway has a route for that path");
    let health = invoke(&all, default_event("GET", "/healthz", &Value::Null)).await;
    assert_eq!(health.status, 200);
    let mut signup = event("POST", "/signup", "", &body);
    signup["routeKey"] = json!("ANY /signup");
    signup["requestContext"]["routeKey"] = json!("ANY /signup");
    invoke(&all, signup).await.expect(201);
}

#[tokio::test]
async fn scheduled_tasks_run_and_requests_are_counted() {
    let installation = Installation::demonstration().await;
    let all = installation.function("all", "all", &[]).await;
    let done = all.invoke(json!({ "tasks": ["usage", "compact"] })).await.unwrap();
    let tasks: Vec<_> = done.as_array().unwrap().iter().map(|done| &done["task"]).collect();
    assert_eq!(tasks, ["usage", "compact"]);
    all.invoke(json!({ "tasks": ["everything"] })).await.unwrap_err();
    invoke(&all, read("sets.read.key")).await.expect(200);
    invoke(&all, default_event("GET", "/healthz", &Value::Null))
        .await
        .expect(200);
    let log = all.log();
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let requests: u64 = lines.filter_map(|line| line["Requests"].as_u64()).sum();
    assert_eq!(requests, 2);
}

#[tokio::test]
async fn unknown_event_is_an_error_and_the_process_survives() {
    let installation = Installation::empty();
    let all = installation.function("all", "all", &[]).await;
    all.invoke(json!({ "hello": "world" })).await.unwrap_err();
    all.invoke(json!(null)).await.unwrap_err();
    let health = invoke(&all, default_event("GET", "/healthz", &Value::Null)).await;
    assert_eq!(health.status, 200);
}

/// The process has two gateways: one for all routes, and one for the default route.
#[tokio::test]
async fn request_of_the_default_route_is_counted_under_its_function() {
    let app = App::new().await;
    let default = Gateway::new(app.context().clone(), [all::default_router()]);
    let request = http::Request::get("/healthz").body(Body::empty()).unwrap();
    assert_eq!(default.handle(request).await.status(), 200);
    let counted = app.context().metrics().requests();
    let groups: Vec<_> = counted.iter().map(|counted| counted.group).collect();
    assert_eq!(groups, ["info"]);
}
