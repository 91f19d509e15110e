//! Tests of the memory of long responses that their clients have not received yet.

use axum::body::Body;
use bespoke_storage::PutCondition;
use bespoke_tests::support::{App, Person};
use bespoke_web::Peer;
use http::{Request, Response};
use http_body_util::BodyExt;
use serde_json::{Value, json};

/// Sets of [`large_set`] in a list of almost 5 MB.
const LONG_LIST: usize = 12;
/// The number of such lists that fit into the share of an account, which is 16 MiB.
const LISTS_OF_ACCOUNT: usize = 3;

/// A set with notes that JSON makes six times as long.
fn large_set() -> Value {
    json!({ "name": "large", "notes": "\u{1}".repeat(65_000) })
}

async fn with_long_list(app: &App, name: &str) -> Person {
    let person = app.person(name).await;
    for _ in 0..LONG_LIST {
        let set = app.post("/sets/jwt").jwt(&person.token).json(&large_set());
        set.send().await.expect_status(201);
    }
    person
}

/// Sends a request and leaves the body of the response unread.
async fn call(app: &App, request: http::request::Builder, body: Value) -> Response<Body> {
    let body = if body.is_null() {
        Body::empty()
    } else {
        Body::from(body.to_string())
    };
    app.gateway().handle(request.body(body).unwrap()).await
}

async fn list(app: &App, person: &Person) -> Response<Body> {
    let request = Request::get("/sets/jwt").header("authorization", format!("Bearer {}", person.token));
    call(app, request, Value::Null).await
}

async fn image(app: &App, address: &str) -> Response<Body> {
    let request = Request::get("/images/blog-a-day-out").extension(Peer(address.parse().unwrap()));
    call(app, request, Value::Null).await
}

async fn expect_refusal(response: Response<Body>, status: u16, code: &str) {
    assert_eq!(response.status(), status);
    assert_eq!(response.headers()["retry-after"], "5");
    let body = response.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(body, json!({ "result": "error", "error": code }).to_string());
}

#[tokio::test]
async fn account_that_does_not_receive_its_lists_is_refused_alone() {
    let app = App::new().await;
    let (jane, other) = (with_long_list(&app, "jane").await, with_long_list(&app, "other").await);
    let mut unread = Vec::new();
    for _ in 0..LISTS_OF_ACCOUNT {
        let response = list(&app, &jane).await;
        assert_eq!(response.status(), 200);
        unread.push(response);
    }
    expect_refusal(list(&app, &jane).await, 429, "tooManyRequests").await;
    // Short responses and other accounts are not limited.
    let account = app.get("/account/jwt").jwt(&jane.token).send().await;
    account.expect_status(200);
    assert_eq!(list(&app, &other).await.status(), 200);
    // Received and discarded responses release their memory.
    let received = unread.pop().unwrap().into_body().collect().await.unwrap().to_bytes();
    assert_eq!(list(&app, &jane).await.status(), 429, "the bytes are still in memory");
    assert_eq!(
        serde_json::from_slice::<Value>(&received).unwrap()["sets"]
            .as_array()
            .unwrap()
            .len(),
        LONG_LIST
    );
    drop(received);
    assert_eq!(list(&app, &jane).await.status(), 200);
}

#[tokio::test]
async fn receivers_share_the_memory_of_responses() {
    let app = App::with(&[("BACKEND_RATE_LIMITS", "off")]).await;
    let file = vec![b'x'; 5_000_000];
    let put = app
        .context()
        .bucket()
        .put("images/blog-a-day-out", file.into(), PutCondition::None);
    put.await.unwrap();
    let mut unread = Vec::new();
    for network in 1..=4 {
        for host in 1..=LISTS_OF_ACCOUNT {
            let response = image(&app, &format!("2001:db8:{network}::{host}")).await;
            assert_eq!(response.status(), 200);
            unread.push(response);
        }
        expect_refusal(
            image(&app, &format!("2001:db8:{network}::9")).await,
            429,
            "tooManyRequests",
        )
        .await;
    }
    // 7 MB remain in the pool.
    let last = image(&app, "192.0.2.1").await;
    assert_eq!(last.status(), 200);
    expect_refusal(image(&app, "192.0.2.2").await, 503, "serviceUnavailable").await;
    // Accounts have a pool of their own.
    let jane = with_long_list(&app, "jane").await;
    assert_eq!(list(&app, &jane).await.status(), 200);
    drop(unread);
    assert_eq!(image(&app, "192.0.2.2").await.status(), 200);
}

#[tokio::test]
async fn response_to_a_write_waits_for_memory() {
    let app = App::new().await;
    let jane = with_long_list(&app, "jane").await;
    let authorization = format!("Bearer {}", jane.token);
    let mut unread = Vec::new();
    for query in ["", "?limit=1"] {
        loop {
            let request = Request::get(format!("/sets/jwt{query}")).header("authorization", &authorization);
            let response = call(&app, request, Value::Null).await;
            if response.status() != 200 {
                break;
            }
            unread.push(response);
        }
    }
    let write = async {
        let text = |character: &str| json!({ "text": character.repeat(200_000) });
        let body = json!({ "design": "aaron", "settings": text("x"), "data": text("y") });
        let request = Request::post("/patterns/jwt")
            .header("authorization", &authorization)
            .header("content-type", "application/json");
        call(&app, request, body).await
    };
    let release = async {
        let stored = async || {
            let usage = app.get("/account/usage/jwt").jwt(&jane.token).send().await;
            usage.expect_status(200)["storage"]["patterns"]["stored"].clone()
        };
        while stored().await == 0 {}
        drop(unread);
    };
    let (written, ()) = futures_util::future::join(write, release).await;
    assert_eq!(written.status(), 201);
}
