//! Tests of `GET|POST /account/restrict/{auth}`, `DELETE /account/{auth}`, and the response of `GET /whoami/jwt` in the meantime.

use bespoke_core::BlindIndex;
use bespoke_tests::support::picture::RED;
use bespoke_tests::support::{App, Person};
use bespoke_web::maintenance::Task;
use rusqlite::types::Value as Sql;
use serde_json::{Value, json};

/// An account with one record of each kind, including images.
async fn owner(app: &App) -> Person {
    let person = app.person("jane").await;
    let make = async |path: &str, body: Value| {
        let path = format!("/{path}/jwt");
        app.post(&path).jwt(&person.token).json(&body).send().await.json()
    };
    let set = make("sets", json!({ "name": "Me", "img": RED })).await;
    make("sets", json!({ "name": "without an image" })).await;
    make("patterns", json!({ "design": "aaron", "settings": {}, "img": RED })).await;
    make("bookmarks", json!({ "title": "t", "url": "/docs", "type": "doc" })).await;
    let suggestion = json!({ "set": set["set"]["id"], "name": "n", "notes": "n", "height": 170, "img": RED });
    assert_eq!(make("curated-sets/suggest", suggestion).await["result"], "success");
    make("account/export", json!({})).await;
    let body = json!({ "email": person.email, "language": "en", "test": true });
    app.post("/subscriber").json(&body).send().await.expect_status(200);
    person
}

async fn objects(app: &App) -> Vec<String> {
    let mut all = app.context().bucket().list("images/").await.unwrap();
    all.extend(app.context().bucket().list("exports/").await.unwrap());
    all.into_iter().map(|object| object.key).collect()
}

/// Every value of every table, as a newly started process sees them.
async fn all_values(app: &App) -> Vec<(String, Sql)> {
    let fresh = app.another().await;
    let folders = std::fs::read_dir(&fresh.context().config().local_dir).unwrap();
    let files = folders.flat_map(|folder| std::fs::read_dir(folder.unwrap().path()).into_iter().flatten());
    let mut files = files.map(|file| file.unwrap().path());
    let file = files.find(|path| path.extension().is_some_and(|extension| extension == "sqlite"));
    let database = rusqlite::Connection::open(file.expect("a local copy")).unwrap();
    let mut tables = database
        .prepare("SELECT name FROM sqlite_schema WHERE type = 'table'")
        .unwrap();
    let tables: Vec<String> = tables
        .query_map([], |row| row.get(0))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    let mut all = Vec::new();
    for table in tables {
        let mut select = database.prepare(&format!("SELECT * FROM \"{table}\"")).unwrap();
        let columns: Vec<_> = select.column_names().map(|name| format!("{table}.{name}")).collect();
        let mut rows = select.query([]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            all.extend(
                columns
                    .iter()
                    .enumerate()
                    .map(|(index, column)| (column.clone(), row.get(index).unwrap())),
            );
        }
    }
    all
}

/// Places with data of the account: its ids, its address, its names.
async fn mentions(app: &App, person: &Person, index: &[u8], ihash: &str) -> Vec<String> {
    let blob = |uuid: &str| uuid::Uuid::try_parse(uuid).unwrap().as_bytes().to_vec();
    let blobs = [blob(&person.uuid), blob(&person.key.id), index.to_vec()];
    let found = all_values(app).await.into_iter().filter(|(column, value)| match value {
        Sql::Integer(id) => *id == person.id && (column.ends_with(".user_id") || column == "users.id"),
        Sql::Blob(bytes) => blobs.contains(bytes),
        Sql::Text(text) => text.contains(ihash) || text.contains(&person.uuid) || text.contains("jane"),
        _ => false,
    });
    found.map(|(column, _)| column).collect()
}

#[tokio::test]
async fn removal_deletes_all_data_of_one_account_only() {
    for method in ["jwt", "key"] {
        let app = App::new().await;
        let other = app.another().await;
        let john = app.person("john").await;
        let body = json!({ "name": "John's", "img": RED });
        app.post("/sets/jwt")
            .jwt(&john.token)
            .json(&body)
            .send()
            .await
            .expect_status(201);
        let johns = objects(&app).await;
        let jane = owner(&app).await;
        let account = app.get("/account/jwt").jwt(&jane.token).send().await.expect_status(200);
        let ihash = account["account"]["ihash"].as_str().unwrap();
        let index = BlindIndex::email(app.context().database().index(), &jane.email);
        let before = mentions(&app, &jane, &index, ihash).await;
        for table in [
            "users",
            "api_keys",
            "sets",
            "patterns",
            "bookmarks",
            "suggestions",
            "exports",
            "subscribers",
        ] {
            assert!(
                before.iter().any(|column| column.starts_with(table)),
                "{table}: {before:?}"
            );
        }
        assert_eq!(objects(&app).await.len(), johns.len() + 4);
        let body = json!({ "name": "for all", "public": true });
        let public = app.post("/sets/jwt").jwt(&jane.token).json(&body).send().await;
        let public = public.expect_status(201)["set"].clone();
        let ids = [public["id"].to_string(), public["uuid"].as_str().unwrap().to_owned()];
        // Read before, so that processes have cached it.
        for (process, id) in [(&app, &ids[0]), (&app, &ids[1]), (&other, &ids[0])] {
            process.get(&format!("/sets/{id}.json")).send().await.expect_status(200);
        }

        let path = format!("/account/{method}");
        let answer = app.delete(&path).auth(&jane, method).send().await.expect_status(200);
        assert_eq!(answer, json!({ "result": "success", "data": {} }));
        assert_eq!(mentions(&app, &jane, &index, ihash).await, [""; 0]);
        assert_eq!(objects(&app).await, johns);
        // Refused immediately in every process, and the address is free.
        for process in [&app, &other] {
            process
                .get("/account/jwt")
                .jwt(&jane.token)
                .send()
                .await
                .expect_error(401, "unauthorized");
            process
                .get("/whoami/jwt")
                .jwt(&jane.token)
                .send()
                .await
                .expect_error(401, "unauthorized");
            process
                .get("/account/key")
                .key(&jane.key)
                .send()
                .await
                .expect_error(401, "unauthorized");
            process
                .delete(&path)
                .auth(&jane, method)
                .send()
                .await
                .expect_error(401, "unauthorized");
            process
                .get(&format!("/users/{}", jane.id))
                .send()
                .await
                .expect_missing();
            for id in &ids {
                let answer = process.get(&format!("/sets/{id}.json")).send().await;
                assert_eq!(answer.status, 404, "{id}");
            }
        }
        // The counts of the account are deleted with it.
        other.clock.advance_ms(60_000);
        assert!(app.context().maintain(&Task::ALL).await.iter().all(|done| !done.failed));
        assert_eq!(mentions(&app, &jane, &index, ihash).await, [""; 0]);
        let again = app.person("jane").await;
        assert!(again.id > jane.id);
        app.get("/account/jwt").jwt(&john.token).send().await.expect_status(200);
    }
}

#[tokio::test]
async fn concurrent_removal_and_export_leave_no_data() {
    let app = App::new().await;
    let other = app.another().await;
    for number in 0..8 {
        let person = app.person(&format!("person-{number}")).await;
        let (removed, export, also) = tokio::join!(
            app.delete("/account/jwt").jwt(&person.token).send(),
            other.post("/account/export/jwt").jwt(&person.token).send(),
            other.delete("/account/key").key(&person.key).send(),
        );
        let statuses = [removed.status, also.status];
        assert!(
            statuses.contains(&200) && statuses.iter().all(|status| [200, 401].contains(status)),
            "{statuses:?}"
        );
        assert!([200, 401, 404].contains(&export.status), "{}", export.text());
        assert!(
            app.context()
                .maintain(&[Task::Purge])
                .await
                .iter()
                .all(|done| !done.failed)
        );
        assert_eq!(objects(&app).await, [""; 0]);
    }
}

#[tokio::test]
async fn maintenance_deletes_objects_left_by_a_removal() {
    let app = App::new().await;
    let jane = app.person("jane").await;
    app.post("/account/export/jwt")
        .jwt(&jane.token)
        .send()
        .await
        .expect_status(200);
    // The state after a process was killed behind its commit.
    let database = app.context().database();
    let id = jane.id;
    let write = database.write::<_, bespoke_web::Error>(database.fresh_commit_id(), move |db| {
        Ok(bespoke_database::users::delete(db, id)?)
    });
    write.await.unwrap();
    assert_eq!(objects(&app).await.len(), 1);
    app.another().await.context().maintain(&[Task::Purge]).await;
    assert_eq!(objects(&app).await, [""; 0]);
}

#[tokio::test]
async fn frozen_account_is_refused_with_its_reason() {
    for (verb, method) in [("GET", "jwt"), ("GET", "key"), ("POST", "jwt"), ("POST", "key")] {
        let app = App::new().await;
        let jane = app.person("jane").await;
        let low = app.key(&jane, 3).await;
        app.request(verb, "/account/restrict/key")
            .key(&low)
            .send()
            .await
            .expect_error(403, "insufficientAccessLevel");
        let path = format!("/account/restrict/{method}");
        let answer = app
            .request(verb, &path)
            .auth(&jane, method)
            .send()
            .await
            .expect_status(200);
        assert_eq!(answer, json!({ "result": "success", "data": {} }));
        for auth in ["jwt", "key"] {
            app.get(&format!("/account/{auth}"))
                .auth(&jane, auth)
                .send()
                .await
                .expect_error(401, "unauthorized");
        }
        app.request(verb, &path)
            .auth(&jane, method)
            .send()
            .await
            .expect_error(401, "unauthorized");
        let whoami = app.get("/whoami/jwt").jwt(&jane.token).send().await;
        assert_eq!(
            (whoami.status, whoami.json()),
            (
                403,
                json!({ "result": "error", "error": { "error": "accountDisabled" } })
            )
        );
    }
}

#[tokio::test]
async fn whoami_reports_the_account_status_before_the_level() {
    let app = App::new().await;
    let admin = app.person_as("root", "admin").await;
    let jane = app.person("jane").await;
    let change = async |body| {
        let path = format!("/admin/user/{}/jwt", jane.id);
        app.patch(&path)
            .jwt(&admin.token)
            .json(&body)
            .send()
            .await
            .expect_status(200);
    };
    for (body, status, code) in [
        (json!({ "role": "readNone", "status": -1 }), 403, "accountDisabled"),
        (json!({ "status": 0 }), 403, "accountInactive"),
        (json!({ "consent": 0 }), 451, "consentLacking"),
    ] {
        change(body).await;
        let whoami = app.get("/whoami/jwt").jwt(&jane.token).send().await;
        assert_eq!(
            (whoami.status, whoami.json()),
            (status, json!({ "result": "error", "error": { "error": code } }))
        );
        // Consent requires its level nevertheless.
        let consent = app
            .patch("/consent/jwt")
            .jwt(&jane.token)
            .json(&json!({ "consent": 1 }))
            .send()
            .await;
        consent.expect_error(403, "insufficientAccessLevel");
    }
    change(json!({ "status": 1, "consent": 1 })).await;
    app.get("/whoami/jwt")
        .jwt(&jane.token)
        .send()
        .await
        .expect_error(403, "insufficientAccessLevel");
}
