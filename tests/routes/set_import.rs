//! Tests of `POST /sets/import/{auth}`.

use bespoke_core::entity::set::{MeasurementSet, SetContent};
use bespoke_core::measurement::{Measurements, NAMES, sanitise};
use bespoke_core::validate::MAX_NOTES_BYTES;
use bespoke_core::{EntityId, Timestamp};
use bespoke_database::{Db, sets};
use bespoke_tests::support::{Answer, App, Person};
use bespoke_web::content::import::ImportedRecord;
use bespoke_web::{Session, content, view};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::value::to_raw_value;
use serde_json::{Value, json};
use uuid::Uuid;

/// Number of sets that are exported and imported.
const MANY: usize = 10_000;

async fn import(app: &App, person: &Person, body: &Value) -> Answer {
    app.post("/sets/import/key").key(&person.key).json(body).send().await
}

#[tokio::test]
async fn document_and_export_round_trip() {
    let app = App::new().await;
    let (jane, eve) = (app.person("jane").await, app.person("eve").await);
    let body = json!({ "name": "Jane: a set", "notes": "n", "imperial": true, "public": true,
        "measies": { "chest": 930, "neck": 360.5 } });
    let set = app
        .post("/sets/jwt")
        .jwt(&jane.token)
        .json(&body)
        .send()
        .await
        .expect_status(201)["set"]
        .clone();
    let document = app
        .get(&format!("/sets/{}.json", set["id"]))
        .send()
        .await
        .expect_status(200);
    let yaml = app.get(&format!("/sets/{}.yaml", set["id"])).send().await.text();

    let added = import(&app, &eve, &document).await.expect_status(201);
    assert_eq!(
        (&added["added"], &added["present"], &added["ignored"]),
        (&json!(1), &json!(0), &json!([]))
    );
    let copy = &added["sets"][0];
    for field in ["name", "notes", "imperial", "measies"] {
        assert_eq!(copy[field], set[field], "{field}");
    }
    assert_eq!((&copy["userId"], &copy["public"]), (&json!(eve.id), &json!(false)));
    assert_ne!(copy["uuid"], set["uuid"]);

    // A repeated import recognizes it, as YAML too, and by its owner.
    let again = app
        .post("/sets/import/key")
        .key(&eve.key)
        .body("text/yaml; charset=utf-8", yaml)
        .send()
        .await;
    let again = again.expect_status(201);
    assert_eq!(
        (&again["added"], &again["present"], &again["sets"]),
        (&json!(0), &json!(1), &json!([]))
    );
    let own = import(&app, &jane, &document).await.expect_status(201);
    assert_eq!(own["present"], 1);

    let list = app.get("/sets/jwt").jwt(&jane.token).send().await.expect_status(200);
    let mut export = json!({ "format": "bespoke-account", "version": 1, "sets": list["sets"], "account": {} });
    export["sets"][0]["uuid"] = json!("6f9619ff-8b86-4011-b42d-00c04fc964ff");
    export["sets"][0]["measies"]["tail"] = json!(3);
    let added = import(&app, &eve, &export).await.expect_status(201);
    assert_eq!(
        (&added["added"], &added["ignored"]),
        (&json!(1), &json!(["account", "sets.0.measies.tail"]))
    );
    assert_eq!(added["sets"][0]["public"], true);
}

#[tokio::test]
async fn import_is_atomic_and_repeat_imports_nothing() {
    let app = App::new().await;
    let person = app.person("jane").await;
    let good = json!({ "name": "good", "measies": { "chest": 93 }, "units": "cm" });
    for (bad, code) in [
        (json!({ "name": "" }), "nameMissing"),
        (json!({ "name": "x".repeat(1025) }), "nameTooLong"),
        (
            json!({ "name": "x", "measies": { "chest": "930" } }),
            "measurementsInvalid",
        ),
        (
            json!({ "name": "x", "measies": { "chest": -1 } }),
            "measurementsInvalid",
        ),
        (
            json!({ "name": "x", "measies": { "chest": 10_001 } }),
            "measurementsInvalid",
        ),
        (json!({ "name": "x", "measurements": [] }), "measurementsInvalid"),
        (json!({ "name": "x", "units": "ell" }), "unitsUnknown"),
        (json!({ "name": "x", "units": 7 }), "unitsUnknown"),
        (json!({ "name": "x", "type": "pattern" }), "formatUnknown"),
        (json!(7), "formatUnknown"),
    ] {
        let body = json!({ "sets": [good, bad] });
        import(&app, &person, &body).await.expect_error(400, code);
    }
    import(&app, &person, &json!({ "sets": 7 }))
        .await
        .expect_error(400, "formatUnknown");
    import(&app, &person, &json!({}))
        .await
        .expect_error(400, "postBodyMissing");
    let many: Vec<_> = (0..5001).map(|_| json!({ "name": "x" })).collect();
    import(&app, &person, &json!({ "sets": many }))
        .await
        .expect_error(400, "tooManyRecords");
    for yaml in ["a", "a: [", "&a [*a]", "\u{0}"] {
        let answer = app
            .post("/sets/import/key")
            .key(&person.key)
            .body("application/yaml", yaml)
            .send()
            .await;
        answer.expect_error(400, "badRequest");
    }
    let large = app
        .post("/sets/import/key")
        .key(&person.key)
        .body("text/yaml", "x".repeat(70_000));
    large.send().await.expect_error(413, "bodyTooLarge");
    let empty = import(&app, &person, &json!({ "sets": [] })).await.expect_status(201);
    assert_eq!(empty["sets"], json!([]));

    let once = async || {
        let post = app
            .post("/sets/import/key")
            .key(&person.key)
            .header("idempotency-key", "once");
        post.json(&json!({ "sets": [good, good] }))
            .send()
            .await
            .expect_status(201)
    };
    let (first, again) = (once().await, once().await);
    assert_eq!(first, again);
    assert_eq!(first["sets"][1]["measies"], json!({ "chest": 930 }));
    let list = app.get("/sets/jwt").jwt(&person.token).send().await.expect_status(200);
    assert_eq!(list["sets"].as_array().unwrap().len(), 2);
    let reader = app.key_with(&person, 3, json!({ "scopes": ["sets:read"] })).await;
    let half = app.post("/sets/import/key").key(&reader).json(&good).send().await;
    half.expect_error(403, "insufficientScope");
}

#[tokio::test]
async fn lists_and_files_of_other_editors_are_imported() {
    let app = App::new().await;
    let person = app.person("jane").await;
    let send = async |content_type: &str, body: &[u8]| {
        let post = app.post("/sets/import/key").key(&person.key).body(content_type, body);
        post.send().await.expect_status(201)["sets"].clone()
    };
    let list = json!([{ "name": "a", "measies": { "chest": 930 } }, { "name": 42, "measurements": { "neck": 36 }, "units": "cm" }]);
    for (content_type, body) in [
        ("application/json", list.to_string()),
        ("application/json", format!("\u{feff}{list:#}\r\n")),
        ("text/yaml", "- name: a\n  measies: {chest: 930}\n- {name: 42, measurements: {neck: 36}, units: cm}\n".to_owned()),
        (
            "application/yaml",
            "\u{feff}sets:\r\n- name: a\r\n  notes:\r\n  public:\r\n  measies:\r\n    chest: 930\r\n    neck:\r\n    wrist: ''\r\n\
             - name: 42\r\n  units: cm\r\n  measurements:\r\n    neck: 36\r\n"
                .to_owned(),
        ),
    ] {
        // Windows programs also write UTF-16, which begins with a byte order mark.
        let marked = format!("\u{feff}{}", body.trim_start_matches('\u{feff}'));
        let utf_16 = |bytes: fn(u16) -> [u8; 2]| marked.encode_utf16().flat_map(bytes).collect();
        for file in [body.clone().into_bytes(), utf_16(u16::to_le_bytes), utf_16(u16::to_be_bytes)] {
            let sets = send(content_type, &file).await;
            let shown: Vec<_> = sets.as_array().unwrap().iter().map(|set| (&set["name"], &set["measies"])).collect();
            assert_eq!(
                shown,
                [(&json!("a"), &json!({ "chest": 930 })), (&json!("42"), &json!({ "neck": 360 }))],
                "{body}"
            );
        }
    }
    let empty = send("text/yaml", b"sets: []").await;
    assert_eq!(empty, json!([]));
}

#[tokio::test]
async fn refused_import_names_the_field_and_the_reason() {
    let app = App::new().await;
    let person = app.person("jane").await;
    for (bad, code, field, reason) in [
        (
            json!({ "measies": {} }),
            "nameMissing",
            "sets.1.name",
            "is missing or not a text",
        ),
        (
            json!({ "name": "x".repeat(1025) }),
            "nameTooLong",
            "sets.1.name",
            "is longer than 1024 bytes",
        ),
        (
            json!({ "name": "x", "measies": { "chest": "930" } }),
            "measurementsInvalid",
            "sets.1.measurements.chest",
            "is not a number",
        ),
        (
            json!({ "name": "x", "measies": { "chest": 0 } }),
            "measurementsInvalid",
            "sets.1.measurements.chest",
            "is not above zero",
        ),
        (
            json!({ "name": "x", "measies": { "chest": 394 }, "units": "in" }),
            "measurementsInvalid",
            "sets.1.measurements.chest",
            "is longer than 10,000 mm",
        ),
        (
            json!({ "name": "x", "measies": { "shoulderSlope": 90 } }),
            "measurementsInvalid",
            "sets.1.measurements.shoulderSlope",
            "is not below 90 degrees",
        ),
        (
            json!({ "name": "x", "units": "ell" }),
            "unitsUnknown",
            "sets.1.units",
            "is not mm, cm, in, metric or imperial",
        ),
        (
            json!({ "name": "x", "type": "pattern" }),
            "formatUnknown",
            "sets.1.type",
            "is not measurementsSet",
        ),
        (json!(7), "formatUnknown", "sets.1", "is not a set"),
    ] {
        for body in [
            json!({ "sets": [{ "name": "good" }, bad] }),
            json!([{ "name": "good" }, bad]),
        ] {
            import(&app, &person, &body).await.expect_invalid(code, field, reason);
        }
    }
    let one = json!({ "name": "x", "measurements": { "chest": false } });
    import(&app, &person, &one)
        .await
        .expect_invalid("measurementsInvalid", "measurements.chest", "is not a number");
}

#[tokio::test]
async fn aliases_cannot_make_an_import_longer_than_a_request() {
    let app = App::new().await;
    let jane = app.person("jane").await;
    let first = format!("- {{name: a, notes: &n {}}}\n", "x".repeat(60_000));
    let yaml = first + &"- {name: a, notes: *n}\n".repeat(210);
    let sent = app.post("/sets/import/key").key(&jane.key).body("text/yaml", yaml);
    sent.send().await.expect_error(413, "bodyTooLarge");
}

#[tokio::test]
async fn repeated_import_is_refused_after_its_sets_have_grown() {
    let app = App::new().await;
    let jane = app.person("jane").await;
    let many = vec![json!({ "name": "set" }); 270];
    let send = || {
        let post = app
            .post("/sets/import/key")
            .key(&jane.key)
            .header("idempotency-key", "one");
        post.json(&json!(many)).send()
    };
    let first = send().await.expect_status(201);
    assert_eq!(send().await.expect_status(201), first);
    let ids: Vec<_> = first["sets"]
        .as_array()
        .unwrap()
        .iter()
        .map(|set| set["id"].as_i64().unwrap())
        .collect();
    let notes = "x".repeat(MAX_NOTES_BYTES);
    let session = Session::new(app.context().clone());
    let grow = session.write(move |db: &Db<'_>| {
        for id in &ids {
            let mut set = sets::by_id(db, EntityId::Integer(*id))?.unwrap();
            set.content.notes.clone_from(&notes);
            sets::update(db, &set, set.updated_at)?;
        }
        Ok(())
    });
    grow.await.unwrap();
    send().await.expect_error(413, "listTooLarge");
}

/// Any set that can be stored and imported; lengths have up to six decimal places, as conversions produce them.
fn any_content() -> impl Strategy<Value = SetContent> {
    // Below 90, so that each value is also valid for a slope.
    let measurement = (proptest::sample::select(NAMES.to_vec()), 1..90_000_000_u32);
    let measies = proptest::collection::vec(measurement, 0..=NAMES.len()).prop_map(|values| {
        let number = |(name, millionths): (&str, u32)| (name.to_owned(), json!(f64::from(millionths) / 1e6));
        sanitise(values.into_iter().map(number).collect::<Measurements>())
    });
    let texts = (".{1,40}", "(?s).{0,200}");
    (texts, any::<bool>(), any::<bool>(), measies).prop_map(|((name, notes), imperial, public, measies)| SetContent {
        name,
        notes,
        imperial,
        public,
        measies,
        img: Some("default-avatar".to_owned()),
    })
}

#[tokio::test]
async fn ten_thousand_sets_round_trip() {
    let app = App::new().await;
    let context = app.context();
    let (mut runner, contents) = (TestRunner::deterministic(), any_content());
    for id in 1..=MANY {
        let content = contents.new_tree(&mut runner).unwrap().current();
        let set = MeasurementSet {
            id: id as i64,
            uuid: Uuid::from_u128(id as u128),
            user_id: 1,
            user_uuid: Uuid::nil(),
            created_at: Timestamp::from_millis(0),
            updated_at: Timestamp::from_millis(0),
            content: SetContent {
                name: content.name.clone(),
                notes: content.notes.clone(),
                imperial: content.imperial,
                public: content.public,
                measies: to_raw_value(&content.measies).unwrap(),
                img: content.img.clone(),
            },
        };
        let file = serde_json::to_string(&view::Set::new(&set, context)).unwrap();
        let fields = serde_json::from_str(&file).unwrap();
        let read = |fields| content::set::import(fields, context.config());
        let (record, ignored) = ImportedRecord::parse(fields, context, read).unwrap();
        assert_eq!((&record.content, ignored.len()), (&content, 0), "{file}");
    }
}
