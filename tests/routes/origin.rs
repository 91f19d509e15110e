//! Tests of requests behind CloudFront: its secret is required, and it names the client.

use axum::body::Body;
use bespoke_tests::support::App;
use http_body_util::BodyExt;
use serde_json::json;

const SECRET: &str = "0123456789abcdef0123456789abcdef";
const SETTINGS: &[(&str, &str)] = &[("BACKEND_ORIGIN_SECRET", SECRET)];

/// The status of a request with these headers. A refusal is not a response of the route, so it is not compared with the description.
async fn status(app: &App, method: &str, path: &str, headers: &[(&str, &str)]) -> (u16, String) {
    let mut request = http::Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = app.gateway().handle(request.body(Body::empty()).unwrap()).await;
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test]
async fn request_that_bypasses_cloudfront_is_refused() {
    let app = App::with(SETTINGS).await;
    let refused = json!({ "result": "error", "error": "originForbidden" }).to_string();
    let viewer = ("cloudfront-viewer-address", "203.0.113.5:4711");
    for (method, path) in [
        ("GET", "/healthz"),
        ("GET", "/sets/jwt"),
        ("POST", "/signup"),
        ("OPTIONS", "/signup"),
        ("GET", "/nobody/knows"),
    ] {
        assert_eq!(
            status(&app, method, path, &[viewer]).await,
            (403, refused.clone()),
            "{path}"
        );
    }
    let wrong = status(&app, "GET", "/healthz", &[viewer, ("x-origin-secret", "another")]).await;
    assert_eq!(wrong, (403, refused));
    let (right, _) = status(&app, "GET", "/healthz", &[viewer, ("x-origin-secret", SECRET)]).await;
    assert_eq!(right, 200);
}

#[tokio::test]
async fn client_address_comes_from_cloudfront() {
    let app = App::new().await;
    let jane = app.person("jane").await;
    let key = app.key_with(&jane, 4, json!({ "cidr": ["192.0.2.9"] })).await;
    let behind = app.another_with(SETTINGS).await;
    let call = |viewer: &'static str, forwarded: &'static str| {
        let call = behind.get("/whoami/key").from_ip("130.176.0.1").key(&key);
        let call = call
            .header("x-origin-secret", SECRET)
            .header("x-forwarded-for", forwarded);
        call.header("cloudfront-viewer-address", viewer).send()
    };
    call("192.0.2.9:46532", "198.51.100.1").await.expect_status(200);
    for (viewer, forwarded) in [
        ("198.51.100.1:46532", "192.0.2.9"),
        ("192.0.2.9:1, 198.51.100.1:46532", "192.0.2.9"),
        ("", "192.0.2.9"),
    ] {
        call(viewer, forwarded).await.expect_error(403, "addressNotAllowed");
    }
}
