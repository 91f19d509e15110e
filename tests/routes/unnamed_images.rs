//! Tests of images that no record names, because the process that stored them ended before it named them.

use bespoke_core::Clock as _;
use bespoke_storage::PutCondition;
use bespoke_tests::support::App;
use bespoke_tests::support::picture::RED;
use bespoke_web::maintenance::Task;
use serde_json::json;

const KEPT_MS: i64 = 30 * 24 * 60 * 60 * 1000;

async fn images(app: &App) -> Vec<String> {
    let listed = app.context().bucket().list("images/").await.unwrap();
    let mut names: Vec<_> = listed
        .into_iter()
        .map(|object| object.key.trim_start_matches("images/").to_owned())
        .collect();
    names.sort();
    names
}

#[tokio::test]
async fn old_images_that_no_record_names_are_deleted() {
    let app = App::new().await;
    let jane = app.person("jane").await;
    let set = async |body| {
        let made = app.post("/sets/jwt").jwt(&jane.token).json(&body).send().await;
        made.expect_status(201)["set"]["id"].as_i64().unwrap()
    };
    let named = set(json!({ "name": "a", "img": RED })).await;
    let unnamed = set(json!({ "name": "b" })).await;
    let account = app.patch("/account/jwt").jwt(&jane.token).json(&json!({ "img": RED }));
    account.send().await.expect_status(200);
    // A curator's image of a page, and a file that is no image of a record.
    let others = ["blog-a-day-out".to_owned(), "readme.txt".to_owned()];
    let mut kept = images(&app).await;
    assert_eq!(kept.len(), 2);
    kept.extend(others.clone());
    kept.sort();
    let lost = [
        format!("set-{unnamed}"),
        "set-99999".to_owned(),
        "pattern-99999".to_owned(),
        "cset-99999".to_owned(),
        "opack-99999".to_owned(),
        format!("uid-{}", "0a".repeat(32)),
        "sugset-6f9619ff-8b86-4011-b42d-00c04fc964ff".to_owned(),
    ];
    for name in lost.iter().chain(&others) {
        let key = format!("images/{name}");
        let put = app
            .context()
            .bucket()
            .put(&key, "file".into(), PutCondition::CreateOnly);
        put.await.unwrap();
    }
    let listed = app.context().bucket().list("images/").await.unwrap();
    let stored_ms = listed.iter().map(|object| object.last_modified_ms.cast_signed());
    let until_old_ms = stored_ms.clone().min().unwrap() + KEPT_MS - app.clock.now().as_millis();
    app.clock.advance_ms(until_old_ms);
    app.context().maintain(&[Task::Purge]).await;
    assert_eq!(
        images(&app).await.len(),
        kept.len() + lost.len(),
        "they are not old enough"
    );
    app.clock
        .advance_ms(1 + stored_ms.clone().max().unwrap() - stored_ms.min().unwrap());
    app.context().maintain(&[Task::Purge]).await;
    assert_eq!(images(&app).await, kept);
    assert!(kept.contains(&format!("set-{named}")));
}
