//! Tests of the routes below `/apikeys`, and of `GET /whoami/key`.

use bespoke_tests::support::{App, Key};
use serde_json::json;

const FIELDS: [&str; 5] = ["key", "level", "expiresAt", "name", "userId"];

#[tokio::test]
async fn key_is_created_read_listed_and_revoked() {
    let app = App::new().await;
    let person = app.person("jane").await;
    for method in ["jwt", "key"] {
        let path = format!("/apikeys/{method}");
        let body = json!({ "name": { "any": ["value"] }, "level": 4, "expiresIn": 60 });
        let made = app
            .post(&path)
            .auth(&person, method)
            .json(&body)
            .send()
            .await
            .expect_status(201);
        assert_eq!(made["result"], "created");
        let made = &made["apikey"];
        assert_eq!(made["secret"].as_str().unwrap().len(), 53);
        assert_eq!(
            (&made["createdAt"], &made["expiresAt"]),
            (&json!("2026-01-01T00:00:00.000Z"), &json!("2026-01-01T00:01:00.000Z"))
        );
        assert_eq!(
            (&made["id"], &made["userId"], &made["userUuid"]),
            (&made["key"], &json!(person.id), &json!(person.uuid))
        );

        let one = format!("/apikeys/{}/{method}", made["key"].as_str().unwrap());
        let read = app.get(&one).auth(&person, method).send().await.expect_status(200);
        let key = Key {
            id: made["key"].as_str().unwrap().into(),
            secret: made["secret"].as_str().unwrap().into(),
        };
        let whoami = app.get("/whoami/key").key(&key).send().await.expect_status(200);
        for field in FIELDS {
            assert_eq!(
                (&read["apikey"][field], &whoami["apikey"][field]),
                (&made[field], &made[field]),
                "{field}"
            );
        }
        let list = app.get(&path).auth(&person, method).send().await.expect_status(200);
        let item = list["apikeys"]
            .as_array()
            .unwrap()
            .iter()
            .find(|item| item["id"] == made["id"])
            .unwrap();
        let keys: Vec<_> = item.as_object().unwrap().keys().collect();
        assert_eq!(
            keys,
            [
                "id",
                "calls",
                "createdAt",
                "expiresAt",
                "name",
                "lastSeen",
                "level",
                "userId",
                "userUuid",
                "key",
                "scopes",
                "cidr"
            ]
        );
        for answer in [&list, &read, &whoami] {
            assert!(!answer.to_string().contains(&key.secret), "a secret is shown once");
        }
        // A key may revoke itself.
        app.delete(&format!("/apikeys/{}/key", key.id))
            .key(&key)
            .send()
            .await
            .expect_status(204);
        app.get("/whoami/key")
            .key(&key)
            .send()
            .await
            .expect_error(401, "keyRevoked");
        app.get(&one).auth(&person, method).send().await.expect_missing();
        app.delete(&one).auth(&person, method).send().await.expect_missing();
    }
}

#[tokio::test]
async fn key_level_never_exceeds_its_creators_level() {
    // In the original, a key could create a key of a higher level, and an unknown role could create a key of level 9.
    let app = App::new().await;
    let (user, admin, patron) = (
        app.person("jane").await,
        app.person_as("root", "admin").await,
        app.person_as("old", "patron").await,
    );
    let make = async |path: &str, auth: &dyn Fn(&str) -> (String, String), level: i64| {
        let (name, value) = auth(path);
        let body = json!({ "name": "n", "level": level, "expiresIn": 60 });
        app.post(path).header(&name, &value).json(&body).send().await
    };
    let jwt = |token: String| move |_: &str| ("authorization".to_owned(), format!("Bearer {token}"));
    let basic = |key: Key| move |_: &str| ("authorization".to_owned(), key.authorization());
    make("/apikeys/jwt", &jwt(user.token.clone()), 4)
        .await
        .expect_status(201);
    make("/apikeys/jwt", &jwt(user.token.clone()), 5)
        .await
        .expect_error(400, "keyLevelExceedsRoleLevel");
    make("/apikeys/jwt", &jwt(admin.token.clone()), 9)
        .await
        .expect_status(201);
    make("/apikeys/jwt", &jwt(patron.token.clone()), 1)
        .await
        .expect_error(403, "insufficientAccessLevel");
    let (three, five) = (app.key(&admin, 3).await, app.key(&admin, 5).await);
    make("/apikeys/key", &basic(three), 1)
        .await
        .expect_error(403, "insufficientAccessLevel");
    make("/apikeys/key", &basic(five.clone()), 5).await.expect_status(201);
    make("/apikeys/key", &basic(five), 6)
        .await
        .expect_error(400, "keyLevelExceedsRoleLevel");
}

#[tokio::test]
async fn foreign_keys_are_readable_by_administrators_only() {
    let app = App::new().await;
    let (jane, eve, admin) = (
        app.person("jane").await,
        app.person("eve").await,
        app.person_as("root", "admin").await,
    );
    let one = |method| format!("/apikeys/{}/{method}", jane.key.id);
    for method in ["jwt", "key"] {
        app.get(&one(method))
            .auth(&eve, method)
            .send()
            .await
            .expect_error(403, "insufficientAccessLevel");
        app.delete(&one(method))
            .auth(&eve, method)
            .send()
            .await
            .expect_error(403, "insufficientAccessLevel");
        // The administrator's key has level 4 only.
        app.get(&one("key"))
            .key(&admin.key)
            .send()
            .await
            .expect_error(403, "insufficientAccessLevel");
    }
    app.get(&one("jwt")).jwt(&admin.token).send().await.expect_status(200);
    app.delete(&one("jwt"))
        .jwt(&admin.token)
        .send()
        .await
        .expect_status(204);
    app.get("/whoami/key")
        .key(&jane.key)
        .send()
        .await
        .expect_error(401, "keyRevoked");
}

#[tokio::test]
async fn expired_key_is_rejected() {
    // In the original, keys never expired.
    let app = App::new().await;
    let person = app.person("jane").await;
    app.clock.advance_ms(86_400_000 - 1);
    app.get("/whoami/key").key(&person.key).send().await.expect_status(200);
    app.clock.advance_ms(1);
    let refused = app.get("/whoami/key").key(&person.key).send().await;
    assert_eq!(
        refused.header("www-authenticate"),
        r#"Basic realm="Users", error="keyExpired""#
    );
    refused.expect_error(401, "keyExpired");
    // A caller without the secret cannot see whether the key existed.
    let guess = Key {
        id: person.key.id.clone(),
        secret: unknown_secret(),
    };
    app.get("/whoami/key")
        .key(&guess)
        .send()
        .await
        .expect_error(401, "unauthorized");
}

/// A well-formed secret that belongs to no key.
fn unknown_secret() -> String {
    bespoke_core::KeySecret::generate(&bespoke_web::SystemRandom)
        .expose()
        .to_owned()
}

#[tokio::test]
async fn malformed_keys_are_rejected_and_the_process_survives() {
    // The original crashed on an unknown key, and on one of another instance.
    let app = App::new().await;
    let person = app.person("jane").await;
    let unknown = Key {
        id: "6f9619ff-8b86-4011-b42d-00c04fc964ff".into(),
        secret: unknown_secret(),
    };
    let wrong = Key {
        id: person.key.id.clone(),
        secret: unknown_secret(),
    };
    let truncated = Key {
        id: person.key.id.clone(),
        secret: person.key.secret[..52].into(),
    };
    for key in [&unknown, &wrong, &truncated, &Key::default()] {
        let refused = app.get("/account/key").key(key).send().await;
        assert_eq!(refused.header("www-authenticate"), r#"Basic realm="Users""#);
        refused.expect_error(401, "unauthorized");
    }
    let refused = app.get("/account/key").send().await;
    assert_eq!(refused.header("www-authenticate"), r#"Basic realm="Users""#);
    refused.expect_error(401, "unauthorized");
    // A token on a key route, and a key on a token route.
    app.get("/account/key")
        .jwt(&person.token)
        .send()
        .await
        .expect_error(401, "unauthorized");
    app.get("/account/jwt")
        .key(&person.key)
        .send()
        .await
        .expect_error(401, "unauthorized");
    app.get("/account/key")
        .header("authorization", "Basic")
        .send()
        .await
        .expect_error(400, "badRequest");
    // A Bearer token with both parts is a key.
    let bearer = format!("{}.{}", person.key.id, person.key.secret);
    app.get("/account/key").jwt(&bearer).send().await.expect_status(200);
}

#[tokio::test]
async fn another_instance_rejects_keys_and_tokens() {
    let bucket = bespoke_storage::MemoryStore::new();
    let default_instance = App::on(bucket.clone(), &[]).await;
    let person = default_instance.person("jane").await;
    let staging = App::on(bucket, &[("BACKEND_INSTANCE", "staging")]).await;
    staging
        .get("/account/key")
        .key(&person.key)
        .send()
        .await
        .expect_error(401, "unauthorized");
    staging
        .get("/account/jwt")
        .jwt(&person.token)
        .send()
        .await
        .expect_error(401, "unauthorized");
    default_instance
        .get("/account/key")
        .key(&person.key)
        .send()
        .await
        .expect_status(200);
}

#[tokio::test]
async fn key_revoked_by_another_process_is_rejected() {
    let app = App::new().await;
    let other = app.another().await;
    let person = app.person("jane").await;
    other
        .get("/whoami/key")
        .key(&person.key)
        .send()
        .await
        .expect_status(200);
    app.delete(&format!("/apikeys/{}/jwt", person.key.id))
        .jwt(&person.token)
        .send()
        .await
        .expect_status(204);
    other
        .get("/whoami/key")
        .key(&person.key)
        .send()
        .await
        .expect_error(401, "keyRevoked");
}

#[tokio::test]
async fn key_that_expires_during_the_upload_is_rejected() {
    let app = App::new().await;
    let person = app.person("jane").await;
    for (method, path, body) in [
        (
            "POST",
            "/apikeys/key",
            json!({ "name": "thief's", "level": 4, "expiresIn": 60 }),
        ),
        ("POST", "/sets/key", json!({ "name": "thief's" })),
        ("PATCH", "/account/key", json!({ "password": "thief's" })),
    ] {
        let key = app.key(&person, 4).await;
        let authorization = key.authorization();
        let (send, is_sent) = tokio::sync::oneshot::channel::<()>();
        let body = futures_util::stream::once(async move {
            is_sent.await.unwrap();
            Ok::<_, std::io::Error>(body.to_string())
        });
        let request = http::Request::builder()
            .method(method)
            .uri(path)
            .header("content-type", "application/json");
        let request = request.header("authorization", authorization);
        let request = request.body(axum::body::Body::from_stream(body)).unwrap();
        let answer = app.gateway().handle(request);
        let end = async {
            app.delete(&format!("/apikeys/{}/jwt", key.id))
                .jwt(&person.token)
                .send()
                .await
                .expect_status(204);
            send.send(()).unwrap();
        };
        let (answer, ()) = tokio::join!(answer, end);
        assert_eq!(answer.status(), 401, "{method} {path}");
    }
    let keys = app
        .get("/apikeys/jwt")
        .jwt(&person.token)
        .send()
        .await
        .expect_status(200);
    assert_eq!(keys["apikeys"].as_array().unwrap().len(), 1);
    assert_eq!(
        app.get("/sets/jwt").jwt(&person.token).send().await.json()["sets"],
        json!([])
    );
}
