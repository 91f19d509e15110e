//! Tests of requests that API Gateway and Lambda change or reject.

use serde_json::{Value, json};

use super::event::{event, read};
use super::installation::{Installation, invoke};
use super::invoke::run_invoke;

#[tokio::test]
async fn path_in_any_letter_case_reaches_its_function() {
    let installation = Installation::empty();
    let info = installation.function("info", "info", &[]).await;
    for (path, query, location) in [
        ("/Sets/1/KEY", "", "/sets/1/KEY"),
        ("/sets/", "", "/sets"),
        ("/Console", "", "/console/"),
        ("/DOCS/", "", "/docs/"),
        ("/WhoAmI/Jwt", "", "/whoami/jwt"),
        ("/whoami/KEY/", "", "/whoami/key"),
        (
            "/Curated-Sets.JSON",
            "limit=1&a=%2F",
            "/curated-sets.json?limit=1&a=%2F",
        ),
    ] {
        let mut moved = event("POST", path, "", &json!({}));
        moved["rawQueryString"] = query.into();
        let answer = invoke(&info, moved).await;
        assert_eq!(
            (answer.status, answer.headers["location"].as_str()),
            (308, location),
            "{path}"
        );
    }
    for unknown in ["/nobody/knows", "//evil.example/x", "/", "/console/"] {
        let answer = invoke(&info, event("GET", unknown, "", &Value::Null)).await;
        assert_eq!(
            (answer.status, answer.headers.get("location")),
            (404, None),
            "{unknown}"
        );
    }
    let preflight = invoke(&info, event("OPTIONS", "/Sets/1/key", "", &Value::Null)).await;
    assert_eq!(preflight.status, 204);
}

#[tokio::test]
async fn query_with_unencoded_characters_is_parsed() {
    let installation = Installation::demonstration().await;
    let query = json!("units=<cm>&note=\"a b\"#c");
    let mut health = event("GET", "/healthz", "", &Value::Null);
    health["rawQueryString"] = query.clone();
    let info = installation.function("info", "info", &[]).await;
    assert_eq!(invoke(&info, health).await.status, 200);
    let mut lookup = read("sets.lookup.key");
    lookup["rawQueryString"] = query;
    let refused = run_invoke(&installation, &["invoke", "-"], &[], Some(&lookup))
        .await
        .expect(400);
    assert_eq!(refused["error"], "unitsUnknown");
}

#[tokio::test]
async fn body_above_the_invocation_limit_is_refused() {
    let installation = Installation::empty();
    let account = installation.function("account", "account", &[]).await;
    let call = async |method: &str, path: &str, token: &str, body: &Value, status| {
        invoke(&account, event(method, path, token, body)).await.expect(status)
    };
    let body = json!({ "email": "jane@freesewing.dev", "language": "en", "test": true });
    let signup = call("POST", "/signup", "", &body, 201).await;
    let path = format!("/confirm/signup/{}", signup["confirmation"].as_str().unwrap());
    let confirmed = call("POST", &path, "", &json!({ "consent": 2 }), 200).await;
    let token = confirmed["token"].as_str().unwrap();
    let body_of = |bytes: usize| json!({ "imperial": true, "nobody reads this": "x".repeat(bytes) });
    let refused = call("PATCH", "/account/jwt", token, &body_of(4_500_000), 413).await;
    assert_eq!(refused["error"], "bodyTooLarge");
    let read = call("PATCH", "/account/jwt", token, &body_of(4_499_000), 200).await;
    assert_eq!(read["account"]["imperial"], true);
}
