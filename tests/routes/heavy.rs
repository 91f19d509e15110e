//! Tests of the memory for request bodies: a caller beyond its share is refused, all callers wait while the memory is used up, and other
//! requests are still served.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};

use axum::body::{Body, Bytes};
use bespoke_database::Db;
use bespoke_tests::support::{App, Person};
use bespoke_web::{Error, Peer, Session, stored_list};
use futures_util::future::join_all;
use futures_util::stream::{self, FuturesUnordered, StreamExt};
use http_body_util::BodyExt;
use serde_json::json;
use tokio::sync::Semaphore;

/// The number of concurrent bodies: one more than the memory has room for.
const AT_ONCE: usize = 5;
/// The maximum number of long lists of one account that wait or run.
const LISTS_AT_ONCE: usize = 8;
/// The maximum number of CPU-bound tasks that wait or run, of one caller and of all callers.
const WORK_AT_ONCE: usize = 64;
/// The maximum number of bodies of callers without authentication: 64 KiB each, of 64 MiB.
const STRANGERS_AT_ONCE: usize = 1024;
/// The number of networks that are needed to fill that memory, because each has a quarter.
const STRANGERS_NETWORKS: usize = 4;

/// A request whose body, of any length, never arrives; `reached` gets a permit when the body is read.
async fn stall(app: &App, person: &Person, reached: Arc<Semaphore>) -> u16 {
    stall_at(app, "/sets/jwt", &person.token, "192.0.2.1", reached).await
}

async fn stall_at(app: &App, path: &str, token: &str, address: &str, reached: Arc<Semaphore>) -> u16 {
    let mut is_first = true;
    let body = stream::poll_fn(move |_| {
        if std::mem::take(&mut is_first) {
            reached.add_permits(1);
        }
        std::task::Poll::<Option<Result<Bytes, std::io::Error>>>::Pending
    });
    let request = http::Request::post(path)
        .header("authorization", format!("Bearer {token}"))
        .header("content-type", "application/json")
        .extension(Peer(address.parse().unwrap()))
        .body(Body::from_stream(body));
    let answer = app.gateway().handle(request.unwrap()).await;
    let status = answer.status().as_u16();
    let code = match status {
        429 => "tooManyRequests",
        503 => "serviceUnavailable",
        _ => return status,
    };
    assert_eq!(answer.headers()["retry-after"], "5");
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(body, json!({ "result": "error", "error": code }).to_string());
    status
}

/// Blocks the threads that wait at it until the sender of [`Gate::new`] is dropped.
struct Gate {
    reached: Semaphore,
    opened: Mutex<Receiver<()>>,
}

impl Gate {
    fn new() -> (Sender<()>, Arc<Self>) {
        let (sender, opened) = channel();
        let gate = Self {
            reached: Semaphore::new(0),
            opened: Mutex::new(opened),
        };
        (sender, Arc::new(gate))
    }

    fn wait(&self) {
        self.reached.add_permits(1);
        let _ = self.opened.lock().unwrap().recv();
    }

    async fn reached_by(&self, threads: usize) {
        self.reached.acquire_many(threads as u32).await.unwrap().forget();
    }
}

#[tokio::test]
async fn only_the_account_above_its_memory_share_is_refused() {
    let app = App::new().await;
    let (jane, other) = (app.person("jane").await, app.person("other").await);
    let reached = Arc::new(Semaphore::new(0));
    let crowd = (0..AT_ONCE).map(|_| stall(&app, &jane, Arc::clone(&reached)));
    let mut crowd: FuturesUnordered<_> = crowd.collect();
    // A share has room for one body of unknown length.
    for _ in 1..AT_ONCE {
        assert_eq!(crowd.next().await, Some(429));
    }
    assert_eq!(reached.available_permits(), 1);
    let large = json!({ "name": "large", "notes": "x".repeat(5_000_000) });
    for person in [&other, &jane] {
        let call = app.post("/sets/jwt").jwt(&person.token).json(&large);
        let served = async { call.send().await.status };
        tokio::select! {
            statuses = crowd.next() => panic!("{statuses:?}"),
            status = served => assert_eq!(status, if person.token == other.token { 201 } else { 429 }),
        }
    }
}

#[tokio::test]
async fn only_the_network_above_its_memory_share_is_refused() {
    let app = App::with(&[("BACKEND_RATE_LIMITS", "off")]).await;
    let reached = Arc::new(Semaphore::new(0));
    let share = STRANGERS_AT_ONCE / STRANGERS_NETWORKS;
    // Addresses of one /48.
    let stranger = |number: usize| {
        let (app, reached) = (&app, Arc::clone(&reached));
        async move { stall_at(app, "/signup", "", &format!("2001:db8:1:{number:x}::1"), reached).await }
    };
    let mut crowd: FuturesUnordered<_> = (0..=share).map(stranger).collect();
    assert_eq!(crowd.next().await, Some(429));
    assert_eq!(reached.available_permits(), share);
    for address in ["2001:db8:2::1", "192.0.2.1"] {
        let call = app.post("/signup").from_ip(address).json(&json!({}));
        tokio::select! {
            statuses = crowd.next() => panic!("{statuses:?}"),
            answer = call.send() => assert_eq!(answer.status, 400),
        }
    }
}

#[tokio::test]
async fn only_large_bodies_wait_for_memory() {
    let app = App::new().await;
    let jane = app.person("jane").await;
    let mut others = Vec::new();
    for number in 0..AT_ONCE {
        others.push(app.person(&format!("other{number}")).await);
    }
    let reached = Arc::new(Semaphore::new(0));
    let stalled = others.iter().map(|person| stall(&app, person, Arc::clone(&reached)));
    let mut crowd = Box::pin(join_all(stalled));
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
async fn public_bodies_have_separate_memory() {
    let app = App::with(&[("BACKEND_RATE_LIMITS", "off")]).await;
    let jane = app.person("jane").await;
    let reached = Arc::new(Semaphore::new(0));
    let stranger = |number: usize| {
        let (app, reached) = (&app, Arc::clone(&reached));
        let address = format!("192.0.2.{}", number % STRANGERS_NETWORKS);
        async move { stall_at(app, "/signup", "", &address, reached).await }
    };
    let mut crowd = Box::pin(join_all((0..STRANGERS_AT_ONCE).map(stranger)));
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
        // From a network that has sent nothing yet.
        stall_at(&app, "/signup", "", "198.51.100.1", Arc::clone(&reached)).await
    };
    tokio::select! {
        statuses = &mut crowd => panic!("{statuses:?}"),
        status = meanwhile => assert_eq!(status, 503),
    }
}

#[tokio::test]
async fn long_lists_are_serialized_on_another_thread() {
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

#[tokio::test]
async fn only_the_account_with_many_long_lists_is_refused() {
    let app = App::new().await;
    let person = app.person("jane").await;
    let large = json!({ "name": "large", "notes": "x".repeat(50_000) });
    for _ in 0..3 {
        let set = app.post("/sets/jwt").jwt(&person.token).json(&large);
        set.send().await.expect_status(201);
    }
    // Lists that occupy all cores for long lists, until `end` is dropped.
    let session = Session::new(app.context().clone());
    let cores = std::thread::available_parallelism().unwrap().get();
    let (end, gate) = Gate::new();
    let occupied = std::iter::repeat_n(Arc::clone(&gate), cores).map(|gate| {
        let wait = move |_: &Db<'_>| {
            gate.wait();
            Ok(())
        };
        stored_list(&session, |_, _| Ok(1_000_000), wait)
    });
    let mut occupied = Box::pin(join_all(occupied));
    tokio::select! {
        _ = &mut occupied => panic!("a list ended early"),
        () = gate.reached_by(cores) => {}
    }
    let list = || app.get("/sets/jwt").jwt(&person.token).send();
    let mut lists: FuturesUnordered<_> = (0..=LISTS_AT_ONCE).map(|_| list()).collect();
    let refused = lists.next().await.unwrap();
    assert_eq!(refused.header("retry-after"), "1");
    refused.expect_error(429, "tooManyRequests");
    app.get("/account/jwt")
        .jwt(&person.token)
        .send()
        .await
        .expect_status(200);
    drop(end);
    occupied.await;
    while let Some(served) = lists.next().await {
        served.expect_status(200);
    }
}

#[tokio::test]
async fn only_the_account_with_much_work_is_refused() {
    let app = App::new().await;
    let (jane, other) = (app.person("jane").await, app.person("other").await);
    // Work that occupies all cores, until `end` is dropped.
    let session = Session::new(app.context().clone());
    let cores = std::thread::available_parallelism().unwrap().get();
    let (end, gate) = Gate::new();
    let occupied = std::iter::repeat_n(Arc::clone(&gate), cores).map(|gate| session.compute(move |_| gate.wait()));
    let mut occupied = Box::pin(join_all(occupied));
    tokio::select! {
        _ = &mut occupied => panic!("work ended early"),
        () = gate.reached_by(cores) => {}
    }
    // Each YAML body is parsed by the same threads.
    let parse = |person: &Person| {
        let post = app.post("/sets/import/key").key(&person.key);
        post.body("text/yaml", "[").send()
    };
    let mut crowd: FuturesUnordered<_> = (0..=WORK_AT_ONCE).map(|_| parse(&jane)).collect();
    let refused = crowd.next().await.unwrap();
    assert_eq!(refused.header("retry-after"), "1");
    refused.expect_error(429, "tooManyRequests");
    let mut others = Box::pin(parse(&other));
    for _ in 0..100 {
        tokio::select! {
            biased;
            answer = &mut others => panic!("{} while all cores are occupied", answer.status),
            () = tokio::task::yield_now() => {}
        }
    }
    drop(end);
    occupied.await;
    others.await.expect_error(400, "badRequest");
    while let Some(parsed) = crowd.next().await {
        parsed.expect_error(400, "badRequest");
    }
}

#[tokio::test]
async fn work_of_accounts_does_not_prevent_sign_ins() {
    let app = App::new().await;
    let jane = app.person("jane").await;
    // Work of many accounts, which occupies all places until `end` is dropped.
    let session = Session::new(app.context().clone());
    let cores = std::thread::available_parallelism().unwrap().get();
    let (end, gate) = Gate::new();
    let occupied = std::iter::repeat_n(Arc::clone(&gate), WORK_AT_ONCE);
    let mut occupied = Box::pin(join_all(occupied.map(|gate| session.compute(move |_| gate.wait()))));
    tokio::select! {
        _ = &mut occupied => panic!("work ended early"),
        () = gate.reached_by(cores.min(WORK_AT_ONCE)) => {}
    }
    let parse = app.post("/sets/import/key").key(&jane.key).body("text/yaml", "[");
    parse.send().await.expect_error(503, "serviceUnavailable");
    let sign_in = json!({ "username": "jane@example.com", "password": "wrong" });
    let sign_in = app.post("/signin").json(&sign_in).from_ip("198.51.100.1");
    sign_in.send().await.expect_error(401, "signInFailed");
    drop(end);
    occupied.await;
}

#[tokio::test]
async fn refused_import_of_sets_writes_nothing() {
    let app = App::new().await;
    let jane = app.person("jane").await;
    let import = |number: usize| {
        let set = json!({ "name": format!("set {number}"), "measurements": {} });
        app.post("/sets/import/key").key(&jane.key).json(&set).send()
    };
    // More than may wait, so that some of them are refused before they write.
    let imports = join_all((0..4 * LISTS_AT_ONCE).map(import)).await;
    let imported = imports.iter().filter(|answer| answer.status == 201).count();
    for refused in imports.into_iter().filter(|answer| answer.status != 201) {
        refused.expect_error(429, "tooManyRequests");
    }
    let list = app.get("/sets/jwt").jwt(&jane.token).send().await.expect_status(200);
    assert_eq!(list["sets"].as_array().unwrap().len(), imported);
}
