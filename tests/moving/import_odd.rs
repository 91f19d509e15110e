//! Invalid rows are rejected or repaired, each is reported, and the rest is imported.

use std::collections::BTreeMap;
use std::path::Path;

use bespoke_core::EntityId;
use bespoke_database::{curated_sets, sets, users};
use bespoke_web::Session;
use rusqlite::Connection;
use serde_json::json;
use tempfile::tempdir;

use super::{app, import, made_up, sample};

/// A copy of the sample with additional rows.
fn with_rows(file: &Path, sql: &str) {
    std::fs::copy(sample(), file).unwrap();
    let connection = Connection::open(file).unwrap();
    connection.execute_batch("PRAGMA foreign_keys = OFF").unwrap();
    connection.execute_batch(sql).unwrap();
}

/// Columns of an account that do not identify it.
const OTHER_COLUMNS: [&str; 23] = [
    "bio",
    "compare",
    "consent",
    "control",
    "createdAt",
    "data",
    "ehash",
    "ihash",
    "initial",
    "imperial",
    "jwtCalls",
    "keyCalls",
    "language",
    "lastSeen",
    "lusername",
    "mfaSecret",
    "mfaEnabled",
    "newsletter",
    "password",
    "patron",
    "role",
    "status",
    "username",
];
/// Values that the original never wrote, as SQL.
const ODD_VALUES: [&str; 12] = [
    "''",
    "' '",
    "'x'",
    "0",
    "-1",
    "3.7",
    "1e308",
    "9223372036854775807",
    "x'ff00'",
    "'{}'",
    "'{\"iv\":\"00\",\"ct\":\"zz\"}'",
    "'9999-12-31T23:59:59Z'",
];

#[tokio::test]
async fn odd_value_in_any_other_column_keeps_the_account() {
    let folder = tempdir().unwrap();
    let (data, file) = (folder.path().join("data"), folder.path().join("odd.sqlite"));
    let cases: Vec<_> = OTHER_COLUMNS
        .iter()
        .flat_map(|column| ODD_VALUES.map(|value| (column, value)))
        .collect();
    made_up(&file, "2023", cases.len() as u32, 0);
    let connection = Connection::open(&file).unwrap();
    for (id, (column, value)) in (1..).zip(&cases) {
        // Unique columns accept each odd value once.
        let sql = format!("UPDATE OR IGNORE \"User\" SET \"{column}\" = {value} WHERE id = {id}");
        connection.execute_batch(&sql).unwrap();
    }
    drop(connection);
    let report = import(&data, &file, &[]);
    let notes: serde_json::Value = serde_json::from_str(&report.out).unwrap();
    let aside: Vec<_> = notes["notes"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|note| note["verdict"] == "set aside")
        .collect();
    assert_eq!(aside, [&json!(null); 0]);
    let session = Session::new(app(&data).await.context().clone());
    for (id, (column, value)) in (1..).zip(&cases) {
        let found = session
            .read(|db| Ok(users::by_id(db, EntityId::Integer(id))?))
            .await
            .unwrap();
        assert!(found.is_some(), "{column} = {value}");
    }
}

/// Copies of rows of the sample with some columns changed.
const ODD: &str = r#"
    CREATE TEMP TABLE u AS SELECT * FROM "User" WHERE id = 3;
    UPDATE u SET id = 11, ehash = 'a', lusername = 'u11', email = 'not encrypted';
    INSERT INTO "User" SELECT * FROM u;
    UPDATE u SET id = 12, ehash = 'b', lusername = 'u12', email = (SELECT email FROM "User" WHERE id = 1);
    INSERT INTO "User" SELECT * FROM u;
    UPDATE u SET id = 13, ehash = 'c', lusername = 'ADA', username = 'ADA', password = '', language = 'xx', status = 5,
        consent = 9, createdAt = '2023-10-01 12:00:00', updatedAt = NULL, data = '',
        email = (SELECT email FROM "Subscriber");
    INSERT INTO "User" SELECT * FROM u;
    UPDATE "User" SET lastSeen = 'soon', control = 'much', patron = x'00', bio = 'not encrypted', data = 'not encrypted', compare = 'x',
        createdAt = 'soon', updatedAt = 1700000000000, mfaSecret = 'not encrypted', mfaEnabled = 1, username = '1234', lusername = '1234'
        WHERE id = 2;
    CREATE TEMP TABLE s AS SELECT * FROM "Set" WHERE id = 1;
    UPDATE s SET id = 20, userId = 2; INSERT INTO "Set" SELECT * FROM s;
    UPDATE s SET id = 21, userId = 11; INSERT INTO "Set" SELECT * FROM s;
    UPDATE s SET id = 22, userId = 99; INSERT INTO "Set" SELECT * FROM s;
    UPDATE s SET id = 23, userId = 13, measies = '{}', name = '', createdAt = '2023-10-01T12:00:00.000Z';
    INSERT INTO "Set" SELECT * FROM s;
    UPDATE s SET id = 24, measies = '{"iv":"00","ct":"zz"}'; INSERT INTO "Set" SELECT * FROM s;
    UPDATE s SET id = 25, measies = '', createdAt = 'soon'; INSERT INTO "Set" SELECT * FROM s;
    UPDATE s SET id = 26, createdAt = 1.5e12, notes = x'ff'; INSERT INTO "Set" SELECT * FROM s;
    CREATE TEMP TABLE k AS SELECT * FROM "Apikey";
    UPDATE k SET id = 'no-uuid'; INSERT INTO "Apikey" SELECT * FROM k;
    UPDATE k SET id = '4c01f7c6-9340-44b4-ae61-4eefd214c400', level = 12; INSERT INTO "Apikey" SELECT * FROM k;
    UPDATE k SET id = '4c01f7c6-9340-44b4-ae61-4eefd214c401', level = 4, secret = 'x'; INSERT INTO "Apikey" SELECT * FROM k;
    INSERT INTO "Bookmark" (id, title, url, userId) VALUES (9, 'x', 'javascript:alert(1)', 1);
    INSERT INTO "CuratedSet" (id, updatedAt) VALUES (7, 1);
    INSERT INTO "CuratedSet" (id, updatedAt, height, measies) VALUES (8, 1, 166.5, '{"chest":900,"tail":3}');
    UPDATE sqlite_sequence SET seq = 40 WHERE name = 'Set';
"#;

#[tokio::test]
async fn invalid_rows_are_reported_and_the_rest_is_imported() {
    let folder = tempdir().unwrap();
    let (data, file) = (folder.path().join("data"), folder.path().join("odd.sqlite"));
    with_rows(&file, ODD);
    let report = import(&data, &file, &["--batch-rows", "3"]).json(3);
    let mut notes = BTreeMap::<(String, String), Vec<String>>::new();
    for note in report["notes"].as_array().unwrap() {
        let text = |name: &str| note[name].as_str().unwrap().to_owned();
        let key = (text("verdict"), format!("{} {}", text("table"), text("id")));
        notes.entry(key).or_default().push(text("reason"));
    }
    let aside: BTreeMap<_, _> = notes
        .iter()
        .filter(|((verdict, _), _)| verdict == "set aside")
        .map(|((_, row), reasons)| (row.as_str(), reasons.join("; ")))
        .collect();
    let expected = [
        (
            "Apikey 4c01f7c6-9340-44b4-ae61-4eefd214c400",
            "level: is not between 0 and 9",
        ),
        ("Apikey 4c01f7c6-9340-44b4-ae61-4eefd214c401", "secret: is not a hash"),
        ("Apikey no-uuid", "id: is not a UUID"),
        ("Bookmark 9", "url: is not a link to a page"),
        ("Set 21", "its account does not exist, or was set aside"),
        ("Set 22", "its account does not exist, or was set aside"),
        (
            "Set 24",
            "measies: is not encrypted in the format of FreeSewing's backend",
        ),
        (
            "User 11",
            "email: is not encrypted in the format of FreeSewing's backend",
        ),
        ("User 12", "another account has this address"),
    ];
    assert_eq!(aside, expected.map(|(row, why)| (row, why.to_owned())).into());
    assert_eq!(report["setAside"], expected.len());
    let changed = &notes[&("changed".to_owned(), "User 13".to_owned())];
    assert_eq!(changed.len(), 6, "{changed:?}");
    assert_eq!(
        notes[&("changed".to_owned(), "CuratedSet 8".to_owned())],
        ["measies: tail is not a measurement"]
    );

    let changes = |row: &str| notes[&("changed".to_owned(), row.to_owned())].join("\n");
    let repairs = changes("User 2");
    for column in [
        "lastSeen",
        "control",
        "patron",
        "bio",
        "data",
        "compare",
        "createdAt",
        "mfaSecret",
        "username",
    ] {
        assert!(repairs.contains(&format!("{column}: ")), "{column} in {repairs}");
    }
    assert_eq!(
        changes("Set 25"),
        "createdAt: is not a date; it was changed to updatedAt"
    );
    assert_eq!(
        changes("Set 26"),
        "notes: is not a text; it was changed to an empty text"
    );

    let app = app(&data).await;
    let session = Session::new(app.context().clone());
    let (user, set, curated) = session
        .read(|db| {
            Ok((
                users::by_id(db, EntityId::Integer(13))?.unwrap(),
                sets::by_id(db, EntityId::Integer(23))?.unwrap(),
                curated_sets::by_id(db, EntityId::Integer(8))?.unwrap(),
            ))
        })
        .await
        .unwrap();
    let (repaired, kept) = session
        .read(|db| {
            let user = users::by_id(db, EntityId::Integer(2))?.unwrap();
            Ok((user, sets::by_id(db, EntityId::Integer(20))?))
        })
        .await
        .unwrap();
    assert_eq!(kept.unwrap().user_id, 2);
    assert_eq!(
        (
            repaired.control,
            repaired.patron,
            repaired.bio.as_str(),
            repaired.username.as_str()
        ),
        (1, 0, "", "1234")
    );
    assert_eq!(repaired.account_status.created_at.as_millis(), 1_700_000_000_000);
    // The second factor cannot be checked, so the password alone must not be enough.
    assert_eq!((repaired.mfa_enabled, repaired.password.as_str()), (false, ""));
    assert_eq!(user.username, user.account_status.uuid.to_string());
    assert_eq!(
        (user.account_status.created_at.to_string(), user.data.len()),
        ("2023-10-01T12:00:00.000Z".into(), 0)
    );
    assert_eq!(user.account_status.created_at, set.created_at);
    assert!(set.content.measies.is_empty() && set.content.name.is_empty());
    assert_eq!((curated.content.height, curated.content.measies.len()), (166, 1));
    // Ids that were used in the original are not used again.
    let person = app.person("jane").await;
    let made = app
        .post("/sets/jwt")
        .jwt(&person.token)
        .json(&json!({ "name": "New" }))
        .send()
        .await;
    assert_eq!(made.expect_status(201)["set"]["id"], 41);
}

#[test]
fn unknown_tables_and_columns_are_ignored_only_on_request() {
    let folder = tempdir().unwrap();
    let (data, file) = (folder.path().join("data"), folder.path().join("newer.sqlite"));
    with_rows(
        &file,
        "ALTER TABLE \"User\" ADD COLUMN shoeSize INTEGER; CREATE TABLE Flow (id INTEGER PRIMARY KEY)",
    );
    import(&data, &file, &[])
        .fails_with("it contains tables or columns that this version does not know: User.shoeSize, Flow");
    assert!(!data.exists());
    let report = import(&data, &file, &["--ignore-unknown"]).json(0);
    assert_eq!(report["ignored"], json!(["User.shoeSize", "Flow"]));
    with_rows(&file, "DROP TABLE Subscriber");
    import(&data, &file, &[]).fails_with("it has no table Subscriber");
    with_rows(&file, "ALTER TABLE \"Set\" DROP COLUMN measies");
    import(&data, &file, &[]).fails_with("the table Set has no column measies");
}

#[test]
fn tables_of_other_programs_are_skipped_and_a_missing_wal_is_reported() {
    let folder = tempdir().unwrap();
    let (data, file) = (folder.path().join("data"), folder.path().join("copy.sqlite"));
    with_rows(
        &file,
        "CREATE TABLE _litestream_seq (id INTEGER PRIMARY KEY); CREATE TABLE _litestream_lock (id INTEGER);
         CREATE TABLE _cf_KV (key TEXT PRIMARY KEY); CREATE TABLE d1_migrations (id INTEGER PRIMARY KEY);
         CREATE TABLE IF NOT EXISTS _prisma_migrations (id TEXT PRIMARY KEY)",
    );
    let report = import(&data, &file, &["--dry-run"]).json(0);
    assert_eq!((&report["ignored"], &report["warning"]), (&json!([]), &json!(null)));
    with_rows(&file, "PRAGMA journal_mode = WAL");
    assert!(!folder.path().join("copy.sqlite-wal").exists());
    let report = import(&data, &file, &[]).json(0);
    let warning = report["warning"].as_str().unwrap();
    assert!(
        warning.contains("is in WAL mode") && warning.contains("latest changes are missing"),
        "{warning}"
    );
}
