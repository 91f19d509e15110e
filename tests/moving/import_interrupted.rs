//! A killed import continues at the next run.

use serde_json::{Value, json};
use tempfile::tempdir;

use super::{import, made_up, run, sample};

/// Values that differ between two imports of the same file: random UUIDs, and the duration.
fn without_time(mut report: Value) -> Value {
    report["tookMs"] = Value::Null;
    report
}

#[test]
fn killed_import_is_completed_by_the_next_run() {
    let whole = tempdir().unwrap();
    let rows_each = ["--batch-rows", "2"];
    let expected = without_time(import(whole.path(), &sample(), &rows_each).json(0));
    // Of twelve commits.
    for killed_after in [1, 4, 9] {
        let folder = tempdir().unwrap();
        let killed_after = killed_after.to_string();
        let abort = ["--batch-rows", "2", "--abort-after", &killed_after];
        let killed = import(folder.path(), &sample(), &abort);
        assert_eq!(killed.code, None, "{}", killed.err);
        let report = without_time(import(folder.path(), &sample(), &rows_each).json(0));
        assert_eq!(report, expected);
    }
}

#[test]
fn sign_up_during_an_import_gets_an_unused_id() {
    let folder = tempdir().unwrap();
    let killed = import(folder.path(), &sample(), &["--batch-rows", "2", "--abort-after", "1"]);
    assert_eq!(killed.code, None, "{}", killed.err);
    run(folder.path(), &["user", "create", "jane@example.com"], &[]).succeeds();
    let jane = run(folder.path(), &["user", "show", "jane@example.com", "--json"], &[]).json(0);
    assert_eq!((&jane["id"], &jane["sets"]), (&json!(6), &json!(0)));
    let report = import(folder.path(), &sample(), &[]).json(0);
    assert_eq!((&report["rows"], &report["setAside"]), (&json!(19), &json!(0)));
}

#[tokio::test]
async fn both_legacy_schemas_are_imported() {
    for shape in ["2023", "2026"] {
        let folder = tempdir().unwrap();
        let file = folder.path().join("original.sqlite");
        made_up(&file, shape, 7, 20);
        let data = folder.path().join("data");
        let report = import(&data, &file, &[]).json(0);
        assert_eq!((&report["rows"], &report["notes"]), (&json!(27), &json!([])));
        let app = super::app(&data).await;
        let source = rusqlite::Connection::open(&file).unwrap();
        let uuid = source.query_row("SELECT uuid FROM \"Set\" WHERE id = 10", [], |row| {
            row.get::<_, String>(0)
        });
        let answer = app.get("/sets/10.json").send().await.expect_status(200);
        assert_eq!(answer["name"], "Set 10");
        if let Ok(uuid) = uuid {
            assert_eq!(shape, "2026");
            let by_uuid = app.get(&format!("/sets/{uuid}.json")).send().await.expect_status(200);
            assert_eq!(by_uuid, answer);
        }
        // That schema has no curated sets, so the seeded sizes stay.
        app.get("/curated-sets/1.json").send().await.expect_status(200);
    }
}
