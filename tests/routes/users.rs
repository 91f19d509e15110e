//! Tests of `GET /users/:id`, `GET /users/:id/card` and `GET /users/:id/{auth}`.

use bespoke_tests::support::App;
use serde_json::json;

#[tokio::test]
async fn profile_is_public_by_id_and_name_only() {
    let app = App::new().await;
    let jane = app.person("jane").await;
    let body = json!({ "bio": "I *sew*", "username": "Jane Doe" });
    app.change_account(&jane, &body).await;
    let account = app.get("/account/jwt").jwt(&jane.token).send().await.expect_status(200)["account"].clone();
    for id in [
        &jane.id.to_string(),
        &jane.uuid,
        "Jane%20Doe",
        "jane%20DOE",
        &jane.uuid.to_uppercase(),
    ] {
        let profile = app.get(&format!("/users/{id}")).send().await.expect_status(200);
        assert_eq!(
            profile,
            json!({ "result": "success", "profile": { "id": jane.id, "bio": "I *sew*", "ihash": account["ihash"], "patron": 0,
                "role": "user", "username": "Jane Doe", "uuid": jane.uuid } })
        );
    }
    // In the original, a search by address revealed the existence of an account.
    for nobody in [
        jane.email.as_str(),
        "jane%40freesewing.dev",
        "nobody",
        "99",
        "0",
        "1abc",
        "00000000-0000-4000-8000-000000000000",
        "%20",
        "x'%20OR%201=1--",
    ] {
        app.get(&format!("/users/{nobody}")).send().await.expect_missing();
        let card = app.get(&format!("/users/{nobody}/card")).send().await;
        let kind = card.header("content-type").to_owned();
        assert_eq!(
            (card.status, kind.as_str(), card.text().as_str()),
            (404, "image/svg+xml; charset=utf-8", ""),
            "{nobody}"
        );
    }
}

#[tokio::test]
async fn unusable_account_is_hidden() {
    let app = App::new().await;
    let admin = app.person_as("root", "admin").await;
    let jane = app.person("jane").await;
    let path = format!("/users/{}", jane.id);
    let card = format!("{path}/card");
    let change = async |body| {
        let path = format!("/admin/user/{}/jwt", jane.id);
        app.patch(&path)
            .jwt(&admin.token)
            .json(&body)
            .send()
            .await
            .expect_status(200);
    };
    for (field, bad, good) in [
        ("status", json!(-2), json!(1)),
        ("status", json!(-1), json!(1)),
        ("status", json!(0), json!(1)),
        ("consent", json!(0), json!(1)),
        ("role", json!("blocked"), json!("user")),
    ] {
        change(json!({ field: bad })).await;
        app.get(&path).send().await.expect_missing();
        assert_eq!(app.get(&card).send().await.status, 404);
        change(json!({ field: good })).await;
        app.get(&path).send().await.expect_status(200);
        assert_eq!(app.get(&card).send().await.status, 200);
    }
}

#[tokio::test]
async fn card_is_a_safe_picture() {
    // In the original, a name could contain markup.
    let app = App::new().await;
    let jane = app.person("jane").await;
    let name = "</text><script>alert(1)</script>&\"'";
    let body = json!({ "username": name });
    app.change_account(&jane, &body).await;
    for id in [jane.id.to_string(), jane.uuid.clone()] {
        let card = app.get(&format!("/users/{id}/card")).send().await;
        assert_eq!(
            (card.status, card.header("content-type")),
            (200, "image/svg+xml; charset=utf-8")
        );
        assert!(card.header("content-security-policy").contains("default-src 'none'"));
        let text = card.text();
        assert!(
            text.starts_with("<svg ") && text.contains("viewBox=\"0 0 500 100\""),
            "{text}"
        );
        assert!(
            text.contains("&lt;/text&gt;&lt;script&gt;alert(1)&lt;/script&gt;&amp;&quot;&#39;</text>"),
            "{text}"
        );
        assert!(!text.contains("<script"), "{text}");
        assert!(text.contains(&format!(">#{}<", jane.id)), "{text}");
    }
}

#[tokio::test]
async fn account_data_require_owner_or_level_6() {
    // In the original, any caller could read this.
    let app = App::new().await;
    let jane = app.person("jane").await;
    let set = json!({ "name": "Me", "measies": { "chest": 930 } });
    let set = app
        .post("/sets/jwt")
        .jwt(&jane.token)
        .json(&set)
        .send()
        .await
        .expect_status(201)["set"]
        .clone();
    let pattern = json!({ "design": "aaron", "settings": { "sa": 10 } });
    let pattern = app
        .post("/patterns/jwt")
        .jwt(&jane.token)
        .json(&pattern)
        .send()
        .await
        .expect_status(201)["pattern"]
        .clone();
    let bookmark = json!({ "title": "t", "url": "/docs", "type": "doc" });
    let bookmark = app
        .post("/bookmarks/jwt")
        .jwt(&jane.token)
        .json(&bookmark)
        .send()
        .await
        .expect_status(201)["bookmark"]
        .clone();
    let support = app.person_as("bug", "bughunter").await;
    let curator = app.person_as("curator", "curator").await;
    for id in [jane.id.to_string(), jane.uuid.clone()] {
        for method in ["jwt", "key"] {
            let path = format!("/users/{id}/{method}");
            let own = app.get(&path).auth(&jane, method).send().await.expect_status(200);
            assert_eq!(own["data"]["sets"], json!([set]));
            assert_eq!(own["data"]["patterns"], json!([pattern]));
            assert_eq!(own["data"]["bookmarks"], json!([bookmark]));
            assert_eq!(own["data"]["apikeys"].as_array().unwrap().len(), 1);
            assert_eq!(own["data"]["apikeys"][0]["id"], jane.key.id);
            assert!(!own.to_string().contains(&jane.key.secret));
            app.get(&path)
                .auth(&curator, method)
                .send()
                .await
                .expect_error(403, "insufficientAccessLevel");
        }
        let path = format!("/users/{id}/jwt");
        app.get(&path).jwt(&support.token).send().await.expect_status(200);
    }
    // A key with its own level, and one with scopes.
    let low = app.key(&support, 5).await;
    let path = format!("/users/{}/key", jane.id);
    app.get(&path)
        .key(&low)
        .send()
        .await
        .expect_error(403, "insufficientAccessLevel");
    let limited = app
        .key_with(&jane, 4, json!({ "scopes": ["account:read", "sets:read"] }))
        .await;
    app.get(&path)
        .key(&limited)
        .send()
        .await
        .expect_error(403, "insufficientScope");
    for nobody in ["99", "00000000-0000-4000-8000-000000000000", "jane", "1abc"] {
        app.get(&format!("/users/{nobody}/jwt"))
            .jwt(&jane.token)
            .send()
            .await
            .expect_missing();
    }
}

#[tokio::test]
async fn profiles_are_found_by_name_and_id() {
    let app = App::new().await;
    let jane = app.person("jane").await;
    let admin = app.person_as("root", "admin").await;
    for number in 0..12 {
        let person = app.person(&format!("eve{number}")).await;
        let name = json!({ "username": format!("Eve {number}") });
        app.change_account(&person, &name).await;
        if number == 0 {
            app.change_user(&admin, &person, &json!({ "status": -2 })).await;
        }
    }
    let name = json!({ "username": "Jane Doe" });
    app.change_account(&jane, &name).await;
    let account = app.get("/account/jwt").jwt(&jane.token).send().await.expect_status(200)["account"].clone();
    let find = async |text: serde_json::Value| {
        let post = app.post("/find/users").jwt(&jane.token).json(&json!({ "match": text }));
        post.send().await.expect_status(200)["profiles"].clone()
    };
    let expected = json!({ jane.id.to_string(): { "username": "Jane Doe", "avatar": account["ihash"] } });
    for text in [
        json!("jane"),
        json!(" JANE d"),
        json!(jane.id),
        json!(jane.id.to_string()),
        json!(jane.uuid),
    ] {
        assert_eq!(find(text.clone()).await, expected, "{text}");
    }
    for text in [
        json!(""),
        json!(" "),
        json!(null),
        json!({}),
        json!("ane"),
        json!(jane.email),
        json!("x".repeat(70)),
    ] {
        assert_eq!(find(text.clone()).await, json!({}), "{text}");
    }
    let many = find(json!("eve")).await;
    assert_eq!(many.as_object().unwrap().len(), 10);
    assert!(!many.to_string().contains("\"Eve 0\""), "{many}");
    let anonymous = app.post("/find/users").json(&json!({ "match": "jane" }));
    anonymous.send().await.expect_error(401, "unauthorized");
    let by_key = app.post("/find/users").key(&jane.key).json(&json!({ "match": "jane" }));
    by_key.send().await.expect_error(401, "unauthorized");
}

#[tokio::test]
async fn a_scheme_with_a_colon_is_accepted() {
    let app = App::new().await;
    let jane = app.person("jane").await;
    let ping = app
        .get("/whoami/jwt")
        .header("authorization", &format!("Bearer: {}", jane.token));
    assert_eq!(ping.send().await.expect_status(200)["account"]["id"], jane.id);
}
