//! Tests of the restrictions of API keys: scopes, addresses, rotation.

use bespoke_tests::support::{Answer, App, Key};
use serde_json::{Value, json};

/// Checks the refusal and its challenge.
#[track_caller]
fn expect_missing_scope(answer: Answer, scope: &str) {
    let challenge = match scope {
        "" => r#"Basic realm="Users", error="insufficientScope""#.to_owned(),
        scope => format!(r#"Basic realm="Users", error="insufficientScope", scope="{scope}""#),
    };
    assert_eq!(answer.header("www-authenticate"), challenge);
    answer.expect_error(403, "insufficientScope");
}

#[tokio::test]
async fn scopes_limit_a_key() {
    let app = App::new().await;
    let jane = app.person("jane").await;
    let make = app.post("/sets/jwt").jwt(&jane.token).json(&json!({ "name": "one" }));
    let set = make.send().await.expect_status(201)["set"]["id"].to_string();
    let one = format!("/sets/{set}/key");
    let reader = app.key_with(&jane, 4, json!({ "scopes": ["sets:read"] })).await;
    let writer = app.key_with(&jane, 4, json!({ "scopes": ["sets:write"] })).await;
    let both = app
        .key_with(&jane, 4, json!({ "scopes": ["sets:read", "sets:write"] }))
        .await;
    let account = app.key_with(&jane, 4, json!({ "scopes": ["account:read"] })).await;

    let whoami = app.get("/whoami/key").key(&reader).send().await.expect_status(200);
    assert_eq!(whoami["apikey"]["scopes"], json!(["sets:read"]));
    app.get("/sets/key").key(&reader).send().await.expect_status(200);
    app.get(&one).key(&reader).send().await.expect_status(200);
    app.get("/account/key").key(&account).send().await.expect_status(200);
    expect_missing_scope(app.get("/account/key").key(&reader).send().await, "account:read");
    expect_missing_scope(app.get(&one).key(&account).send().await, "sets:read");
    expect_missing_scope(app.delete(&one).key(&reader).send().await, "sets:write");
    // A change returns the set, and a copy shows it, so both need the scopes for reading and writing.
    expect_missing_scope(app.patch(&one).key(&writer).json(&json!({})).send().await, "sets:read");
    expect_missing_scope(
        app.post(&format!("/sets/{set}/clone/key")).key(&writer).send().await,
        "sets:read",
    );
    expect_missing_scope(app.patch(&one).key(&reader).json(&json!({})).send().await, "sets:write");
    app.patch(&one)
        .key(&both)
        .json(&json!({ "name": "two" }))
        .send()
        .await
        .expect_status(200);
    // Routes without a scope require a key without scopes: a scoped key could create a more powerful one.
    let more = json!({ "name": "n", "level": 1, "expiresIn": 60 });
    expect_missing_scope(app.post("/apikeys/key").key(&both).json(&more).send().await, "");
    expect_missing_scope(app.get("/apikeys/key").key(&both).send().await, "");
    expect_missing_scope(
        app.patch("/account/key")
            .key(&account)
            .json(&json!({ "bio": "b" }))
            .send()
            .await,
        "",
    );
    let rotate = format!("/apikeys/{}/rotate/key", both.id);
    expect_missing_scope(app.post(&rotate).key(&both).send().await, "");
    app.delete(&one).key(&writer).send().await.expect_status(204);
}

#[tokio::test]
async fn single_set_key_reads_only_its_set() {
    let app = App::new().await;
    let (jane, joe) = (app.person("jane").await, app.person("joe").await);
    let mut sets = Vec::new();
    for person in [&jane, &jane, &joe] {
        let make = app.post("/sets/jwt").jwt(&person.token).json(&json!({ "name": "s" }));
        sets.push(make.send().await.expect_status(201)["set"].clone());
    }
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let scopes = json!([
        format!("set:{}:read", text(&sets[0]["uuid"])),
        format!("set:{}:read", text(&sets[2]["uuid"]))
    ]);
    let key = app.key_with(&jane, 4, json!({ "scopes": scopes })).await;
    for id in ["id", "uuid"] {
        let read = |set: usize| app.get(&format!("/sets/{}/key", text(&sets[set][id]))).key(&key).send();
        read(0).await.expect_status(200);
        expect_missing_scope(read(1).await, "sets:read");
        // A scope grants nothing that its owner may not do.
        read(2).await.expect_error(403, "insufficientAccessLevel");
    }
    expect_missing_scope(app.get("/sets/key").key(&key).send().await, "sets:read");
    expect_missing_scope(app.get("/sets/999/key").key(&key).send().await, "sets:read");
    let one = format!("/sets/{}/key", text(&sets[0]["id"]));
    expect_missing_scope(app.delete(&one).key(&key).send().await, "sets:write");
}

#[tokio::test]
async fn bound_key_works_from_its_addresses_only() {
    let app = App::new().await;
    let jane = app.person("jane").await;
    let bounds = json!({ "cidr": ["192.0.2.0/24", "2001:db8::/32"] });
    let key = app.key_with(&jane, 4, bounds.clone()).await;
    for inside in ["192.0.2.9", "::ffff:192.0.2.9", "2001:db8::1"] {
        app.get("/whoami/key")
            .from_ip(inside)
            .key(&key)
            .send()
            .await
            .expect_status(200);
    }
    for outside in ["192.0.3.9", "2001:db9::1"] {
        let call = app.get("/whoami/key").from_ip(outside).key(&key);
        // A header about the address is ignored unless a proxy is trusted.
        let call = call.header("x-forwarded-for", "192.0.2.9");
        call.send().await.expect_error(403, "addressNotAllowed");
    }
}

#[tokio::test]
async fn mapped_network_is_an_ipv4_network() {
    let app = App::new().await;
    let jane = app.person("jane").await;
    let asked = |network: &str| json!({ "name": "n", "level": 1, "expiresIn": 60, "cidr": [network] });
    let create = async |network: &str| {
        app.post("/apikeys/jwt")
            .jwt(&jane.token)
            .json(&asked(network))
            .send()
            .await
    };
    for (network, stored) in [
        ("::ffff:192.0.2.9", "192.0.2.9/32"),
        ("::ffff:192.0.2.0/120", "192.0.2.0/24"),
    ] {
        let made = create(network).await.expect_status(201);
        assert_eq!(made["apikey"]["cidr"], json!([stored]));
        let key = app.key_with(&jane, 1, json!({ "cidr": [network] })).await;
        let call = async |address: &str| app.get("/whoami/key").from_ip(address).key(&key).send().await;
        for inside in ["192.0.2.9", "::ffff:192.0.2.9"] {
            call(inside).await.expect_status(200);
        }
        call("192.0.3.9").await.expect_error(403, "addressNotAllowed");
    }
    for larger in ["::ffff:192.0.2.9/95", "::ffff:0:0/64"] {
        create(larger).await.expect_error(400, "cidrInvalid");
    }
}

#[tokio::test]
async fn bound_key_cannot_change_credentials() {
    let app = App::new().await;
    let (jane, admin) = (app.person("jane").await, app.person_as("root", "admin").await);
    let bounds = json!({ "cidr": ["192.0.2.0/24"] });
    let key = app.key_with(&jane, 4, bounds.clone()).await;
    let inside = |method: &'static str, path: String, key: &Key, body: Value| {
        let call = app.request(method, &path).from_ip("192.0.2.9").key(key);
        call.json(&body).send()
    };
    let new_key = json!({ "name": "n", "level": 1, "expiresIn": 60 });
    let bound_key = json!({ "name": "n", "level": 1, "expiresIn": 60, "cidr": bounds["cidr"] });
    for (method, path, body) in [
        ("POST", "/apikeys/key".to_owned(), new_key),
        ("POST", "/apikeys/key".to_owned(), bound_key),
        ("POST", format!("/apikeys/{}/rotate/key", jane.key.id), json!({})),
        ("POST", format!("/apikeys/{}/rotate/key", key.id), json!({})),
        ("DELETE", format!("/apikeys/{}/key", jane.key.id), json!({})),
        ("PATCH", "/account/key".to_owned(), json!({ "password": "mine now" })),
        (
            "PATCH",
            "/account/key".to_owned(),
            json!({ "email": "mine@example.com" }),
        ),
        ("PATCH", "/account/key".to_owned(), json!({ "signOutEverywhere": true })),
        (
            "PATCH",
            "/account/key".to_owned(),
            json!({ "confirm": "emailchange", "confirmation": jane.uuid, "check": "c" }),
        ),
        ("POST", "/account/mfa/key".to_owned(), json!({ "mfa": true })),
        (
            "POST",
            "/account/mfa/key".to_owned(),
            json!({ "mfa": false, "password": "p", "token": "1" }),
        ),
    ] {
        let refused = inside(method, path, &key, body).await;
        refused.expect_error(403, "restrictedKey");
    }
    let admins = app.key_with(&admin, 9, bounds).await;
    let user = format!("/admin/user/{}/key", jane.id);
    for body in [json!({ "role": "admin" }), json!({ "mfaEnabled": false })] {
        let refused = inside("PATCH", user.clone(), &admins, body).await;
        refused.expect_error(403, "restrictedKey");
    }
    let keys = format!("/admin/user/{}/apikeys/key", jane.id);
    let refused = inside("DELETE", keys, &admins, json!({})).await;
    refused.expect_error(403, "restrictedKey");
    // Other permissions of its level stay.
    let bio = inside("PATCH", "/account/key".to_owned(), &key, json!({ "bio": "b" })).await;
    bio.expect_status(200);
    let block = inside("PATCH", user, &admins, json!({ "status": -2 })).await;
    block.expect_status(200);
}

#[tokio::test]
async fn trusted_proxy_names_the_client() {
    let app = App::with(&[("BACKEND_TRUSTED_PROXIES", "10.0.0.0/8, ::1")]).await;
    let jane = app.person("jane").await;
    let key = app.key_with(&jane, 4, json!({ "cidr": ["192.0.2.9"] })).await;
    let call = |proxy: &'static str, client: &'static str| {
        let call = app.get("/whoami/key").from_ip(proxy).key(&key);
        call.header("x-forwarded-for", client).send()
    };
    call("10.1.1.1", "192.0.2.9").await.expect_status(200);
    call("10.1.1.1", "192.0.2.9, 10.2.2.2").await.expect_status(200);
    for (proxy, client) in [("10.1.1.1", "192.0.2.9, 198.51.100.1"), ("198.51.100.1", "192.0.2.9")] {
        call(proxy, client).await.expect_error(403, "addressNotAllowed");
    }
    let all = app.key_with(&jane, 4, json!({ "cidr": ["::/0"] })).await;
    for (client, status) in [("2001:db8::1", 200), ("unknown", 403)] {
        let call = app.get("/whoami/key").from_ip("10.1.1.1").key(&all);
        let answer = call.header("x-forwarded-for", client).send().await;
        assert_eq!(answer.status, status, "{client}");
    }
}

#[tokio::test]
async fn both_secrets_work_until_the_grace_period_ends() {
    let app = App::new().await;
    let other = app.another().await;
    let jane = app.person("jane").await;
    for method in ["jwt", "key"] {
        let key = app.key(&jane, 4).await;
        let caller = bespoke_tests::support::Person {
            key: key.clone(),
            token: jane.token.clone(),
            ..app.person(method).await
        };
        let path = format!("/apikeys/{}/rotate/{method}", key.id);
        let rotate = app
            .post(&path)
            .auth(&caller, method)
            .json(&json!({ "graceSeconds": 60 }));
        let rotated = rotate.send().await.expect_status(200);
        assert_eq!(
            (&rotated["result"], &rotated["apikey"]["key"]),
            (&json!("success"), &json!(key.id))
        );
        assert_eq!(rotated["apikey"]["level"], 4);
        let new = Key {
            id: key.id.clone(),
            secret: rotated["apikey"]["secret"].as_str().unwrap().to_owned(),
        };
        assert_ne!(new.secret, key.secret);
        for secret in [&key, &new] {
            other.get("/whoami/key").key(secret).send().await.expect_status(200);
        }
        app.clock.advance_ms(60_000);
        let refused = app.get("/whoami/key").key(&key).send().await;
        assert_eq!(
            refused.header("www-authenticate"),
            r#"Basic realm="Users", error="keyRevoked""#
        );
        refused.expect_error(401, "keyRevoked");
        app.get("/whoami/key").key(&new).send().await.expect_status(200);
    }
}

#[tokio::test]
async fn second_rotation_revokes_the_first_secret() {
    let app = App::new().await;
    let jane = app.person("jane").await;
    let path = format!("/apikeys/{}/rotate/jwt", jane.key.id);
    let rotate = |body: Value| app.post(&path).jwt(&jane.token).json(&body).send();
    let key = |answer: &Value| Key {
        id: jane.key.id.clone(),
        secret: answer["apikey"]["secret"].as_str().unwrap().to_owned(),
    };
    let second = key(&rotate(json!({})).await.expect_status(200));
    let third = key(&rotate(json!({ "graceSeconds": 0 })).await.expect_status(200));
    app.get("/whoami/key")
        .key(&jane.key)
        .send()
        .await
        .expect_error(401, "unauthorized");
    app.get("/whoami/key")
        .key(&second)
        .send()
        .await
        .expect_error(401, "keyRevoked");
    app.get("/whoami/key").key(&third).send().await.expect_status(200);
    for wrong in [json!(-1), json!(2_592_001), json!("60"), json!(1.5), json!(true)] {
        rotate(json!({ "graceSeconds": wrong }))
            .await
            .expect_error(400, "graceSecondsInvalid");
    }
}

#[tokio::test]
async fn foreign_or_higher_key_cannot_be_rotated() {
    let app = App::new().await;
    let (jane, admin) = (app.person("jane").await, app.person_as("root", "admin").await);
    let path = |key: &Key, method: &str| format!("/apikeys/{}/rotate/{method}", key.id);
    // The new secret allows acting as the owner, so not even an administrator gets it.
    let rotate = app.post(&path(&jane.key, "jwt")).jwt(&admin.token).send().await;
    rotate.expect_error(403, "insufficientAccessLevel");
    let high = app.key(&admin, 9).await;
    let rotate = app.post(&path(&high, "key")).key(&admin.key).send().await;
    rotate.expect_error(400, "keyLevelExceedsRoleLevel");
    app.post("/apikeys/6f9619ff-8b86-4011-b42d-00c04fc964ff/rotate/jwt")
        .jwt(&jane.token)
        .send()
        .await
        .expect_missing();
}
