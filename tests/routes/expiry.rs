//! Tests that maintenance deletes expired records.

use bespoke_core::EntityId;
use bespoke_database::{Freshness, users};
use bespoke_tests::support::App;
use bespoke_web::maintenance::Task;
use serde_json::{Value, json};

const WEEK_MS: i64 = 7 * 24 * 60 * 60 * 1000;

async fn purge(app: &App) -> String {
    let done = app.context().maintain(&[Task::Purge]).await;
    assert!(!done[0].failed, "{}", done[0].outcome);
    done[0].outcome.clone()
}

async fn exists(app: &App, id: i64) -> bool {
    let database = app.context().database();
    let read = database.read::<_, bespoke_web::Error>(Freshness::Strict, move |db| {
        Ok(users::by_id(db, EntityId::Integer(id))?.is_some())
    });
    read.await.unwrap()
}

#[tokio::test]
async fn only_unconfirmed_accounts_expire_with_their_links() {
    let app = App::new().await;
    let person = app.person("jane").await;
    let sign_up = async |email: &str| {
        let body = json!({ "email": email, "language": "en", "test": true });
        app.post("/signup").json(&body).send().await.expect_status(201)
    };
    sign_up("late@freesewing.dev").await;
    sign_up("again@freesewing.dev").await;
    assert_eq!(purge(&app).await, "0 rows deleted");
    app.clock.advance_ms(WEEK_MS - 1);
    assert_eq!(purge(&app).await, "0 rows deleted");
    // After a second request the account stays until the second link expires. The first link expires alone.
    sign_up("again@freesewing.dev").await;
    app.clock.advance_ms(1);
    assert_eq!(purge(&app).await, "3 rows deleted");
    assert!(exists(&app, person.id).await && !exists(&app, 2).await && exists(&app, 3).await);
    app.clock.advance_ms(WEEK_MS);
    purge(&app).await;
    assert!(exists(&app, person.id).await && !exists(&app, 3).await);
}

#[tokio::test]
async fn deactivated_account_does_not_expire() {
    let app = App::new().await;
    let person = app.person("jane").await;
    app.patch("/consent/jwt")
        .jwt(&person.token)
        .json(&json!({ "consent": 0 }))
        .send()
        .await
        .expect_status(200);
    let id = person.id;
    let database = app.context().database();
    let write = database.write::<_, bespoke_web::Error>(database.fresh_commit_id(), move |db| {
        let mut user = users::by_id(db, EntityId::Integer(id))?.expect("the account");
        user.account_status.status = bespoke_core::entity::user::Status::Inactive;
        Ok(users::update(db, &user)?)
    });
    write.await.unwrap();
    app.clock.advance_ms(2 * WEEK_MS);
    purge(&app).await;
    assert!(exists(&app, person.id).await);
}

#[tokio::test]
async fn old_counts_and_expired_links_are_deleted() {
    let app = App::new().await;
    let person = app.person("jane").await;
    for name in ["user-1", "nobody"] {
        let body = json!({ "username": name, "password": "guess" });
        app.post("/signin")
            .json(&body)
            .send()
            .await
            .expect_error(401, "signInFailed");
        let body = json!({ "username": name });
        app.post("/signinlink").json(&body).send().await.expect_status(200);
    }
    assert_eq!(purge(&app).await, "0 rows deleted");
    app.clock.advance_ms(60 * 60 * 1000);
    assert_eq!(purge(&app).await, "3 rows deleted", "two counted mails and a link");
    assert!(exists(&app, person.id).await);
}

#[tokio::test]
async fn only_unconfirmed_subscriptions_expire() {
    let app = App::new().await;
    let subscribe = async |name: &str| {
        let body = json!({ "email": format!("{name}@freesewing.dev"), "language": "en", "test": true });
        let data = app.post("/subscriber").json(&body).send().await.expect_status(200)["data"].clone();
        json!({ "id": data["id"], "ehash": data["ehash"] })
    };
    let confirm = async |link: &Value| app.request("PUT", "/subscriber").json(link).send().await.status;
    let (confirmed, late, again) = (
        subscribe("jane").await,
        subscribe("late").await,
        subscribe("again").await,
    );
    assert_eq!(confirm(&confirmed).await, 200);
    app.clock.advance_ms(WEEK_MS - 1);
    assert_eq!(purge(&app).await, "0 rows deleted");
    subscribe("again").await;
    app.clock.advance_ms(1);
    assert_eq!(purge(&app).await, "1 rows deleted");
    assert_eq!(
        [confirm(&confirmed).await, confirm(&late).await, confirm(&again).await],
        [200, 404, 200]
    );
    app.clock.advance_ms(2 * WEEK_MS);
    assert_eq!(purge(&app).await, "0 rows deleted");
}
