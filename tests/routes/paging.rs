//! Tests of `?limit` and `?after`, on every list.

use bespoke_tests::support::{App, Person};
use serde_json::{Value, json};

/// Every list of an account's records: path, name in the response, and the body that creates an item.
fn lists() -> [(&'static str, &'static str, Value); 4] {
    [
        ("/sets", "sets", json!({ "name": "s" })),
        ("/patterns", "patterns", json!({ "design": "aaron", "settings": {} })),
        (
            "/bookmarks",
            "bookmarks",
            json!({ "title": "t", "url": "/x", "type": "doc" }),
        ),
        (
            "/apikeys",
            "apikeys",
            json!({ "name": "k", "level": 1, "expiresIn": 60 }),
        ),
    ]
}

/// Removes the numbers of calls, because each request of a list counts, too.
fn without_calls(mut records: Vec<Value>) -> Vec<Value> {
    for record in records.iter_mut().filter_map(Value::as_object_mut) {
        record.shift_remove("calls");
    }
    records
}

async fn walk(app: &App, person: &Person, path: &str, name: &str, method: &str, id: &str) -> Vec<Value> {
    let mut found = Vec::new();
    let mut after = String::new();
    loop {
        let part = app
            .get(&format!("{path}/{method}?limit=2{after}"))
            .auth(person, method)
            .send()
            .await;
        let part = without_calls(part.expect_status(200)[name].as_array().unwrap().clone());
        let Some(last) = part.last() else { return found };
        assert!(part.len() <= 2);
        after = format!("&after={}", last[id].to_string().trim_matches('"'));
        found.extend(part);
    }
}

#[tokio::test]
async fn pages_make_the_complete_list() {
    let app = App::new().await;
    let (jane, eve) = (app.person("jane").await, app.person("eve").await);
    for (path, name, body) in lists() {
        for person in [&jane, &eve, &jane, &jane, &eve, &jane] {
            let made = app
                .post(&format!("{path}/jwt"))
                .jwt(&person.token)
                .json(&body)
                .send()
                .await;
            made.expect_status(201);
        }
        for method in ["jwt", "key"] {
            let whole = app
                .get(&format!("{path}/{method}"))
                .auth(&jane, method)
                .send()
                .await
                .expect_status(200);
            let whole = without_calls(whole[name].as_array().unwrap().clone());
            assert!(whole.len() >= 4);
            let ids: &[_] = if path == "/apikeys" {
                &["id", "key"]
            } else {
                &["id", "uuid"]
            };
            for id in ids {
                assert_eq!(walk(&app, &jane, path, name, method, id).await, whole, "{path} by {id}");
            }
            for bad in ["limit=0", "limit=-1", "limit=x", "after=x", "after=-1", "after=12abc"] {
                let bad = app
                    .get(&format!("{path}/{method}?{bad}"))
                    .auth(&jane, method)
                    .send()
                    .await;
                bad.expect_error(400, "badRequest");
            }
            let unknown = format!("{path}/{method}?after=6f9619ff-8b86-4011-b42d-00c04fc964ff");
            app.get(&unknown)
                .auth(&jane, method)
                .send()
                .await
                .expect_error(400, "afterUnknown");
        }
    }
}

#[tokio::test]
async fn public_lists_are_paged() {
    let app = App::new().await;
    let whole = app.get("/curated-sets.json").send().await.expect_status(200);
    for id in ["id", "uuid"] {
        let mut found = Vec::new();
        let mut after = String::new();
        loop {
            let part = app
                .get(&format!("/curated-sets.json?limit=7{after}"))
                .send()
                .await
                .expect_status(200);
            let part = part.as_array().unwrap().clone();
            let Some(last) = part.last() else { break };
            after = format!("&after={}", last[id].to_string().trim_matches('"'));
            found.extend(part);
        }
        assert_eq!(Value::Array(found), whole);
    }
    app.get("/curated-sets?after=99")
        .send()
        .await
        .expect_error(400, "afterUnknown");
}

#[tokio::test]
async fn list_too_large_for_a_gateway_must_be_paged() {
    let app = App::new().await;
    let jane = app.person("jane").await;
    let body =
        json!({ "design": "aaron", "settings": { "x": "x".repeat(250_000) }, "data": { "y": "y".repeat(250_000) } });
    for _ in 0..11 {
        app.post("/patterns/jwt")
            .jwt(&jane.token)
            .json(&body)
            .send()
            .await
            .expect_status(201);
    }
    app.get("/patterns/jwt")
        .jwt(&jane.token)
        .send()
        .await
        .expect_error(413, "listTooLarge");
    let part = app
        .get("/patterns/jwt?limit=9")
        .jwt(&jane.token)
        .send()
        .await
        .expect_status(200);
    assert_eq!(part["patterns"].as_array().unwrap().len(), 9);
}
