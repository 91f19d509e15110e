//! Tests of the routes below `/measurements` and `/designs`.

use bespoke_core::measurement::{MODEL_SETS, parse_designs};
use bespoke_tests::support::{Answer, App};
use serde_json::{Value, json};

async fn check(app: &App, body: &Value) -> Answer {
    app.post("/measurements/check").json(body).send().await
}

#[tokio::test]
async fn measurements_are_listed_with_unit_and_range() {
    let app = App::new().await;
    let list = app.get("/measurements").send().await.expect_status(200);
    let list = list["measurements"].as_array().unwrap();
    assert_eq!(list.len(), 38);
    let of = |name: &str| list.iter().find(|item| item["name"] == name).unwrap();
    let chest = json!({ "name": "chest", "unit": "mm", "adult": { "min": 762.0, "max": 1316.0 } });
    assert_eq!(of("chest"), &chest);
    assert_eq!(of("shoulderSlope")["unit"], "degrees");
}

#[tokio::test]
async fn designs_are_listed_and_replaceable() {
    let app = App::new().await;
    let list = app.get("/designs").send().await.expect_status(200);
    assert_eq!(list["designs"].as_array().unwrap().len(), 55);
    let aaron = app.get("/designs/Aaron").send().await.expect_status(200);
    assert_eq!(aaron["design"], list["designs"][0]);
    assert_eq!(aaron["design"]["optional"], json!(["highBust"]));
    app.get("/designs/nobody").send().await.expect_missing();

    let mine = parse_designs(&json!({ "mine": { "required": ["chest"] } }).to_string()).unwrap();
    let database = app.context().database();
    let write = database.write::<_, bespoke_web::Error>(database.fresh_commit_id(), move |db| {
        Ok(bespoke_database::designs::replace(db, &mine)?)
    });
    write.await.unwrap();
    let list = app.get("/designs").send().await.expect_status(200);
    let mine = json!([{ "name": "mine", "required": ["chest"], "optional": [] }]);
    assert_eq!(list["designs"], mine);
    app.get("/designs/aaron").send().await.expect_missing();
    let body = json!({ "measurements": { "chest": 930 }, "design": "aaron" });
    check(&app, &body).await.expect_error(400, "designUnknown");
}

#[tokio::test]
async fn check_reports_missing_and_implausible_values_only() {
    let app = App::new().await;
    let before = app.get("/readyz").send().await.json();
    let adult = &MODEL_SETS[3].1;
    let fine = check(&app, &json!({ "measurements": adult, "design": "aaron" })).await;
    let fine = fine.expect_status(200);
    let complete = json!({ "name": "aaron", "complete": true, "missing": [], "missingOptional": [] });
    assert_eq!((&fine["design"], &fine["warnings"]), (&complete, &json!([])));
    assert_eq!((&fine["units"], fine.get("set")), (&json!("mm"), None));

    // Centimetres mistaken for millimetres, and the same values in the right unit.
    let centimetres =
        json!({ "chest": 92.5, "neck": 34, "hips": 90, "seat": 101, "waist": 75, "seatBack": 101, "tail": 3 });
    let in_centimetres = check(&app, &json!({ "measurements": centimetres }))
        .await
        .expect_status(200);
    let rules: Vec<_> = in_centimetres["warnings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|warning| &warning["rule"])
        .collect();
    assert_eq!(rules, ["order", "unit"]);
    assert_eq!(
        in_centimetres["warnings"][0]["measurements"],
        json!(["seat", "seatBack"])
    );
    assert!(in_centimetres["measurements"].get("tail").is_none());
    let converted = check(&app, &json!({ "measurements": centimetres, "units": "cm" }))
        .await
        .expect_status(200);
    assert_eq!(converted["warnings"].as_array().unwrap().len(), 1);
    assert_eq!(
        (&converted["units"], &converted["measurements"]["chest"]),
        (&json!("cm"), &json!(92.5))
    );
    assert_eq!(before, app.get("/readyz").send().await.json());
}

#[tokio::test]
async fn impossible_measurement_is_rejected() {
    let app = App::new().await;
    check(&app, &json!({})).await.expect_error(400, "postBodyMissing");
    check(&app, &json!({ "units": "mm" }))
        .await
        .expect_error(400, "measurementsMissing");
    for measurements in [
        json!(null),
        json!([]),
        json!("chest"),
        json!({ "chest": "930" }),
        json!({ "chest": null }),
        json!({ "chest": 0 }),
        json!({ "chest": -1 }),
        json!({ "chest": 10_001 }),
        json!({ "chest": 1e308 }),
        json!({ "shoulderSlope": 90 }),
        json!({ "chest": { "value": 930 } }),
    ] {
        let body = json!({ "measurements": measurements });
        check(&app, &body).await.expect_error(400, "measurementsInvalid");
    }
    // 400 inches are more than ten metres.
    let inches = json!({ "measurements": { "chest": 400, "shoulderSlope": 89 }, "units": "in" });
    check(&app, &inches).await.expect_error(400, "measurementsInvalid");
    for (field, value, code) in [
        ("units", json!("ell"), "unitsUnknown"),
        ("units", json!(7), "unitsUnknown"),
        ("design", json!("nobody"), "designUnknown"),
        ("design", json!({ "a": 1 }), "designUnknown"),
    ] {
        let mut body = json!({ "measurements": { "chest": 930 } });
        body[field] = value;
        check(&app, &body).await.expect_error(400, code);
    }
    let nan = app
        .post("/measurements/check")
        .body("application/json", r#"{"measurements":{"chest":NaN}}"#);
    nan.send().await.expect_error(400, "badRequest");
}
