//! Large bodies share a room: who finds none is told to come back, and everybody else is answered meanwhile.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use bespoke_database::Db;
use bespoke_tests::support::{App, Person};
use bespoke_web::{Error, Session, stored_list};
use futures_util::future::join_all;
use futures_util::stream;
use http_body_util::BodyExt;
use serde_json::json;
use tokio::sync::Semaphore;

/// As many as there is room for, and one.
const AT_ONCE: usize = 5;
/// As many bodies of callers without authentication as there is room for: 64 KiB each, of 64 MiB.
const STRANGERS_AT_ONCE: usize = 1024;

/// A request whose body, of any length, never comes; `reached` is told when somebody wants to read it.
async fn stall(app: &App, person: &Person, reached: Arc<Semaphore>) -> u16 {
    stall_at(app, "/sets/jwt", &person.token, reached).await
}

async fn stall_at(app: &App, path: &str, token: &str, reached: Arc<Semaphore>) -> u16 {
    let body = stream::poll_fn(move |_| {
        reached.add_permits(1);
        std::task::Poll::<Option<Result<Bytes, std::io::Error>>>::Pending
    });
    let request = http::Request::post(path)
        .header("authorization", format!("Bearer {token}"))
        .header("content-type", "application/json")
        .body(Body::from_stream(body));
    let answer = app.gateway().handle(request.unwrap()).await;
    let status = answer.status().as_u16();
    if status == 503 {
        assert_eq!(answer.headers()["retry-after"], "5");
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        assert!(body.ends_with(b"\"serviceUnavailable\"}"));
    }
    status
}

#[tokio::test]
async fn large_bodies_wait_for_room_and_small_ones_do_not() {
    let app = App::new().await;
    let jane = app.person("jane").await;
    let reached = Arc::new(Semaphore::new(0));
    let mut crowd = Box::pin(join_all((0..AT_ONCE).map(|_| stall(&app, &jane, Arc::clone(&reached)))));
    let all_reached = async { reached.acquire_many(AT_ONCE as u32).await.unwrap().forget() };
    tokio::select! {
        statuses = &mut crowd => panic!("{statuses:?}"),
        () = all_reached => {}
    }
    let meanwhile = async {
        let small = app.post("/sets/jwt").jwt(&jane.token).json(&json!({ "name": "small" }));
        small.send().await.expect_status(201);
        stall(&app, &jane, Arc::new(Semaphore::new(0))).await
    };
    tokio::select! {
        statuses = &mut crowd => panic!("{statuses:?}"),
        status = meanwhile => assert_eq!(status, 503),
    }
    drop(crowd);
    let large = json!({ "name": "large", "notes": "x".repeat(1_000_000) });
    app.post("/sets/jwt")
        .jwt(&jane.token)
        .json(&large)
        .send()
        .await
        .expect_status(201);
}

#[tokio::test]
async fn bodies_of_strangers_share_room_of_their_own() {
    let app = App::with(&[("BACKEND_RATE_LIMITS", "off")]).await;
    let jane = app.person("jane").await;
    let reached = Arc::new(Semaphore::new(0));
    let stranger = || stall_at(&app, "/signup", "", Arc::clone(&reached));
    let mut crowd = Box::pin(join_all((0..STRANGERS_AT_ONCE).map(|_| stranger())));
    let all_reached = async { reached.acquire_many(STRANGERS_AT_ONCE as u32).await.unwrap().forget() };
    tokio::select! {
        statuses = &mut crowd => panic!("{statuses:?}"),
        () = all_reached => {}
    }
    let meanwhile = async {
        for notes in ["small".to_owned(), "x".repeat(1_000_000)] {
            let set = app
                .post("/sets/jwt")
                .jwt(&jane.token)
                .json(&json!({ "name": "s", "notes": notes }));
            set.send().await.expect_status(201);
        }
        stranger().await
    };
    tokio::select! {
        statuses = &mut crowd => panic!("{statuses:?}"),
        status = meanwhile => assert_eq!(status, 503),
    }
}

#[tokio::test]
async fn long_lists_are_made_on_a_thread_of_their_own() {
    let app = App::new().await;
    let session = Session::new(app.context().clone());
    for (bytes, aside) in [(1_000, false), (1_000_000, true)] {
        let caller = std::thread::current().id();
        let list = move |_: &Db<'_>| Ok(json!({ "aside": std::thread::current().id() != caller }));
        let answer = stored_list(&session, |_, _| Ok(bytes), list).await.unwrap();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(body, json!({ "aside": aside }).to_string());
    }
    let unread = |_: &Db<'_>| -> Result<(), Error> { panic!("a list that is too large is not read") };
    let refused = stored_list(&session, |_, most| Ok(most + 1), unread).await.unwrap_err();
    assert_eq!(refused.code(), "listTooLarge");
}
