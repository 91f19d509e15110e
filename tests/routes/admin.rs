//! Tests of the routes below `/admin`.

use bespoke_tests::support::{App, Person};
use serde_json::{Value, json};

async fn admin(app: &App) -> Person {
    let mut admin = app.person_as("root", "admin").await;
    admin.key = app.key(&admin, 9).await;
    admin
}

#[tokio::test]
async fn account_search_reveals_no_secrets() {
    // The original returned secrets of second factors.
    let app = App::new().await;
    let (admin, jane) = (admin(&app).await, app.person("jane").await);
    let name = json!({ "username": "Jane%_Doe", "password": "secret words" });
    app.change_account(&jane, &name).await;
    for method in ["jwt", "key"] {
        let search = async |q: Value| {
            let found = app
                .post(&format!("/admin/search/users/{method}"))
                .auth(&admin, method)
                .json(&json!({ "q": q }));
            let found = found.send().await.expect_status(200);
            assert!(!found.to_string().contains("\"mfaSecret\"") && !found.to_string().contains("\"password\":"));
            let ids = |list: &Value| {
                list.as_array()
                    .unwrap()
                    .iter()
                    .map(|user| user["id"].as_i64().unwrap())
                    .collect::<Vec<_>>()
            };
            let users = &found["users"];
            let mut by_email = ids(&users["ehash"]);
            by_email.extend(ids(&users["ihash"]));
            assert_eq!(ids(&users["email"]), by_email);
            let by_id = [ids(&users["uuid"]), ids(&users["id"])].concat();
            (by_email, ids(&users["username"]), by_id)
        };
        for part in ["jane", "E%_d", "doe"] {
            assert_eq!(search(json!(part)).await, (vec![], vec![jane.id], vec![]), "{part}");
        }
        assert_eq!(
            search(json!(" JANE@freesewing.dev ")).await,
            (vec![jane.id], vec![], vec![])
        );
        for id in [json!(jane.uuid.to_uppercase()), json!(format!(" {} ", jane.id))] {
            assert_eq!(search(id.clone()).await.2, [jane.id], "{id}");
        }
        let account = app.get("/account/jwt").jwt(&jane.token).send().await.expect_status(200);
        assert_eq!(
            search(account["account"]["ihash"].clone()).await,
            (vec![jane.id], vec![], vec![])
        );
        for nothing in [
            json!(""),
            json!("  "),
            json!(null),
            json!(7),
            json!({ "a": 1 }),
            json!("x".repeat(300)),
        ] {
            assert_eq!(search(nothing.clone()).await, (vec![], vec![], vec![]), "{nothing}");
        }
    }
    let newest = &app.audit(&admin).await[0];
    assert_eq!(
        (&newest["action"], &newest["target"]),
        (&json!("users.search"), &json!(null))
    );
}

#[tokio::test]
async fn account_changes_are_recorded_in_the_audit() {
    let app = App::new().await;
    let (admin, jane) = (admin(&app).await, app.person("jane").await);
    let target = json!(format!("users/{}", jane.id));
    for method in ["jwt", "key"] {
        for id in [jane.id.to_string(), jane.uuid.clone()] {
            let one = format!("/admin/user/{id}/{method}");
            let read = app.get(&one).auth(&admin, method).send().await.expect_status(200);
            assert_eq!(
                (&read["user"]["id"], &read["user"]["email"]),
                (&json!(jane.id), &json!(jane.email))
            );
            let newest = &app.audit(&admin).await[0];
            assert_eq!((&newest["action"], &newest["target"]), (&json!("users.read"), &target));
            let patch = async |body: Value| {
                let changed = app.patch(&one).auth(&admin, method).json(&body).send().await;
                changed.expect_status(200)
            };
            for role in ["curator", "readNone", "user"] {
                assert_eq!(patch(json!({ "role": role })).await["user"]["role"], role);
            }
            // The original ignored zero as a number.
            for (status, stored) in [
                (json!(0), 0),
                (json!("-1"), -1),
                (json!(-2), -2),
                (json!("0"), 0),
                (json!(1), 1),
            ] {
                assert_eq!(patch(json!({ "status": status })).await["user"]["status"], stored);
            }
            assert_eq!(patch(json!({ "consent": 3, "patron": 4 })).await["user"]["patron"], 4);
            let invalid = patch(
                json!({ "role": "king", "status": 7, "consent": -1, "patron": 99, "mfaEnabled": true, "email": "x" }),
            )
            .await;
            assert_eq!(
                invalid["ignored"],
                json!(["role", "status", "consent", "patron", "mfaEnabled", "email"])
            );
            assert_eq!(
                (&invalid["user"]["consent"], &invalid["user"]["patron"]),
                (&json!(3), &json!(4))
            );
            patch(json!({ "consent": 2, "patron": 0, "mfaEnabled": false })).await;
            let newest = app.audit(&admin).await.remove(0);
            assert_eq!(
                (&newest["action"], &newest["target"], &newest["actor"]),
                (&json!("users.update"), &target, &json!(admin.id))
            );
            assert_eq!(
                (&newest["before"]["consent"], &newest["after"]["consent"]),
                (&json!(3), &json!(2))
            );
            let keys: Vec<_> = newest.as_object().unwrap().keys().collect();
            assert_eq!(
                keys,
                [
                    "id",
                    "createdAt",
                    "actor",
                    "action",
                    "target",
                    "before",
                    "after",
                    "uuid"
                ]
            );
        }
    }
}

#[tokio::test]
async fn block_takes_effect_immediately() {
    let app = App::new().await;
    let (admin, jane) = (admin(&app).await, app.person("jane").await);
    let block = app.patch(&format!("/admin/user/{}/jwt", jane.uuid)).jwt(&admin.token);
    block.json(&json!({ "status": -2 })).send().await.expect_status(200);
    for method in ["jwt", "key"] {
        let path = format!("/account/{method}");
        app.get(&path)
            .auth(&jane, method)
            .send()
            .await
            .expect_error(401, "unauthorized");
    }
}

#[tokio::test]
async fn all_keys_of_an_account_are_revoked() {
    let app = App::new().await;
    let (admin, jane) = (admin(&app).await, app.person("jane").await);
    for method in ["jwt", "key"] {
        let key = app.key(&jane, 4).await;
        app.get("/account/key").key(&key).send().await.expect_status(200);
        let path = format!("/admin/user/{}/apikeys/{method}", jane.id);
        app.delete(&path).auth(&admin, method).send().await.expect_status(204);
        app.get("/account/key")
            .key(&key)
            .send()
            .await
            .expect_error(401, "keyRevoked");
        let newest = app.audit(&admin).await.remove(0);
        assert_eq!(
            (&newest["action"], &newest["before"]["apikeys"][0].is_string()),
            (&json!("apikeys.delete"), &true)
        );
        app.delete("/admin/user/99/apikeys/jwt")
            .jwt(&admin.token)
            .send()
            .await
            .expect_missing();
    }
}

#[tokio::test]
async fn impersonation_is_limited_to_lower_levels() {
    // In the original, a refused impersonation crashed the server, and its token looked like the user's own.
    let app = App::new().await;
    let (admin, support, jane) = (
        admin(&app).await,
        app.person_as("help", "support").await,
        app.person("jane").await,
    );
    let other = app.person_as("help2", "support").await;
    let act = async |as_whom: &str, by: &str| {
        app.get(&format!("/admin/impersonate/{as_whom}/jwt"))
            .jwt(by)
            .send()
            .await
    };
    let denied = "insufficientAccessLevel";
    for (target, by) in [(&admin, &support), (&admin, &admin), (&support, &jane), (&jane, &jane)] {
        act(&target.uuid, &by.token).await.expect_error(403, denied);
    }
    act(&other.id.to_string(), &support.token).await.expect_status(200);
    for id in ["99", "x", "6f9619ff-8b86-4011-b42d-00c04fc964ff"] {
        act(id, &admin.token).await.expect_missing();
    }
    app.get(&format!("/admin/impersonate/{}/key", jane.id))
        .key(&admin.key)
        .send()
        .await
        .expect_error(404, "notFound");
    let before = app.audit(&admin).await.len();
    for id in [jane.id.to_string(), jane.uuid.clone()] {
        let acting = act(&id, &support.token).await.expect_status(200);
        assert_eq!(acting["account"]["id"], jane.id);
        let token = acting["token"].as_str().unwrap();
        let claims = app.context().tokens().verify(token, app.context().now()).unwrap();
        assert_eq!((claims.id, claims.impersonator), (jane.id, Some(support.id)));
        assert_eq!(claims.exp - claims.iat, 3600);
        let whoami = app.get("/whoami/jwt").jwt(token).send().await.expect_status(200);
        assert_eq!(whoami["account"]["username"], acting["account"]["username"]);
        let set = app.post("/sets/jwt").jwt(token).json(&json!({ "name": "helped" }));
        set.send().await.expect_status(201);
        // A token of this kind creates no credentials that outlast it, and no other token of its kind.
        let key = json!({ "name": "mine now", "level": 1, "expiresIn": 60 });
        let key = app.post("/apikeys/jwt").jwt(token).json(&key).send().await;
        key.expect_error(403, denied);
        for change in [json!({ "password": "mine now" }), json!({ "consent": 0 })] {
            let change = app.patch("/account/jwt").jwt(token).json(&change).send().await;
            change.expect_error(403, denied);
        }
        app.delete("/account/jwt")
            .jwt(token)
            .send()
            .await
            .expect_error(403, denied);
        act(&jane.uuid, token).await.expect_error(403, denied);
    }
    let mut rows = app.audit(&admin).await;
    rows.retain(|row| row["action"] != "users.impersonate.call");
    assert_eq!(rows.len(), before + 2, "refusals are not audited");
    assert_eq!(
        (&rows[0]["actor"], &rows[0]["target"]),
        (&json!(support.id), &json!(format!("users/{}", jane.id)))
    );
    assert_eq!(
        rows[0]["after"],
        json!({ "impersonator": support.id, "account": jane.id })
    );
}

#[tokio::test]
async fn impersonation_ends_after_an_hour_or_with_the_role() {
    let app = App::new().await;
    let (admin, support, jane) = (
        admin(&app).await,
        app.person_as("help", "support").await,
        app.person("jane").await,
    );
    let path = format!("/admin/impersonate/{}/jwt", jane.id);
    let acting = app.get(&path).jwt(&support.token).send().await.expect_status(200);
    let token = acting["token"].as_str().unwrap();
    let read = async || app.get("/account/jwt").jwt(token).send().await;
    read().await.expect_status(200);
    let set = async |id: i64, body: Value| {
        let change = app
            .patch(&format!("/admin/user/{id}/jwt"))
            .jwt(&admin.token)
            .json(&body)
            .send()
            .await;
        change.expect_status(200);
    };
    set(support.id, json!({ "role": "user" })).await;
    read().await.expect_error(401, "unauthorized");
    set(support.id, json!({ "role": "support" })).await;
    read().await.expect_status(200);
    set(jane.id, json!({ "role": "admin" })).await;
    read().await.expect_error(401, "unauthorized");
    set(jane.id, json!({ "role": "user" })).await;
    app.clock.advance_ms(60 * 60 * 1000);
    read().await.expect_error(401, "unauthorized");
}

#[tokio::test]
async fn only_changes_of_foreign_records_are_audited() {
    let app = App::new().await;
    let (admin, jane) = (admin(&app).await, app.person("jane").await);
    let make = async |person: &Person, kind: &str, body: Value| {
        let made = app
            .post(&format!("/{kind}s/jwt"))
            .jwt(&person.token)
            .json(&body)
            .send()
            .await;
        made.expect_status(201)[kind]["id"].clone()
    };
    let pattern = json!({ "design": "aaron", "settings": {}, "name": "before" });
    for (kind, body) in [("set", json!({ "name": "before" })), ("pattern", pattern)] {
        let count = app.audit(&admin).await.len();
        for owner in [&admin, &jane] {
            let one = format!("/{kind}s/{}/jwt", make(owner, kind, body.clone()).await);
            let change = app
                .patch(&one)
                .jwt(&admin.token)
                .json(&json!({ "name": "after" }))
                .send()
                .await;
            change.expect_status(200);
            app.delete(&one).jwt(&admin.token).send().await.expect_status(204);
        }
        let rows = app.audit(&admin).await;
        assert_eq!(rows.len(), count + 2);
        assert_eq!(
            (&rows[1]["action"], &rows[0]["action"]),
            (&json!(format!("{kind}s.update")), &json!(format!("{kind}s.delete")))
        );
        assert_eq!(
            (&rows[1]["before"]["name"], &rows[1]["after"]["name"]),
            (&json!("before"), &json!("after"))
        );
        assert_eq!(
            (&rows[0]["before"]["name"], &rows[0]["after"]),
            (&json!("after"), &json!(null))
        );
    }
    app.delete(&format!("/apikeys/{}/jwt", jane.key.id))
        .jwt(&admin.token)
        .send()
        .await
        .expect_status(204);
    assert_eq!(app.audit(&admin).await[0]["target"], format!("apikeys/{}", jane.key.id));
}

#[tokio::test]
async fn audit_is_paged_newest_first() {
    let app = App::new().await;
    let admin = admin(&app).await;
    for _ in 0..5 {
        app.get(&format!("/admin/user/{}/key", admin.id))
            .key(&admin.key)
            .send()
            .await
            .expect_status(200);
    }
    let mut seen = Vec::new();
    let mut query = "limit=2".to_owned();
    loop {
        let part = app
            .get(&format!("/admin/audit/key?{query}"))
            .key(&admin.key)
            .send()
            .await
            .expect_status(200);
        let rows = part["audit"].as_array().unwrap().clone();
        let Some(last) = rows.last() else { break };
        let after = if seen.is_empty() {
            last["uuid"].as_str().unwrap().to_owned()
        } else {
            last["id"].to_string()
        };
        query = format!("limit=2&after={after}");
        seen.extend(rows.iter().map(|row| row["id"].as_i64().unwrap()));
    }
    assert_eq!(seen, [5, 4, 3, 2, 1]);
}
