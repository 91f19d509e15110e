//! Tests of the rules for every route: letter case, slashes, HEAD, CORS, conditional GET, bodies, tokens.

use axum::response::Response;
use bespoke_tests::support::{App, Person};
use bespoke_web::{Error, Gateway, Public, Routes, route};
use serde_json::json;

#[tokio::test]
async fn paths_ignore_letter_case_and_a_trailing_slash() {
    let app = App::new().await;
    let person = app.person("jane").await;
    for path in [
        "/account/jwt",
        "/ACCOUNT/JWT",
        "/Account/jwt/",
        "/account/jwt?ignored=yes",
    ] {
        app.get(path).jwt(&person.token).send().await.expect_status(200);
    }
}

#[tokio::test]
async fn malformed_percent_encoding_is_a_bad_request() {
    let app = App::new().await;
    for path in ["/sets/%zz.json", "/sets/%.json", "/sets/%f.json", "/sets/%ff.json"] {
        app.get(path).send().await.expect_error(400, "badRequest");
    }
}

#[tokio::test]
async fn head_is_get_without_a_body() {
    let app = App::new().await;
    let get = app.get("/healthz").send().await;
    let head = app.request("HEAD", "/healthz").send().await;
    assert_eq!((head.status, head.body.len()), (200, 0));
    for name in ["content-type", "content-length", "etag"] {
        assert_eq!(head.header(name), get.header(name), "{name}");
    }
}

#[tokio::test]
async fn current_etag_gets_304() {
    let app = App::new().await;
    let person = app.person("jane").await;
    let first = app.get("/account/jwt").jwt(&person.token).send().await;
    let tag = first.header("etag").to_owned();
    assert!(tag.starts_with("W/\""), "{tag}");
    for sent in [
        tag.as_str(),
        "*",
        &format!("\"other\", {tag}"),
        tag.trim_start_matches("W/"),
    ] {
        let again = app
            .get("/account/jwt")
            .jwt(&person.token)
            .header("if-none-match", sent)
            .send()
            .await;
        assert_eq!(
            (again.status, again.body.len(), again.header("etag")),
            (304, 0, tag.as_str()),
            "{sent}"
        );
    }
    let change = json!({ "bio": "new" });
    app.change_account(&person, &change).await;
    app.get("/account/jwt")
        .jwt(&person.token)
        .header("if-none-match", &tag)
        .send()
        .await
        .expect_status(200);
    // Only a response that would be 200 can become 304.
    let refused = app.get("/account/jwt").header("if-none-match", "*").send().await;
    refused.expect_error(401, "unauthorized");
}

#[tokio::test]
async fn cors_allows_any_origin_unless_a_list_is_set() {
    let app = App::new().await;
    let preflight = app
        .request("OPTIONS", "/sets/jwt")
        .header("origin", "https://sewing.example")
        .header("access-control-request-method", "PUT")
        .header("access-control-request-headers", "content-type,traceparent,tracestate")
        .send()
        .await;
    assert_eq!((preflight.status, preflight.body.len()), (204, 0));
    for (name, value) in [
        ("access-control-allow-origin", "*"),
        ("access-control-allow-methods", "GET,HEAD,PUT,PATCH,POST,DELETE"),
        ("access-control-allow-headers", "content-type,traceparent,tracestate"),
        ("access-control-max-age", "7200"),
        ("vary", "Access-Control-Request-Headers"),
    ] {
        assert_eq!(preflight.header(name), value, "{name}");
    }
    // Errors have the header too, including those of the JSON parser.
    let error = app.post("/signup").body("application/json", "{").send().await;
    assert_eq!(error.header("access-control-allow-origin"), "*");
    error.expect_error(400, "badRequest");

    let closed = App::with(&[("BACKEND_CORS_ORIGINS", "https://sewing.example, https://other.example")]).await;
    let allowed = closed
        .get("/healthz")
        .header("origin", "https://other.example")
        .send()
        .await;
    assert_eq!(
        (allowed.header("access-control-allow-origin"), allowed.header("vary")),
        ("https://other.example", "Origin")
    );
    let foreign = closed
        .get("/healthz")
        .header("origin", "https://evil.example")
        .send()
        .await;
    assert_eq!(
        (foreign.header("access-control-allow-origin"), foreign.header("vary")),
        ("", "Origin")
    );
}

#[tokio::test]
async fn malformed_tokens_are_rejected_and_the_process_survives() {
    let app = App::new().await;
    let person = app.person("jane").await;
    for value in [
        String::new(),
        "Bearer".into(),
        "Bearer ".into(),
        "Bearer x".into(),
        format!("Bearer:: {}", person.token),
        format!("Token {}", person.token),
        format!("Bearer {}x", person.token),
        format!("Bearer {}", "x".repeat(100_000)),
    ] {
        app.get("/account/jwt")
            .header("authorization", &value)
            .send()
            .await
            .expect_error(401, "unauthorized");
    }
    let two = app
        .get("/account/jwt")
        .jwt(&person.token)
        .jwt(&person.token)
        .send()
        .await;
    two.expect_error(401, "unauthorized");
    app.get("/account/jwt")
        .header("authorization", &format!("bEARER {}", person.token))
        .send()
        .await
        .expect_status(200);
    // Seven days.
    app.clock.advance_ms(7 * 24 * 60 * 60 * 1000);
    app.get("/account/jwt")
        .jwt(&person.token)
        .send()
        .await
        .expect_error(401, "unauthorized");
}

#[tokio::test]
async fn malformed_trace_context_is_ignored() {
    let app = App::new().await;
    let valid = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    for parent in ["", "x", valid, "ff-0-0-0", &valid.to_uppercase(), &"0".repeat(9_000)] {
        for state in ["", "vendor=1", "=,=", &"a=1,".repeat(3_000)] {
            let request = app.get("/healthz").header("traceparent", parent);
            request.header("tracestate", state).send().await.expect_status(200);
        }
    }
    let twice = app
        .get("/healthz")
        .header("traceparent", valid)
        .header("traceparent", valid);
    twice.send().await.expect_status(200);
}

#[tokio::test]
async fn each_response_has_a_request_id() {
    let app = App::new().await;
    let ours = app.get("/healthz").send().await;
    assert_eq!(ours.header("x-request-id").len(), 36);
    let theirs = app.get("/nope").header("x-request-id", "Trace-17").send().await;
    assert_eq!(theirs.header("x-request-id"), "Trace-17");
    for bad in ["", "a b", "a\"b", &"x".repeat(65)] {
        let answer = app.get("/healthz").header("x-request-id", bad).send().await;
        assert_eq!(answer.header("x-request-id").len(), 36, "{bad}");
    }
}

#[utoipa::path(get, path = "/panicking", responses((status = 200, description = "Never.")))]
async fn panicking(_: Public) -> Response {
    panic!("a secret that must not get out")
}

#[utoipa::path(get, path = "/fault", responses((status = 200, description = "Never.")))]
async fn failing(_: Public) -> Result<Response, Error> {
    Err(Error::internal("a secret that must not get out"))
}

#[tokio::test]
async fn panic_is_a_500_without_details() {
    let app = App::new().await;
    let routes = Routes::new("broken").with(route!(panicking)).with(route!(failing));
    let broken = Gateway::new(app.context().clone(), [routes]);
    for path in ["/panicking", "/fault", "/panicking"] {
        let request = http::Request::get(path).body(axum::body::Body::empty()).unwrap();
        let answer = broken.handle(request).await;
        assert_eq!(answer.status(), 500);
        assert_eq!(answer.headers()["access-control-allow-origin"], "*");
        let body = axum::body::to_bytes(answer.into_body(), 1000).await.unwrap();
        assert_eq!(body, r#"{"result":"error","error":"internalError"}"#);
    }
}

#[tokio::test]
async fn token_of_another_account_with_the_same_id_is_refused() {
    // A restore can assign the id of an account twice.
    let app = App::new().await;
    let (jane, joe) = (app.person("jane").await, app.person("joe").await);
    let mixed = Person { id: jane.id, ..joe };
    let token = app.token_from(&mixed, app.context().now());
    let read = app.get("/account/jwt").jwt(&token).send().await;
    read.expect_error(401, "unauthorized");
}

#[tokio::test]
async fn token_older_than_its_account_is_refused() {
    // After a restore from a backup another account may have the same id.
    let app = App::new().await;
    app.clock.advance_ms(10_000);
    let person = app.person("jane").await;
    let early = bespoke_core::Timestamp::from_millis(1_767_225_600_000);
    let token = app.token_from(&person, early);
    app.get("/account/jwt")
        .jwt(&token)
        .send()
        .await
        .expect_error(401, "unauthorized");
}

#[tokio::test]
async fn process_with_other_keys_does_not_start() {
    let bucket = bespoke_storage::MemoryStore::new();
    let app = App::on(bucket.clone(), &[]).await;
    app.person("jane").await;
    for name in ["BACKEND_ENC_KEY", "BACKEND_DATA_KEY", "BACKEND_INDEX_KEY"] {
        let error = App::try_on(bucket.clone(), &[(name, "quite another passphrase")])
            .await
            .err()
            .unwrap();
        assert!(
            error.to_string().starts_with("the database was made with other keys"),
            "{name}: {error}"
        );
    }
    // The key of tokens may change: users sign in again.
    assert!(
        App::try_on(bucket, &[("BACKEND_TOKEN_KEY", "quite another passphrase")])
            .await
            .is_ok()
    );
}
