//! Tests of the limits for guessing passwords, which do not reveal the existence of accounts.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, OnceLock};

use axum::response::Response;
use bespoke_core::{ClientNetwork, Clock as _};
use bespoke_storage::{
    DirectoryStore, Fault, FaultyStore, Fetched, MemoryStore, ObjectStore as _, Operation, PutCondition, Rates,
};
use bespoke_tests::support::{Answer, App, Person};
use bespoke_web::attempts::{AttemptOrigin, AttemptTarget};
use bespoke_web::{Public, Routes, Session, no_content, route};
use futures_util::future::{Either, join_all, select};
use serde::{Serialize, Serializer};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use super::held::app_with_held_puts;

const WINDOW_MS: i64 = 15 * 60 * 1000;
const HOUR_MS: i64 = 60 * 60 * 1000;
const DAY_MS: i64 = 24 * HOUR_MS;
/// The number of passwords that one of the two pools hashes or queues at the same time.
const WORKER_PLACES: usize = 64;
const PASSWORD: &str = "secret words";

async fn person_with_password(app: &App) -> Person {
    let person = app.person("jane").await;
    let body = json!({ "password": PASSWORD });
    app.change_account(&person, &body).await;
    person
}

async fn sign_in(app: &App, from: &str, name: &Value, password: &str) -> Answer {
    let body = json!({ "username": name, "password": password });
    app.post("/signin").from_ip(from).json(&body).send().await
}

/// The mails that notify an owner of a lock.
fn notices(app: &App) -> usize {
    let mails = app.mails();
    let notices = mails.iter().filter(|mail| mail.contains("Subject: Many failed"));
    notices.count()
}

#[tokio::test]
async fn ten_failures_lock_any_name_for_their_network() {
    let app = App::new().await;
    person_with_password(&app).await;
    for (name, from) in [("user-1", "198.51.100.1"), ("nobody", "198.51.100.2")] {
        let name = json!(name);
        for _ in 0..10 {
            sign_in(&app, from, &name, "guess")
                .await
                .expect_error(401, "signInFailed");
        }
        for password in ["guess", PASSWORD] {
            let locked = sign_in(&app, from, &name, password).await;
            assert_eq!(locked.header("retry-after"), "900", "{name}");
            locked.expect_error(429, "tooManyRequests");
        }
    }
    let jane = json!("user-1");
    sign_in(&app, "203.0.113.9", &jane, PASSWORD).await.expect_status(200);
    app.clock.advance_ms(WINDOW_MS - 1);
    sign_in(&app, "198.51.100.1", &jane, PASSWORD)
        .await
        .expect_error(429, "tooManyRequests");
    app.clock.advance_ms(1);
    sign_in(&app, "198.51.100.1", &jane, PASSWORD).await.expect_status(200);
}

#[tokio::test]
async fn locked_account_looks_like_an_unknown_name() {
    let app = App::new().await;
    let person = person_with_password(&app).await;
    let from = "198.51.100.1";
    for round in 0..10 {
        let name = if round % 2 == 0 {
            json!("user-1")
        } else {
            json!(person.email)
        };
        sign_in(&app, from, &name, "guess")
            .await
            .expect_error(401, "signInFailed");
    }
    for name in [json!(person.id), json!("user-1"), json!("nobody")] {
        sign_in(&app, from, &name, PASSWORD)
            .await
            .expect_error(401, "signInFailed");
    }
}

#[tokio::test]
async fn ipv6_customer_counts_as_one_address() {
    let app = App::new().await;
    person_with_password(&app).await;
    let jane = json!("user-1");
    for host in 0..10 {
        let from = format!("2001:db8:1:2::{host}");
        sign_in(&app, &from, &jane, "guess")
            .await
            .expect_error(401, "signInFailed");
    }
    sign_in(&app, "2001:db8:1:2:ffff::1", &jane, PASSWORD)
        .await
        .expect_error(429, "tooManyRequests");
    sign_in(&app, "2001:db8:1:3::1", &jane, PASSWORD)
        .await
        .expect_status(200);
}

#[tokio::test]
async fn hundred_failures_lock_passwords_and_notify_the_owner_once() {
    let app = App::new().await;
    let other = app.another().await;
    let person = person_with_password(&app).await;
    let jane = json!("user-1");
    let before = app.mails().len();
    for failure in 0..105 {
        let process = if failure % 2 == 0 { &app } else { &other };
        let from = format!("198.51.100.{}", failure / 9);
        sign_in(process, &from, &jane, "guess")
            .await
            .expect_error(401, "signInFailed");
    }
    sign_in(&app, "203.0.113.9", &jane, PASSWORD)
        .await
        .expect_error(401, "signInFailed");
    assert_eq!(notices(&app) + notices(&other), 1);
    assert_eq!(app.mails().len() + other.mails().len(), before + 1);

    let body = json!({ "username": person.email });
    app.post("/signinlink").json(&body).send().await.expect_status(200);
    let (id, check) = app.newest_link();
    app.post(&format!("/signinlink/{id}/{check}"))
        .send()
        .await
        .expect_status(200);
    app.clock.advance_ms(WINDOW_MS);
    sign_in(&app, "203.0.113.9", &jane, PASSWORD).await.expect_status(200);
}

#[tokio::test]
async fn concurrent_guesses_are_verified_ten_times() {
    let app = App::new().await;
    person_with_password(&app).await;
    let jane = json!("user-1");
    let before = app.context().password_runs();
    let guesses = (0..110).map(|_| sign_in(&app, "198.51.100.1", &jane, "guess"));
    let answers = join_all(guesses).await;
    let refused = answers.iter().filter(|answer| answer.status == 401).count();
    assert_eq!((refused, app.context().password_runs() - before), (10, 10));
    sign_in(&app, "203.0.113.9", &jane, PASSWORD).await.expect_status(200);
}

#[tokio::test]
async fn right_passwords_are_not_counted() {
    let app = App::new().await;
    person_with_password(&app).await;
    for _ in 0..12 {
        sign_in(&app, "198.51.100.1", &json!("user-1"), PASSWORD)
            .await
            .expect_status(200);
    }
}

#[tokio::test]
async fn one_ipv6_site_cannot_lock_an_account_for_all() {
    let app = App::new().await;
    person_with_password(&app).await;
    let jane = json!("user-1");
    for guess in 0..110 {
        let from = format!("2001:db8:1:{guess:x}::1");
        let refused = sign_in(&app, &from, &jane, "guess").await;
        let expected = if guess < 30 { 401 } else { 429 };
        assert_eq!(refused.status, expected, "{guess}");
    }
    for elsewhere in ["2001:db8:2::1", "203.0.113.9"] {
        sign_in(&app, elsewhere, &jane, PASSWORD).await.expect_status(200);
    }
}

#[tokio::test]
async fn lock_for_all_spares_known_networks() {
    let app = App::new().await;
    let person = person_with_password(&app).await;
    let (home, jane) = ("203.0.113.9", json!("user-1"));
    sign_in(&app, home, &jane, PASSWORD).await.expect_status(200);
    for failure in 0..100 {
        let from = format!("198.51.100.{}", failure / 9);
        sign_in(&app, &from, &jane, "guess").await.expect_status(401);
    }
    sign_in(&app, "203.0.113.10", &jane, PASSWORD)
        .await
        .expect_error(401, "signInFailed");
    sign_in(&app, home, &jane, PASSWORD).await.expect_status(200);
    // A link signs in despite the lock, and makes the network known.
    let body = json!({ "username": person.email });
    app.post("/signinlink").json(&body).send().await.expect_status(200);
    let (id, check) = app.newest_link();
    let link = app.post(&format!("/signinlink/{id}/{check}")).from_ip("203.0.113.10");
    link.send().await.expect_status(200);
    sign_in(&app, "203.0.113.10", &jane, PASSWORD).await.expect_status(200);
}

#[tokio::test]
async fn client_without_readable_address_is_never_known() {
    let app = App::with(&[("BACKEND_TRUSTED_PROXIES", "192.0.2.1")]).await;
    person_with_password(&app).await;
    let unreadable = async || {
        let body = json!({ "username": "user-1", "password": PASSWORD });
        let call = app.post("/signin").from_ip("192.0.2.1");
        call.header("x-forwarded-for", "unknown").json(&body).send().await
    };
    unreadable().await.expect_status(200);
    for failure in 0..100 {
        let from = format!("198.51.100.{}", failure / 9);
        sign_in(&app, &from, &json!("user-1"), "guess").await.expect_status(401);
    }
    unreadable().await.expect_error(401, "signInFailed");
}

/// The maximum number of conflicting writers of one object that wait or run.
const WRITERS_OF_AN_OBJECT: usize = 64;

#[tokio::test]
async fn attempt_is_released_while_many_others_wait() {
    let (app, store) = app_with_held_puts("attempts/").await;
    let session = Session::new(app.context().clone());
    let target = AttemptTarget::Name("jane".to_owned());
    let reserve = async |number: usize| {
        let address = std::net::Ipv4Addr::from(0x0a00_0000 + u32::try_from(number).unwrap());
        let origin = AttemptOrigin {
            client: ClientNetwork::of(address.into()),
            now: app.clock.now(),
        };
        session.reserve_attempt(&target, None, origin).await.unwrap().unwrap()
    };
    store.release();
    let (first, ()) = tokio::join!(reserve(0), store.arrival());
    assert!(store.end().await);
    // One of them succeeds at once; the others conflict, and wait for each other.
    let mut crowd = Box::pin(join_all((1..=WRITERS_OF_AN_OBJECT + 1).map(reserve)));
    let all_arrive = async {
        for _ in 0..=WRITERS_OF_AN_OBJECT {
            store.arrival().await;
        }
    };
    tokio::select! {
        _ = &mut crowd => panic!("an attempt was not held back"),
        () = all_arrive => {}
    }
    let mut release = Box::pin(session.release_attempt(first));
    let arrival = Box::pin(store.arrival());
    assert!(matches!(select(&mut release, arrival).await, Either::Right(_)));
    let release_puts = async {
        // The crowd conflicts first and takes all places, then the release conflicts, and then each attempt is stored.
        for puts in [WRITERS_OF_AN_OBJECT + 1, 1, WRITERS_OF_AN_OBJECT] {
            for _ in 0..puts {
                store.release();
            }
            for _ in 0..puts {
                assert!(store.end().await);
            }
        }
        store.release();
    };
    tokio::join!(crowd, release, release_puts);
    let bucket = app.context().bucket();
    let objects = bucket.list("attempts/").await.unwrap();
    let Fetched::Found(object) = bucket.get(&objects[0].key, None).await.unwrap() else {
        panic!("no attempts");
    };
    let stored: Value = serde_json::from_slice(&object.body).unwrap();
    assert_eq!(stored["attempts"].as_array().unwrap().len(), WRITERS_OF_AN_OBJECT + 1);
}

#[tokio::test]
async fn mails_of_strangers_do_not_suppress_links_or_notices() {
    let app = App::new().await;
    let person = person_with_password(&app).await;
    let subscribe = json!({ "email": person.email, "language": "en" });
    let sign_up = json!({ "email": person.email, "language": "en" });
    for _ in 0..5 {
        app.post("/subscriber").json(&subscribe).send().await.expect_status(200);
        let remove = app.post("/subscriber/remove").json(&json!({ "email": person.email }));
        remove.send().await.expect_status(200);
        let again = app.post("/signup").from_ip("198.51.100.99").json(&sign_up);
        again.send().await.expect_status(201);
    }
    for failure in 0..100 {
        let from = format!("198.51.100.{}", failure / 9);
        sign_in(&app, &from, &json!("user-1"), "guess").await.expect_status(401);
    }
    let body = json!({ "username": person.email });
    let ask = app.post("/signinlink").from_ip("203.0.113.10").json(&body);
    ask.send().await.expect_status(200);
    let count = |subject: &str| app.mails().iter().filter(|mail| mail.contains(subject)).count();
    assert_eq!((count("Subject: Many failed"), count("Subject: Sign in")), (1, 1));
}

#[tokio::test]
async fn wrong_current_passwords_are_limited() {
    let app = App::new().await;
    let person = person_with_password(&app).await;
    let change = async |current: &str| {
        let body = json!({ "password": PASSWORD, "currentPassword": current });
        app.patch("/account/jwt").jwt(&person.token).json(&body).send().await
    };
    change(PASSWORD).await.expect_status(200);
    for _ in 0..10 {
        change("guess").await.expect_error(401, "authenticationFailed");
    }
    let before = app.context().password_runs();
    change(PASSWORD).await.expect_error(401, "authenticationFailed");
    assert_eq!(app.context().password_runs(), before);
}

#[tokio::test]
async fn lock_by_wrong_current_passwords_is_notified_once() {
    let app = App::with(&[("BACKEND_RATE_LIMITS", "off")]).await;
    let person = person_with_password(&app).await;
    let body = json!({ "password": PASSWORD, "currentPassword": "guess" });
    for guess in 0..104 {
        let from = format!("198.51.100.{}", guess / 10);
        let change = app.patch("/account/jwt").jwt(&person.token).from_ip(&from).json(&body);
        change.send().await.expect_error(401, "authenticationFailed");
    }
    sign_in(&app, "203.0.113.9", &json!("user-1"), PASSWORD)
        .await
        .expect_error(401, "signInFailed");
    assert_eq!(notices(&app), 1);
}

#[tokio::test]
async fn lock_of_the_second_factor_is_notified_once() {
    let app = App::with(&[("BACKEND_RATE_LIMITS", "off")]).await;
    let protected = super::mfa::protected(&app).await;
    let body = json!({ "username": protected.person.email, "password": PASSWORD, "token": "wrong" });
    for guess in 0..104 {
        let from = format!("198.51.100.{}", guess / 10);
        let guess = app.post("/signin").from_ip(&from).json(&body);
        guess.send().await.expect_error(401, "signInFailed");
    }
    assert_eq!(notices(&app), 1);
}

#[tokio::test]
async fn flood_spares_known_networks_and_bounds_its_object() {
    let app = App::new().await;
    person_with_password(&app).await;
    let (home, jane) = ("203.0.113.9", json!("user-1"));
    sign_in(&app, home, &jane, PASSWORD).await.expect_status(200);
    let session = Session::new(app.context().clone());
    let (name, account) = (AttemptTarget::Name("user-1".to_owned()), AttemptTarget::Account(1));
    for attempt in 0..4_000_u32 {
        let address = std::net::Ipv4Addr::from(0x0a00_0000 + attempt / 10);
        let origin = AttemptOrigin {
            client: ClientNetwork::of(address.into()),
            now: app.clock.now(),
        };
        session.reserve_attempt(&name, None, origin).await.unwrap();
        session.reserve_attempt(&account, Some(1), origin).await.unwrap();
    }
    let objects = app.context().bucket().list("attempts/").await.unwrap();
    assert!(objects.iter().all(|object| object.bytes < 40_000), "{objects:?}");
    // Networks from which the owner has signed in still have their ten guesses.
    for _ in 0..9 {
        sign_in(&app, home, &jane, "guess")
            .await
            .expect_error(401, "signInFailed");
    }
    sign_in(&app, home, &jane, PASSWORD).await.expect_status(200);
    sign_in(&app, home, &jane, "guess").await.expect_status(401);
    sign_in(&app, home, &jane, PASSWORD)
        .await
        .expect_error(401, "signInFailed");
    sign_in(&app, "203.0.113.10", &jane, PASSWORD)
        .await
        .expect_error(401, "signInFailed");
}

#[tokio::test]
async fn attempts_of_a_fast_clock_neither_lock_nor_reset() {
    let jane = json!("user-1");
    let from = "198.51.100.1";
    for ahead_ms in [HOUR_MS, 365 * DAY_MS] {
        let app = App::new().await;
        person_with_password(&app).await;
        let ahead = app.another().await;
        ahead.clock.advance_ms(ahead_ms);
        for _ in 0..10 {
            sign_in(&ahead, from, &jane, "guess").await.expect_status(401);
        }
        sign_in(&app, from, &jane, PASSWORD).await.expect_status(200);
    }
    let app = App::new().await;
    person_with_password(&app).await;
    let ahead = app.another().await;
    ahead.clock.advance_ms(HOUR_MS);
    for _ in 0..10 {
        sign_in(&app, from, &jane, "guess").await.expect_status(401);
    }
    sign_in(&ahead, from, &jane, "guess").await.expect_status(401);
    sign_in(&app, from, &jane, PASSWORD)
        .await
        .expect_error(429, "tooManyRequests");
    // Clocks of processes differ a little.
    let app = App::new().await;
    person_with_password(&app).await;
    let ahead = app.another().await;
    ahead.clock.advance_ms(1_000);
    for _ in 0..10 {
        sign_in(&ahead, from, &jane, "guess").await.expect_status(401);
    }
    sign_in(&app, from, &jane, PASSWORD)
        .await
        .expect_error(429, "tooManyRequests");
}

#[tokio::test]
async fn damaged_objects_of_attempts_count_as_empty_and_are_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let bucket = Arc::new(DirectoryStore::open(folder.path()).unwrap());
    let app = App::over(bucket, MemoryStore::new(), &[]).await.unwrap();
    person_with_password(&app).await;
    let jane = json!("user-1");
    let from = "198.51.100.1";
    sign_in(&app, from, &jane, "guess").await.expect_status(401);
    let objects = || {
        let files = std::fs::read_dir(folder.path().join("attempts")).unwrap();
        let paths = files.map(|file| file.unwrap().path());
        let objects: Vec<_> = paths
            .filter(|path| !path.file_name().unwrap().to_str().unwrap().starts_with('.'))
            .collect();
        assert!(!objects.is_empty());
        objects
    };
    for damage in ["empty", "short", "long", "folder", "full folder"] {
        for path in objects() {
            match damage {
                "empty" => std::fs::write(path, "").unwrap(),
                "short" => std::fs::write(path, "0123456789").unwrap(),
                "long" => std::fs::write(path, "0123456789".repeat(10)).unwrap(),
                _ => {
                    std::fs::remove_file(&path).unwrap();
                    std::fs::create_dir(&path).unwrap();
                    if damage == "full folder" {
                        std::fs::write(path.join("file"), "mine").unwrap();
                    }
                }
            }
        }
        sign_in(&app, from, &jane, PASSWORD).await.expect_status(200);
        for _ in 0..10 {
            sign_in(&app, from, &jane, "guess")
                .await
                .expect_error(401, "signInFailed");
        }
        sign_in(&app, from, &jane, PASSWORD)
            .await
            .expect_error(429, "tooManyRequests");
    }
}

#[tokio::test]
async fn wrong_checks_of_a_link_are_limited() {
    let app = App::new().await;
    let person = app.person("jane").await;
    let body = json!({ "username": person.email });
    app.post("/signinlink").json(&body).send().await.expect_status(200);
    let (id, check) = app.newest_link();
    let from = "198.51.100.1";
    for guess in 0..10 {
        let path = if guess % 2 == 0 { "signinlink" } else { "confirmations" };
        let method = if guess % 2 == 0 { "POST" } else { "GET" };
        let request = app.request(method, &format!("/{path}/{id}/0123456789abcde{guess}"));
        request.from_ip(from).send().await.expect_missing();
    }
    let path = format!("/signinlink/{id}/{check}");
    app.get(&format!("/confirmations/{id}/{check}"))
        .from_ip(from)
        .send()
        .await
        .expect_missing();
    app.post(&path).from_ip(from).send().await.expect_missing();
    app.post(&path).send().await.expect_status(200);
}

#[tokio::test]
async fn each_sign_in_hashes_exactly_one_password() {
    // In the original, the response time revealed the existence of an account.
    let app = App::new().await;
    let person = person_with_password(&app).await;
    let fresh = app.person("fresh").await;
    let body = json!({ "email": "inactive@freesewing.dev", "language": "en", "test": true });
    app.post("/signup").json(&body).send().await.expect_status(201);
    let runs = || app.context().password_runs();
    let long = "x".repeat(5_000);
    for (name, password, status) in [
        (json!("user-1"), json!(PASSWORD), 200),
        (json!(person.email), json!("guess"), 401),
        (json!("user-1"), json!(7), 401),
        (json!("user-1"), json!(long), 401),
        (json!(fresh.email), json!("no password was set"), 401),
        (json!("inactive@freesewing.dev"), json!("guess"), 401),
        (json!("nobody"), json!("guess"), 401),
        (json!("nobody@example.com"), json!({ "a": 1 }), 401),
        (json!(["user-1"]), json!(PASSWORD), 401),
        (json!(99), json!(long), 401),
    ] {
        let before = runs();
        let body = json!({ "username": name, "password": password });
        let answer = app.post("/signin").json(&body).send().await;
        assert_eq!((answer.status, runs() - before), (status, 1), "{body}");
    }
    for name in ["user-1", "nobody"] {
        let name = json!(name);
        for attempt in 0..12 {
            let before = runs();
            sign_in(&app, "198.51.100.1", &name, "guess").await;
            let hashes = u64::from(attempt < 10);
            assert_eq!(runs() - before, hashes, "a locked name costs no hash: {name} {attempt}");
        }
    }
}

#[tokio::test]
async fn locked_account_does_not_reveal_its_second_factor() {
    let app = App::new().await;
    let person = person_with_password(&app).await;
    let set_up = app
        .post("/account/mfa/jwt")
        .jwt(&person.token)
        .json(&json!({ "mfa": true }))
        .send()
        .await
        .expect_status(200);
    let secret = bespoke_core::TotpSecret::from_stored(set_up["mfa"]["secret"].as_str().unwrap().to_owned());
    let code = secret.code(bespoke_core::Clock::now(&*app.clock));
    let body = json!({ "mfa": true, "secret": secret.expose(), "token": code });
    app.post("/account/mfa/jwt")
        .jwt(&person.token)
        .json(&body)
        .send()
        .await
        .expect_status(200);
    let from = "198.51.100.1";
    for _ in 0..10 {
        sign_in(&app, from, &json!("user-1"), "guess").await;
    }
    sign_in(&app, from, &json!(person.email), PASSWORD)
        .await
        .expect_error(401, "signInFailed");
}

#[tokio::test]
async fn failed_attempts_are_shared_without_a_commit() {
    let app = App::new().await;
    let person = person_with_password(&app).await;
    let other = app.another().await;
    let seq = async || {
        let own = app.get("/account/jwt").jwt(&person.token).send().await;
        own.header("db-seq").to_owned()
    };
    let before = seq().await;
    assert!(!before.is_empty());
    for number in 0..50 {
        let name = json!(format!("nobody-{number}"));
        sign_in(&app, "198.51.100.1", &name, "guess")
            .await
            .expect_error(401, "signInFailed");
    }
    let jane = json!("user-1");
    for number in 0..10 {
        let app = if number % 2 == 0 { &app } else { &other };
        sign_in(app, "198.51.100.1", &jane, "guess")
            .await
            .expect_error(401, "signInFailed");
    }
    assert_eq!(seq().await, before);
    for app in [&app, &other] {
        sign_in(app, "198.51.100.1", &jane, PASSWORD)
            .await
            .expect_error(429, "tooManyRequests");
    }
}

#[tokio::test]
async fn concurrent_guesses_in_two_processes_are_verified_ten_times() {
    let app = App::new().await;
    person_with_password(&app).await;
    let other = app.another().await;
    let jane = json!("user-1");
    let guesses = (0..60).map(|number| {
        let app = if number % 2 == 0 { &app } else { &other };
        sign_in(app, "198.51.100.1", &jane, "guess")
    });
    let statuses: Vec<_> = join_all(guesses).await.iter().map(|answer| answer.status).collect();
    assert_eq!(statuses.iter().filter(|status| **status == 401).count(), 10);
    assert_eq!(statuses.iter().filter(|status| **status == 429).count(), 50);
}

#[tokio::test]
async fn damaged_object_of_attempts_locks_no_account() {
    let app = App::new().await;
    person_with_password(&app).await;
    let jane = json!("user-1");
    sign_in(&app, "198.51.100.1", &jane, "guess")
        .await
        .expect_error(401, "signInFailed");
    let bucket = app.context().bucket();
    let objects = bucket.list("attempts/").await.unwrap();
    assert_eq!(objects.len(), 2);
    for object in objects {
        let damaged = b"{\"attempts\": [1".as_slice();
        bucket
            .put(&object.key, damaged.into(), PutCondition::None)
            .await
            .unwrap();
    }
    sign_in(&app, "198.51.100.1", &jane, PASSWORD).await.expect_status(200);
}

#[tokio::test]
async fn attempts_use_a_fixed_number_of_objects_and_expire() {
    let app = App::with(&[("BACKEND_RATE_LIMITS", "off")]).await;
    let bucket = app.context().bucket();
    let attempt = async |number: u32| {
        let name = json!(format!("nobody-{number}"));
        sign_in(&app, "198.51.100.1", &name, "guess")
            .await
            .expect_error(401, "signInFailed");
    };
    attempt(0).await;
    let first = bucket.list("attempts/").await.unwrap();
    app.clock.advance_ms(DAY_MS);
    attempt(0).await;
    for object in first {
        let Fetched::Found(object) = bucket.get(&object.key, None).await.unwrap() else {
            panic!("{} is missing", object.key);
        };
        let content: Value = serde_json::from_slice(&object.body).unwrap();
        assert_eq!(content["attempts"].as_array().unwrap().len(), 1);
    }
    for number in 1..40 {
        attempt(number).await;
    }
    let digits = |key: &str| key.strip_prefix("attempts/").map(str::len);
    let objects = bucket.list("attempts/").await.unwrap();
    assert!(
        objects.iter().all(|object| digits(&object.key) == Some(3)),
        "there are more than 4,096 of them"
    );
}

#[tokio::test]
async fn attempt_counts_once_if_the_response_of_the_bucket_is_lost() {
    let bucket = MemoryStore::new();
    person_with_password(&App::on(bucket.clone(), &[]).await).await;
    let faulty = FaultyStore::new(bucket.clone(), 0, Rates::default());
    let app = App::over(Arc::new(faulty.clone()), bucket.clone(), &[]).await.unwrap();
    let jane = json!("user-1");
    let guess = async || sign_in(&app, "198.51.100.1", &jane, "guess").await;
    guess().await.expect_error(401, "signInFailed");
    let objects = bucket.list("attempts/").await.unwrap();
    for fault in [
        Fault::LostReply,
        Fault::LostRequest,
        Fault::LateArrival,
        Fault::Conflict,
        Fault::Unavailable,
    ] {
        for object in &objects {
            faulty.script(Operation::Put, &object.key, fault);
        }
        guess().await.expect_error(401, "signInFailed");
    }
    for _ in 0..4 {
        guess().await.expect_error(401, "signInFailed");
    }
    guess().await.expect_error(429, "tooManyRequests");
}

#[tokio::test]
async fn password_is_not_verified_if_its_attempt_cannot_be_counted() {
    let bucket = MemoryStore::new();
    person_with_password(&App::on(bucket.clone(), &[]).await).await;
    let faulty = FaultyStore::new(bucket.clone(), 0, Rates::default());
    let app = App::over(Arc::new(faulty.clone()), bucket.clone(), &[]).await.unwrap();
    let jane = json!("user-1");
    let guess = async || sign_in(&app, "198.51.100.1", &jane, PASSWORD).await;
    guess().await.expect_status(200);
    let before = app.context().password_runs();
    for object in bucket.list("attempts/").await.unwrap() {
        faulty.script(Operation::Put, &object.key, Fault::Forbidden);
        guess().await.expect_error(503, "serviceUnavailable");
    }
    assert_eq!(app.context().password_runs(), before);
    guess().await.expect_status(200);
}

/// A record whose serialization ends when the sender is dropped.
#[derive(Clone)]
struct Endless(Arc<Mutex<Receiver<()>>>);

impl Serialize for Endless {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let _ = self.0.lock().unwrap().recv();
        serializer.serialize_unit()
    }
}

tokio::task_local! {
    /// The session of a call to [`public_session`].
    static PUBLIC_SESSION: OnceLock<Session>;
}

/// Hands its session, which has no account, to the test.
#[utoipa::path(get, path = "/public-session", operation_id = "session", responses((status = 204, description = "It is done.")))]
async fn public_session(_: Public, session: Session) -> bespoke_web::Result<Response> {
    PUBLIC_SESSION.with(|slot| assert!(slot.set(session).is_ok()));
    Ok(no_content())
}

/// Returns a session of a caller without authentication.
async fn session_without_account(app: App) -> (App, Session) {
    let app = app.beside(Routes::new("session").with(route!(public_session)));
    let session = PUBLIC_SESSION.scope(OnceLock::new(), async {
        let request = http::Request::get("/public-session")
            .body(axum::body::Body::empty())
            .unwrap();
        assert_eq!(app.gateway().handle(request).await.status(), 204);
        PUBLIC_SESSION.with(|slot| slot.get().unwrap().clone())
    });
    let session = session.await;
    (app, session)
}

/// Occupies the complete pools that hash passwords, of accounts and of callers without authentication, until the sender is dropped.
async fn fill_workers(app: &App, public: &Session) -> (Sender<()>, Vec<JoinHandle<()>>) {
    let (end, ended) = channel();
    let record = Endless(Arc::new(Mutex::new(ended)));
    let begun = Arc::new(AtomicUsize::new(0));
    let of_account = Session::new(app.context().clone());
    let occupy = |session: &Session| {
        let (session, record, begun) = (session.clone(), record.clone(), Arc::clone(&begun));
        tokio::spawn(async move {
            begun.fetch_add(1, Ordering::Relaxed);
            drop(bespoke_web::yaml_record(&session, record).await);
        })
    };
    let pools = [&of_account, public];
    let jobs = pools
        .into_iter()
        .flat_map(|session| std::iter::repeat_n(session, WORKER_PLACES));
    let jobs = jobs.map(occupy).collect();
    while begun.load(Ordering::Relaxed) < pools.len() * WORKER_PLACES {
        tokio::task::yield_now().await;
    }
    (end, jobs)
}

#[tokio::test]
async fn attempts_that_were_not_verified_do_not_count() {
    let (app, public) = session_without_account(App::with(&[("BACKEND_RATE_LIMITS", "off")]).await).await;
    let jane = person_with_password(&app).await;
    let (end, jobs) = fill_workers(&app, &public).await;
    for _ in 0..12 {
        sign_in(&app, "198.51.100.1", &json!("user-1"), PASSWORD)
            .await
            .expect_error(503, "serviceUnavailable");
        let change = json!({ "password": "other words", "currentPassword": PASSWORD });
        let change = app
            .patch("/account/jwt")
            .jwt(&jane.token)
            .from_ip("198.51.100.1")
            .json(&change);
        change.send().await.expect_error(503, "serviceUnavailable");
    }
    drop(end);
    join_all(jobs).await;
    sign_in(&app, "198.51.100.1", &json!("user-1"), PASSWORD)
        .await
        .expect_status(200);
}

#[tokio::test]
async fn partly_counted_attempt_is_undone() {
    let bucket = MemoryStore::new();
    person_with_password(&App::on(bucket.clone(), &[]).await).await;
    let faulty = FaultyStore::new(bucket.clone(), 0, Rates::default());
    let app = App::over(Arc::new(faulty.clone()), bucket.clone(), &[]).await.unwrap();
    let attempt = async || sign_in(&app, "198.51.100.1", &json!("user-1"), PASSWORD).await;
    attempt().await.expect_status(200);
    for object in bucket.list("attempts/").await.unwrap() {
        for _ in 0..12 {
            faulty.script(Operation::Put, &object.key, Fault::Forbidden);
            attempt().await.expect_error(503, "serviceUnavailable");
        }
    }
    attempt().await.expect_status(200);
}
