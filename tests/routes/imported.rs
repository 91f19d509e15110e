//! Tests of passwords and API keys in the format of the original backend: they work, and are rehashed at their first use.

use bespoke_core::entity::api_key::ApiKey;
use bespoke_core::{EntityId, ImportedHash, Level, StoredSecret};
use bespoke_database::{api_keys, users};
use bespoke_tests::support::{App, Key, Person};
use bespoke_web::{Error, Session};
use serde_json::{Value, json};
use uuid::Uuid;

fn vectors() -> Value {
    serde_json::from_str(include_str!("../data/vectors.json")).unwrap()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

async fn stored_password(app: &App, id: i64) -> String {
    let read = Session::new(app.context().clone());
    let read = read.read(|db| Ok(users::by_id(db, EntityId::Integer(id))?.map(|user| user.password)));
    read.await.unwrap().unwrap()
}

async fn store_password(app: &App, id: i64, column: String) {
    let old = stored_password(app, id).await;
    let session = Session::new(app.context().clone());
    let write = session.write(move |db| Ok(users::rehash_password(db, id, &old, &column)?));
    write.await.unwrap();
}

#[tokio::test]
async fn imported_passwords_sign_in_and_are_rehashed() {
    let app = App::new().await;
    let person = app.person("jane").await;
    let vectors = vectors();
    for vector in ["passwords_v3", "passwords_v2"].map(|kind| &vectors[kind]["vectors"][0]) {
        store_password(&app, person.id, text(&vector["column"])).await;
        let sign_in = |password: String| {
            let body = json!({ "username": person.email, "password": password });
            app.post("/signin").json(&body).send()
        };
        sign_in("wrong".into()).await.expect_error(401, "signInFailed");
        assert_eq!(stored_password(&app, person.id).await, text(&vector["column"]));
        sign_in(text(&vector["password"])).await.expect_status(200);
        assert!(stored_password(&app, person.id).await.starts_with("$argon2id$"));
        sign_in(text(&vector["password"])).await.expect_status(200);
    }
}

#[tokio::test]
async fn password_hashed_as_typed_is_rehashed_in_its_normal_form() {
    let app = App::new().await;
    let person = app.person("jane").await;
    // The hash of earlier versions, which did not normalize passwords, with the settings of this test.
    let (composed, decomposed) = ("p\u{e4}ssword", "pa\u{308}ssword");
    let column = "$argon2id$v=19$m=8,t=1,p=1$c2l4dGVlbiBieXRlcyBvZg$e/Zr96By3TziBiOXxBE+jW+qu7mduSB2aysNCpKhuFg";
    store_password(&app, person.id, column.to_owned()).await;
    let sign_in = |password: &str| {
        let body = json!({ "username": person.email, "password": password });
        app.post("/signin").json(&body).send()
    };
    sign_in(composed).await.expect_error(401, "signInFailed");
    sign_in(decomposed).await.expect_status(200);
    let renewed = stored_password(&app, person.id).await;
    assert_ne!(renewed, column);
    for password in [composed, decomposed] {
        sign_in(password).await.expect_status(200);
    }
    assert_eq!(stored_password(&app, person.id).await, renewed);
}

/// A key of an account in the format of the original; its secret is that of the vectors.
async fn imported_key(app: &App, person: &Person, uuid: Uuid) -> Key {
    let vectors = vectors();
    let vector = &vectors["passwords_v3"]["apikey_secret"];
    let session = Session::new(app.context().clone());
    let key = ApiKey {
        uuid,
        user_id: person.id,
        user_uuid: person.uuid.parse().unwrap(),
        name: json!("old"),
        level: Level::USER,
        secret: StoredSecret::Imported(ImportedHash::parse(&text(&vector["column"])).unwrap()),
        grace_until: None,
        scopes: None,
        cidr: None,
        instance: session.config().instance.clone(),
        calls: 7,
        created_at: session.now(),
        expires_at: session.now().plus_ms(1_000_000),
        last_seen: None,
    };
    session.write(move |db| Ok(api_keys::insert(db, &key)?)).await.unwrap();
    Key {
        id: uuid.to_string(),
        secret: text(&vector["secret"]),
    }
}

async fn hash_count(app: &App, uuid: Uuid) -> usize {
    let session = Session::new(app.context().clone());
    let read = session.read(|db| Ok::<_, Error>(api_keys::imported_hashes(db, uuid)?.len()));
    read.await.unwrap()
}

#[tokio::test]
async fn imported_key_is_rehashed_at_its_first_use() {
    let app = App::new().await;
    let person = app.person("jane").await;
    let uuid = Uuid::from_u128(77);
    let key = imported_key(&app, &person, uuid).await;
    let wrong = Key {
        secret: key.secret.replace('a', "b"),
        ..key.clone()
    };
    let unknown = Key {
        id: Uuid::from_u128(78).to_string(),
        ..key.clone()
    };
    for refused in [&wrong, &unknown] {
        let answer = app.get("/whoami/key").key(refused).send().await;
        answer.expect_error(401, "unauthorized");
    }
    assert_eq!(hash_count(&app, uuid).await, 1);
    let both = tokio::join!(
        app.get("/whoami/key").key(&key).send(),
        app.post("/sets/key")
            .key(&key)
            .json(&json!({ "name": "By key" }))
            .send()
    );
    both.0.expect_status(200);
    both.1.expect_status(201);
    assert_eq!(hash_count(&app, uuid).await, 0);
    app.get("/whoami/key").key(&key).send().await.expect_status(200);
    app.get("/whoami/key")
        .key(&wrong)
        .send()
        .await
        .expect_error(401, "unauthorized");
}

#[tokio::test]
async fn imported_key_is_manageable_before_its_first_use() {
    let app = App::new().await;
    let person = app.person("jane").await;
    let (kept, ended) = (Uuid::from_u128(77), Uuid::from_u128(79));
    let (old, gone) = (
        imported_key(&app, &person, kept).await,
        imported_key(&app, &person, ended).await,
    );
    let list = app
        .get("/apikeys/jwt")
        .jwt(&person.token)
        .send()
        .await
        .expect_status(200);
    assert_eq!(list["apikeys"].as_array().unwrap().len(), 3);
    let rotate = app.post(&format!("/apikeys/{kept}/rotate/jwt")).jwt(&person.token);
    let rotated = rotate.send().await.expect_status(200);
    let new = Key {
        id: old.id.clone(),
        secret: text(&rotated["apikey"]["secret"]),
    };
    for key in [&old, &new] {
        app.get("/whoami/key").key(key).send().await.expect_status(200);
    }
    assert_eq!(hash_count(&app, kept).await, 0);
    let end = app.delete(&format!("/apikeys/{ended}/jwt")).jwt(&person.token);
    end.send().await.expect_status(204);
    let answer = app.get("/whoami/key").key(&gone).send().await;
    answer.expect_error(401, "unauthorized");
}

#[tokio::test]
async fn guesses_at_an_imported_key_are_limited() {
    let app = App::with(&[("BACKEND_LIMIT_PUBLIC_WRITES", "1")]).await;
    let person = app.person("jane").await;
    let mut key = imported_key(&app, &person, Uuid::from_u128(77)).await;
    key.secret = key.secret.replace('a', "b");
    let call = || app.get("/whoami/key").key(&key).from_ip("192.0.2.9").send();
    for _ in 0..2 {
        call().await.expect_error(401, "unauthorized");
    }
    call().await.expect_error(429, "tooManyRequests");
}
