//! Tests of `PATCH /account/{auth}` with `signOutEverywhere`, and of the effect of a block on tokens.

use bespoke_tests::support::App;
use serde_json::{Value, json};

async fn sign_in(app: &App) -> String {
    let body = json!({ "username": "user-1", "password": "secret words" });
    let answer = app.post("/signin").json(&body).send().await.expect_status(200);
    answer["token"].as_str().unwrap().to_owned()
}

async fn works(app: &App, token: &str) -> bool {
    app.get("/account/jwt").jwt(token).send().await.status == 200
}

#[tokio::test]
async fn sign_out_revokes_earlier_tokens_only() {
    let app = App::new().await;
    let other = app.another().await;
    let person = app.person("jane").await;
    let stranger = app.person("stranger").await;
    let password = json!({ "password": "secret words", "signOutEverywhere": false });
    let answer = app
        .patch("/account/jwt")
        .jwt(&person.token)
        .json(&password)
        .send()
        .await;
    assert_eq!(answer.expect_status(200)["ignored"], json!([]));
    // A password change keeps tokens, as in the original; only this field revokes them.
    assert!(works(&app, &person.token).await);
    let mut token = sign_in(&app).await;
    // All of it may happen within one second.
    for _ in 0..3 {
        let body = json!({ "signOutEverywhere": true });
        let answer = app.patch("/account/jwt").jwt(&token).json(&body).send().await;
        assert_eq!(answer.expect_status(200)["ignored"], json!([]));
        for app in [&app, &other] {
            assert!(!works(app, &token).await && !works(app, &person.token).await);
        }
        token = sign_in(&app).await;
        assert!(works(&app, &token).await && works(&other, &token).await);
    }
    app.get("/whoami/jwt")
        .jwt(&person.token)
        .send()
        .await
        .expect_error(401, "unauthorized");
    app.get("/account/key").key(&person.key).send().await.expect_status(200);
    assert!(works(&app, &stranger.token).await);
}

#[tokio::test]
async fn sign_out_requires_a_level_4_key() {
    let app = App::new().await;
    let person = app.person("jane").await;
    let key = app.key(&person, 3).await;
    let body = json!({ "signOutEverywhere": true, "bio": "x" });
    app.patch("/account/key")
        .key(&key)
        .json(&body)
        .send()
        .await
        .expect_error(403, "insufficientAccessLevel");
    for value in [json!("yes"), json!(1), Value::Null] {
        let body = json!({ "signOutEverywhere": value });
        let answer = app.patch("/account/jwt").jwt(&person.token).json(&body).send().await;
        assert_eq!(answer.expect_status(200)["ignored"], json!(["signOutEverywhere"]));
    }
    assert!(works(&app, &person.token).await);
}

#[tokio::test]
async fn block_can_revoke_tokens() {
    let app = App::new().await;
    let person = app.person("jane").await;
    let (id, now) = (person.id, app.context().now());
    let database = app.context().database();
    let revoke = database.write::<_, bespoke_web::Error>(database.fresh_commit_id(), move |db| {
        Ok(bespoke_database::users::revoke_tokens(db, id, now)?)
    });
    revoke.await.unwrap();
    assert!(!works(&app, &person.token).await);
}

/// Returns the body that confirms the newest change of an address.
fn newest_change(app: &App) -> Value {
    let mails = app.mails();
    let mut queries = mails
        .iter()
        .rev()
        .filter_map(|mail| mail.split_once("confirm/emailchange?id="));
    let query = queries.next().unwrap().1.lines().next().unwrap();
    let (id, check) = query.split_once("&check=").unwrap();
    json!({ "confirm": "emailchange", "confirmation": id, "check": check })
}

#[tokio::test]
async fn sign_out_deletes_links_of_earlier_mails() {
    let app = App::new().await;
    let person = app.person("jane").await;
    let key = app.key(&person, 4).await;
    let change = async |body: Value| {
        let change = app.patch("/account/key").key(&key).json(&body);
        change.send().await.expect_status(200);
    };
    let confirm = async |body: Value| app.patch("/account/key").key(&key).json(&body).send().await;
    app.post("/signinlink")
        .json(&json!({ "username": person.email }))
        .send()
        .await
        .expect_status(200);
    let mut links = vec![app.newest_link()];
    app.post("/signup")
        .json(&json!({ "email": person.email, "language": "en" }))
        .send()
        .await
        .expect_status(201);
    links.push(app.newest_link());
    assert_ne!(links[0], links[1]);
    change(json!({ "email": "thief@example.com" })).await;
    let link_of_thief = newest_change(&app);

    change(json!({ "signOutEverywhere": true })).await;
    for (id, check) in links {
        let body = json!({ "check": check });
        app.post(&format!("/signinlink/{id}"))
            .json(&body)
            .send()
            .await
            .expect_missing();
    }
    confirm(link_of_thief).await.expect_missing();
    // The link of a change in the same request stays.
    change(json!({ "email": "new@example.com", "signOutEverywhere": true })).await;
    let account = confirm(newest_change(&app)).await.expect_status(200)["account"].clone();
    assert_eq!(account["email"], "new@example.com");
}

#[tokio::test]
async fn link_does_not_work_again_after_a_block() {
    let app = App::new().await;
    let admin = app.person_as("root", "admin").await;
    let person = app.person("jane").await;
    app.post("/signinlink")
        .json(&json!({ "username": person.email }))
        .send()
        .await
        .expect_status(200);
    let (id, check) = app.newest_link();
    for status in [-2, 1] {
        app.change_user(&admin, &person, &json!({ "status": status })).await;
    }
    app.post(&format!("/signinlink/{id}/{check}"))
        .send()
        .await
        .expect_missing();
}
