//! Tests of the delivery of mails, and of `/admin/outbox`.

use bespoke_core::entity::mail::{LEASE_MS, MAX_TRIES};
use bespoke_database::outbox;
use bespoke_tests::support::{App, Person};
use bespoke_web::maintenance::Task;
use serde_json::{Value, json};

const MINUTE_MS: i64 = 60 * 1000;
const DAY_MS: i64 = 24 * 60 * MINUTE_MS;

async fn sign_up(app: &App, name: &str) {
    let body = json!({ "email": format!("{name}@example.com"), "language": "en" });
    app.post("/signup").json(&body).send().await.expect_status(201);
}

async fn deliver(app: &App) {
    app.context().maintain(&[Task::Mail]).await;
}

/// Signs up, while each attempt to deliver the mail fails.
async fn give_up(app: &App) {
    app.block_mail();
    sign_up(app, "jane").await;
    for _ in 1..MAX_TRIES {
        app.clock.advance_ms(DAY_MS / 2);
        deliver(app).await;
    }
}

async fn list(app: &App, admin: &Person) -> Value {
    let answer = app.get("/admin/outbox/jwt").jwt(&admin.token).send().await;
    answer.expect_status(200)["outbox"].clone()
}

#[tokio::test]
async fn failed_mail_is_retried_with_longer_waits() {
    let app = App::new().await;
    let admin = app.person_as("root", "admin").await;
    app.block_mail();
    sign_up(&app, "jane").await;
    let waiting = list(&app, &admin).await;
    let [mail] = waiting.as_array().unwrap().as_slice() else {
        panic!("{waiting}")
    };
    assert_eq!(
        (&mail["to"], &mail["template"], &mail["state"], &mail["tries"]),
        (
            &json!("jane@example.com"),
            &json!("signup"),
            &json!("waiting"),
            &json!(1)
        )
    );
    assert_eq!(mail["dueAt"], "2026-01-01T00:01:00.000Z");
    assert!(mail["problem"].as_str().unwrap().starts_with("failed: "), "{mail}");
    assert!(!mail.to_string().contains("check="), "the list contains a link: {mail}");

    deliver(&app).await;
    assert_eq!(
        list(&app, &admin).await[0]["tries"],
        1,
        "the mail was sent before it was due"
    );
    app.clock.advance_ms(MINUTE_MS);
    deliver(&app).await;
    assert_eq!(list(&app, &admin).await[0]["dueAt"], "2026-01-01T00:03:00.000Z");
    app.unblock_mail();
    app.clock.advance_ms(2 * MINUTE_MS);
    deliver(&app).await;
    deliver(&app).await;
    assert_eq!((app.mails().len(), list(&app, &admin).await), (1, json!([])));
}

#[tokio::test]
async fn dead_mail_is_retried_by_an_administrator() {
    let app = App::new().await;
    let admin = app.person_as("root", "admin").await;
    give_up(&app).await;
    let fresh = json!({ "username": "root@freesewing.dev", "password": "x" });
    app.post("/signin")
        .json(&fresh)
        .send()
        .await
        .expect_error(401, "signInFailed");
    let mail = list(&app, &admin).await[0].clone();
    assert_eq!((&mail["state"], &mail["dueAt"]), (&json!("dead"), &json!(null)));
    assert_eq!(mail["tries"], MAX_TRIES);
    app.unblock_mail();
    app.clock.advance_ms(DAY_MS);
    deliver(&app).await;
    assert_eq!(app.mails().len(), 0, "dead mails are not retried");

    let retry = format!("/admin/outbox/{}/retry/jwt", mail["id"]);
    app.post(&retry).jwt(&admin.token).send().await.expect_status(204);
    assert_eq!((app.mails().len(), list(&app, &admin).await), (1, json!([])));
    app.post(&retry).jwt(&admin.token).send().await.expect_missing();
    for id in ["0", "x", "6f9619ff-8b86-4011-b42d-00c04fc964ff"] {
        let path = format!("/admin/outbox/{id}/retry/jwt");
        app.post(&path).jwt(&admin.token).send().await.expect_missing();
    }
    let audit = app.audit(&admin).await;
    assert_eq!(audit[0]["action"], "outbox.list");
    assert_eq!(audit[1]["action"], "outbox.retry");
}

#[tokio::test]
async fn dead_mails_are_deleted() {
    let app = App::new().await;
    let admin = app.person_as("root", "admin").await;
    give_up(&app).await;
    app.context().maintain(&[Task::Purge]).await;
    // The unconfirmed account was deleted together with its mail.
    app.clock.advance_ms(40 * DAY_MS);
    app.context().maintain(&[Task::Purge]).await;
    let token = app.token_from(&admin, app.context().now());
    let left = app.get("/admin/outbox/jwt").jwt(&token).send().await.expect_status(200);
    assert_eq!(left["outbox"], json!([]));
}

#[tokio::test]
async fn concurrent_processes_send_each_mail_once() {
    const MAILS: usize = 20;
    let first = App::new().await;
    first.block_mail();
    for number in 0..MAILS {
        sign_up(&first, &format!("jane-{number}")).await;
    }
    first.unblock_mail();
    let second = first.another().await;
    for app in [&first, &second] {
        app.clock.advance_ms(MINUTE_MS);
    }
    tokio::join!(deliver(&first), deliver(&second));
    let mut mails = first.mails();
    mails.extend(second.mails());
    let mut recipients: Vec<_> = mails
        .iter()
        .filter_map(|mail| mail.lines().find(|line| line.starts_with("To: ")))
        .collect();
    assert_eq!(recipients.len(), MAILS);
    recipients.sort_unstable();
    recipients.dedup();
    assert_eq!(recipients.len(), MAILS, "a mail was sent twice");
}

#[tokio::test]
async fn mail_of_a_killed_process_is_sent_after_its_lease() {
    let app = App::new().await;
    app.block_mail();
    sign_up(&app, "jane").await;
    app.unblock_mail();
    app.clock.advance_ms(MINUTE_MS);
    let (database, now) = (app.context().database(), app.context().now());
    let claim = async || {
        let claim = database.write::<Vec<i64>, bespoke_web::Error>(database.fresh_commit_id(), move |db| {
            Ok(outbox::claim(db, now, 8)?)
        });
        claim.await.unwrap()
    };
    assert_eq!((claim().await.len(), claim().await.len()), (1, 0));
    deliver(&app).await;
    assert_eq!(app.mails().len(), 0, "another process may be sending it");
    app.clock.advance_ms(LEASE_MS);
    deliver(&app).await;
    assert_eq!(app.mails().len(), 1);
}

#[tokio::test]
async fn removed_account_gets_a_mail() {
    let app = App::new().await;
    let body = json!({ "email": "jane@example.com", "language": "en" });
    app.post("/signup").json(&body).send().await.expect_status(201);
    let (id, check) = app.newest_link();
    let confirm = json!({ "consent": 1, "check": check });
    let confirmed = app.post(&format!("/confirm/signup/{id}")).json(&confirm).send().await;
    let token = confirmed.expect_status(200)["token"].as_str().unwrap().to_owned();
    app.delete("/account/jwt").jwt(&token).send().await.expect_status(200);
    let mails = app.mails();
    assert_eq!(mails.len(), 2);
    assert!(
        mails
            .iter()
            .any(|mail| mail.contains("Subject: Your FreeSewing account is gone"))
    );
}
