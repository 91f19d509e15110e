//! Tests of `GET|POST /account/export/{auth}`, `GET /exports/:id` and `POST /account/import/{auth}`.

use bespoke_database::{Freshness, account_storage};
use bespoke_tests::support::{App, Person};
use bespoke_web::maintenance::Task;
use serde_json::{Value, json};

const HOUR_MS: i64 = 60 * 60 * 1000;
const URL: &str = "http://localhost:3000";

/// An account with one record of each kind.
async fn owner(app: &App, name: &str) -> Person {
    let person = app.person(name).await;
    for (kind, body) in [
        (
            "sets",
            json!({ "name": "Me", "notes": "n", "imperial": true, "public": true, "measies": { "chest": 930, "neck": 360.5 } }),
        ),
        (
            "patterns",
            json!({ "design": "aaron", "settings": { "sa": 10, "measurements": { "chest": 930 } }, "data": { "a": 1 }, "name": "P" }),
        ),
        ("bookmarks", json!({ "title": "t", "url": "/docs", "type": "doc" })),
    ] {
        app.post(&format!("/{kind}/jwt"))
            .jwt(&person.token)
            .json(&body)
            .send()
            .await
            .expect_status(201);
    }
    let body = json!({ "bio": "about", "data": { "k": [1] }, "control": 4, "language": "nl", "newsletter": true });
    app.change_account(&person, &body).await;
    person
}

/// The path and query of the link to the export.
async fn export(app: &App, person: &Person) -> String {
    let answer = app
        .post("/account/export/jwt")
        .jwt(&person.token)
        .send()
        .await
        .expect_status(200);
    link(&answer)
}

fn link(answer: &Value) -> String {
    answer["data"].as_str().unwrap().strip_prefix(URL).unwrap().to_owned()
}

async fn objects(app: &App, prefix: &str) -> Vec<String> {
    let listed = app.context().bucket().list(prefix).await.unwrap();
    listed.into_iter().map(|object| object.key).collect()
}

#[tokio::test]
async fn export_is_complete_and_contains_no_secret() {
    let app = App::new().await;
    let jane = owner(&app, "jane").await;
    let reads = async |path: &str| app.get(path).jwt(&jane.token).send().await.expect_status(200);
    for (verb, method) in [("GET", "jwt"), ("GET", "key"), ("POST", "jwt"), ("POST", "key")] {
        let path = format!("/account/export/{method}");
        let answer = app
            .request(verb, &path)
            .auth(&jane, method)
            .send()
            .await
            .expect_status(200);
        let answer = app.get(&link(&answer)).send().await;
        assert_eq!(answer.header("cache-control"), "no-store");
        assert!(answer.header("content-disposition").starts_with("attachment"));
        let file = answer.expect_status(200);
        assert_eq!(
            (&file["format"], &file["version"]),
            (&json!("bespoke-account"), &json!(1))
        );
        let mut account = reads("/account/jwt").await["account"].clone();
        for counted in ["jwtCalls", "keyCalls", "lastSeen"] {
            account[counted] = file["account"][counted].clone();
        }
        assert_eq!(file["account"], account);
        assert_eq!(file["sets"], reads("/sets/jwt").await["sets"]);
        assert_eq!(file["patterns"], reads("/patterns/jwt").await["patterns"]);
        assert_eq!(file["bookmarks"], reads("/bookmarks/jwt").await["bookmarks"]);
        assert_eq!(file["apikeys"][0]["id"], jane.key.id);
        assert_eq!(
            (&file["confirmations"], &file["suggestions"], &file["subscriber"]),
            (&json!([]), &json!([]), &Value::Null)
        );
        let text = file.to_string();
        assert!(
            !text.contains("$argon2") && !text.contains(&jane.key.secret) && !text.contains("assword\":"),
            "{text}"
        );
    }
    // The newest three are kept.
    assert_eq!(objects(&app, "exports/").await.len(), 3);
}

#[tokio::test]
async fn concurrent_exports_are_created_in_sequence() {
    let app = App::new().await;
    let jane = owner(&app, "jane").await;
    let calls = (0..8).map(|_| app.post("/account/export/jwt").jwt(&jane.token).send());
    let answers = futures_util::future::join_all(calls).await;
    let mut links: Vec<String> = answers
        .into_iter()
        .map(|answer| link(&answer.expect_status(200)))
        .collect();
    links.sort();
    links.dedup();
    assert_eq!(links.len(), 8);
    let mut kept = 0;
    for link in &links {
        let answer = app.get(link).send().await;
        if answer.status == 200 {
            assert_eq!(answer.json()["sets"].as_array().unwrap().len(), 1);
            kept += 1;
        }
    }
    assert_eq!((kept, objects(&app, "exports/").await.len()), (3, 3));
}

#[tokio::test]
async fn refused_exports_count_and_evict_nothing() {
    let app = App::new().await;
    let jane = owner(&app, "jane").await;
    let reader = app.key(&jane, 2).await;
    export(&app, &jane).await;
    let calls = (0..30).map(|_| app.get("/account/export/key").key(&reader).send());
    let answers = futures_util::future::join_all(calls).await;
    let count = |status: u16| answers.iter().filter(|answer| answer.status == status).count();
    let made = count(200);
    assert!(made >= 8 && made + count(429) == 30, "{made}");
    let newest = export(&app, &jane).await;
    app.get(&newest).send().await.expect_status(200);
    assert_eq!(objects(&app, "exports/").await.len(), 3);
    let stored = app
        .context()
        .database()
        .read(Freshness::Strict, |db| account_storage::of(db, jane.id));
    let stored = stored.await.unwrap();
    let now = bespoke_core::Clock::now(&*app.clock);
    let file_bytes = app.get(&newest).send().await.body.len() as u64;
    let exports = made as u64 + 2;
    assert_eq!(stored.exported_today(now), exports * (file_bytes + 4 * 1024));
}

#[tokio::test]
async fn large_export_is_complete() {
    let app = App::new().await;
    let jane = app.person("jane").await;
    for number in 0..4 {
        let body = json!({ "design": "aaron", "settings": { "text": format!("{number}").repeat(200_000) } });
        let made = app.post("/patterns/jwt").jwt(&jane.token).json(&body).send().await;
        made.expect_status(201);
    }
    let file = app.get(&export(&app, &jane).await).send().await.expect_status(200);
    let patterns = app
        .get("/patterns/jwt")
        .jwt(&jane.token)
        .send()
        .await
        .expect_status(200);
    assert_eq!(file["patterns"], patterns["patterns"]);
}

#[tokio::test]
async fn export_link_expires_after_an_hour_and_file_after_a_day() {
    // In the original, the file was public and never expired.
    let app = App::new().await;
    let jane = owner(&app, "jane").await;
    let link = export(&app, &jane).await;
    let other = export(&app, &jane).await;
    let (path, query) = link.split_once('?').unwrap();
    let foreign = format!("{path}?{}", other.split_once('?').unwrap().1);
    let later = link.replace("expires=", "expires=9");
    for wrong in [
        path,
        &foreign,
        &later,
        &link.replace("signature=", "signature=A"),
        &format!("{path}?expires=1"),
        &format!("{path}?{}", query.replace('&', "&x=")),
        &format!("{}?{query}", path.to_lowercase()),
        &format!("/exports/..%2Fhead?{query}"),
        "/exports/x",
    ] {
        app.get(wrong).send().await.expect_missing();
    }
    assert_eq!(
        app.get(&format!("{path}?expires=x&signature=y")).send().await.status,
        400
    );
    app.clock.advance_ms(HOUR_MS - 1000);
    app.get(&link).send().await.expect_status(200);
    app.clock.advance_ms(1000);
    app.get(&link).send().await.expect_missing();

    // A file without a row is deleted regardless of its age.
    for orphan in [
        "01JZ0000000000000000000000".to_owned(),
        app.context().new_export_name().to_string(),
    ] {
        let key = format!("exports/{orphan}.json");
        let put = app
            .context()
            .bucket()
            .put(&key, "{}".into(), bespoke_storage::PutCondition::None)
            .await;
        put.unwrap();
    }
    app.clock.advance_ms(23 * HOUR_MS - 1000);
    let purge = async || {
        let done = app.context().maintain(&[Task::Purge]).await;
        assert!(done.iter().all(|done| !done.failed), "{done:?}");
        objects(&app, "exports/").await
    };
    assert_eq!(purge().await.len(), 2);
    app.clock.advance_ms(1001);
    assert!(purge().await.is_empty());
}

#[tokio::test]
async fn export_and_import_require_level_and_scope() {
    let app = App::new().await;
    let jane = app.person("jane").await;
    let low = app.key(&jane, 1).await;
    app.get("/account/export/key")
        .key(&low)
        .send()
        .await
        .expect_error(403, "insufficientAccessLevel");
    let writer = app.key(&jane, 3).await;
    app.get("/account/export/key")
        .key(&writer)
        .send()
        .await
        .expect_status(200);
    let body = json!({ "format": "bespoke-account", "version": 1 });
    app.post("/account/import/key")
        .key(&writer)
        .json(&body)
        .send()
        .await
        .expect_error(403, "insufficientAccessLevel");
    let limited = app
        .key_with(
            &jane,
            4,
            json!({ "scopes": ["account:read", "sets:read", "sets:write"] }),
        )
        .await;
    for (verb, path) in [
        ("GET", "export"),
        ("POST", "export"),
        ("POST", "import"),
        ("GET", "restrict"),
        ("POST", "restrict"),
    ] {
        let path = format!("/account/{path}/key");
        app.request(verb, &path)
            .key(&limited)
            .json(&body)
            .send()
            .await
            .expect_error(403, "insufficientScope");
    }
    app.delete("/account/key")
        .key(&limited)
        .send()
        .await
        .expect_error(403, "insufficientScope");
}

#[tokio::test]
async fn import_restores_each_record_once() {
    let app = App::new().await;
    let jane = owner(&app, "jane").await;
    let file = app.get(&export(&app, &jane).await).send().await.expect_status(200);
    let elsewhere = App::with(&[("BACKEND_URL", URL)]).await;
    elsewhere.person("first").await;
    for (app, method, added) in [(&app, "jwt", 0), (&elsewhere, "key", 1)] {
        let person = if added == 0 { &jane } else { &app.person("john").await };
        let import = async || {
            let path = format!("/account/import/{method}");
            app.post(&path)
                .auth(person, method)
                .json(&file)
                .send()
                .await
                .expect_status(200)
        };
        let (first, again) = (import().await, import().await);
        let counts = |count| json!({ "sets": count, "patterns": count, "bookmarks": count });
        assert_eq!(
            (&first["added"], &first["present"]),
            (&counts(added), &counts(1 - added))
        );
        assert_eq!((&again["added"], &again["present"]), (&counts(0), &counts(1)));
        let account = &first["account"];
        for field in ["bio", "data", "control", "language", "newsletter"] {
            assert_eq!(account[field], file["account"][field], "{field}");
        }
        assert_eq!(account["email"], person.email);
        let data = app
            .get(&format!("/users/{}/jwt", person.id))
            .jwt(&person.token)
            .send()
            .await
            .expect_status(200);
        for (list, fields) in [
            ("sets", &["name", "notes", "imperial", "public", "measies"][..]),
            ("patterns", &["name", "notes", "design", "settings", "data", "public"]),
            ("bookmarks", &["title", "url", "type"]),
        ] {
            let records = data["data"][list].as_array().unwrap();
            assert_eq!(records.len(), 1, "{list}");
            for field in fields {
                assert_eq!(records[0][field], file[list][0][field], "{list} {field}");
            }
            assert_eq!(records[0]["uuid"] == file[list][0]["uuid"], added == 0);
        }
    }
}

#[tokio::test]
async fn duplicate_record_is_imported_once() {
    let app = App::new().await;
    let person = app.person("jane").await;
    let uuid = "6f9619ff-8b86-4011-b42d-00c04fc964ff";
    let set = json!({ "name": "Twice", "uuid": uuid });
    let pattern = json!({ "design": "aaron", "settings": {}, "uuid": uuid });
    let bookmark = json!({ "type": "doc", "title": "Twice", "url": "/docs", "uuid": uuid });
    let file = json!({ "format": "bespoke-account", "version": 1, "sets": [set, set], "patterns": [pattern, pattern],
        "bookmarks": [bookmark, bookmark] });
    let import = app.post("/account/import/jwt").jwt(&person.token).json(&file);
    let imported = import.send().await.expect_status(200);
    let once = json!({ "sets": 1, "patterns": 1, "bookmarks": 1 });
    assert_eq!((&imported["added"], &imported["present"]), (&once, &once), "{imported}");
}

#[tokio::test]
async fn import_changes_only_writable_fields() {
    let app = App::new().await;
    let jane = app.person("jane").await;
    app.person("john").await;
    let victim = owner(&app, "victim").await;
    let theirs = app.get("/sets/jwt").jwt(&victim.token).send().await.expect_status(200)["sets"][0].clone();
    let file = json!({ "format": "bespoke-account", "version": 1, "exportedAt": "x", "url": "y",
        "account": { "id": 1, "role": "admin", "status": 1, "email": "eve@example.com", "password": "taken over", "consent": 3,
            "mfaEnabled": true, "patron": 8, "username": "USER-2", "control": 9, "bio": "mine", "data": { "a": 1 } },
        "sets": [theirs, { "name": "" }, 7, { "name": "kept", "measies": { "chest": 900, "tail": 3 }, "unheard": 1 }],
        "patterns": [{ "design": "aaron" }, { "design": "brian", "settings": { "measurements": { "neck": "x" } } }],
        "bookmarks": [{ "title": "t", "url": "javascript:alert(1)", "type": "doc" }],
        "apikeys": [{ "level": 9 }], "tokens": {} });
    let answer = app
        .post("/account/import/jwt")
        .jwt(&jane.token)
        .json(&file)
        .send()
        .await
        .expect_status(200);
    let account = &answer["account"];
    assert_eq!(
        (
            &account["role"],
            &account["email"],
            &account["consent"],
            &account["patron"],
            &account["username"]
        ),
        (
            &json!("user"),
            &json!(jane.email),
            &json!(2),
            &json!(0),
            &json!("user-1")
        )
    );
    assert_eq!(
        (&account["bio"], &account["data"]),
        (&json!("mine"), &json!({ "a": 1 }))
    );
    assert_eq!(answer["added"], json!({ "sets": 2, "patterns": 1, "bookmarks": 0 }));
    let mut ignored: Vec<_> = answer["ignored"]
        .as_array()
        .unwrap()
        .iter()
        .map(|name| name.as_str().unwrap())
        .collect();
    ignored.sort_unstable();
    assert_eq!(
        ignored,
        [
            "account.consent",
            "account.control",
            "account.email",
            "account.id",
            "account.mfaEnabled",
            "account.password",
            "account.patron",
            "account.role",
            "account.status",
            "account.username",
            "apikeys",
            "bookmarks.0",
            "patterns.0",
            "patterns.1.settings.measurements.neck",
            "sets.1",
            "sets.2",
            "sets.3.measies.tail",
            "sets.3.unheard",
            "tokens"
        ]
    );
    // A copy of a foreign set belongs to its creator and has its own id.
    let still = app.get("/sets/jwt").jwt(&victim.token).send().await.expect_status(200);
    assert_eq!(still["sets"], json!([theirs]));
    let body = json!({ "username": jane.email, "password": "taken over" });
    app.post("/signin")
        .json(&body)
        .send()
        .await
        .expect_error(401, "signInFailed");
}

#[tokio::test]
async fn invalid_export_is_refused() {
    let app = App::new().await;
    let jane = app.person("jane").await;
    for method in ["jwt", "key"] {
        let path = format!("/account/import/{method}");
        let import = async |body: Value| app.post(&path).auth(&jane, method).json(&body).send().await;
        app.post(&path)
            .auth(&jane, method)
            .send()
            .await
            .expect_error(400, "postBodyMissing");
        for body in [
            json!({ "sets": [] }),
            json!({ "format": "bespoke-account", "version": 2 }),
            json!({ "format": "x", "version": 1 }),
            json!({ "format": "bespoke-account", "version": "1" }),
        ] {
            import(body).await.expect_error(400, "formatUnknown");
        }
        let answer =
            import(json!({ "format": "bespoke-account", "version": 1, "account": [], "sets": {}, "patterns": null }))
                .await;
        assert_eq!(
            answer.expect_status(200)["ignored"],
            json!(["account", "sets", "patterns"])
        );
        let many = vec![json!({ "name": "x" }); 5001];
        import(json!({ "format": "bespoke-account", "version": 1, "sets": many }))
            .await
            .expect_error(400, "tooManyRecords");
    }
    let none = app.get("/sets/jwt").jwt(&jane.token).send().await.expect_status(200);
    assert_eq!(none["sets"], json!([]));
}
