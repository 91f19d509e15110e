//! Tests of the public counters below `/info`.

use bespoke_tests::support::App;
use serde_json::json;

#[tokio::test]
async fn counters_are_public() {
    let app = App::new().await;
    let jane = app.person("jane").await;
    app.post("/sets/jwt")
        .jwt(&jane.token)
        .json(&json!({ "name": "s" }))
        .send()
        .await
        .expect_status(201);
    for design in ["aaron", "aaron", "simon", "What Jane wrote", ""] {
        let body = json!({ "design": design, "settings": {}, "data": { "design": "Not a design!" } });
        app.post("/patterns/jwt")
            .jwt(&jane.token)
            .json(&body)
            .send()
            .await
            .expect_status(201);
    }
    let body = json!({ "title": "t", "url": "/x", "type": "doc" });
    app.post("/bookmarks/jwt")
        .jwt(&jane.token)
        .json(&body)
        .send()
        .await
        .expect_status(201);
    let users = app.get("/info/users").send().await.expect_status(200);
    assert_eq!(users, json!({ "result": "success", "users": 1 }));
    let mut stats = app.get("/info/stats").send().await.expect_status(200);
    assert!(stats["activity"]["jwt"].is_i64() && stats["activity"]["key"].is_i64());
    stats.as_object_mut().unwrap().remove("activity");
    let expected = json!({ "result": "success", "user": 1, "pattern": 5, "bookmark": 1, "set": 1, "curatedSet": 20,
        "apikey": 1, "subscriber": 0, "designs": { "aaron": 2, "simon": 1 }, "topUsers": [] });
    assert_eq!(stats, expected);
    let authors = app.get("/info/authors").send().await.expect_status(200);
    assert_eq!(authors, json!({ "result": "success", "authors": [] }));
}

#[tokio::test]
async fn users_with_the_most_calls_are_listed() {
    let app = App::new().await;
    let admin = app.person_as("root", "admin").await;
    for (name, calls) in [("jane", 3), ("eve", 5), ("bob", 4)] {
        let person = app.person(name).await;
        for _ in 0..calls {
            app.get("/sets/jwt").jwt(&person.token).send().await.expect_status(200);
        }
        let body = json!({ "username": name });
        app.change_account(&person, &body).await;
        if name == "bob" {
            app.change_user(&admin, &person, &json!({ "status": -2 })).await;
        }
    }
    app.clock.advance_ms(60_000);
    app.get("/sets/jwt").jwt(&admin.token).send().await.expect_status(200);
    app.context().database().usage().merge().await.unwrap();
    let stats = app.get("/info/stats").send().await.expect_status(200);
    let top: Vec<_> = stats["topUsers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|user| user["username"].as_str().unwrap())
        .collect();
    // The last one is the administrator.
    assert_eq!(top[..2], ["eve", "jane"], "{stats}");
    assert!(
        !top.contains(&"bob") && stats["topUsers"][0]["calls"].as_i64() >= Some(5),
        "{stats}"
    );
}

#[tokio::test]
async fn counters_are_counted_once_a_minute() {
    let app = App::new().await;
    let jane = app.person("jane").await;
    let counted = async || {
        let (stats, users) = tokio::join!(app.get("/info/stats").send(), app.get("/info/users").send());
        let (stats, users) = (stats.expect_status(200), users.expect_status(200));
        (stats["set"].as_i64(), users["users"].as_i64())
    };
    assert_eq!(counted().await, (Some(0), Some(1)));
    let set = app.post("/sets/jwt").jwt(&jane.token).json(&json!({ "name": "s" }));
    set.send().await.expect_status(201);
    app.person("eve").await;
    app.clock.advance_ms(59_999);
    assert_eq!(counted().await, (Some(0), Some(1)));
    app.clock.advance_ms(1);
    assert_eq!(counted().await, (Some(1), Some(2)));
}

#[tokio::test]
async fn counters_can_be_turned_off() {
    let app = App::with(&[("BACKEND_HIDE_COUNTERS", "yes")]).await;
    for path in ["/info/users", "/info/stats", "/info/authors"] {
        app.get(path).send().await.expect_error(404, "notFound");
    }
    app.get("/healthz").send().await.expect_status(200);
}
