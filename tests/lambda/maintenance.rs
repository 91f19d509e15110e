//! Tests of the function `maintenance`, as a schedule invokes it, and of the work that functions leave for it when Lambda ends them.

use serde_json::{Value, json};

use super::event::{SAMPLES, SCHEDULES, folder, read};
use super::installation::{Installation, invoke};

#[tokio::test]
async fn counts_of_an_ended_process_are_applied() {
    let installation = Installation::demonstration().await;
    let function = installation.function("apikeys", "a", &[]).await;
    let sample = SAMPLES
        .iter()
        .find(|sample| sample.name == "apikeys.whoami.key")
        .unwrap();
    for _ in 0..3 {
        invoke(&function, sample.event()).await.expect(200);
    }
    assert!(function.terminate().await.status.success());

    let maintenance = installation.function("maintenance", "b", &[]).await;
    let done = maintenance.invoke(json!({ "tasks": ["usage"] })).await.unwrap();
    assert_eq!(
        done,
        json!([{ "task": "usage", "outcome": "1 batches applied", "failed": false }])
    );
    let all = maintenance.invoke(json!({ "source": "aws.events" })).await.unwrap();
    let tasks: Vec<_> = all.as_array().unwrap().iter().map(|done| &done["task"]).collect();
    assert_eq!(tasks, ["mail", "usage", "index", "compact", "purge", "garbage"]);
    assert!(
        all.as_array().unwrap().iter().all(|done| done["failed"] == false),
        "{all}"
    );

    let function = installation.function("apikeys", "a", &[]).await;
    let list = SAMPLES
        .iter()
        .find(|sample| sample.name == "apikeys.list.multiquery")
        .unwrap();
    let list = invoke(&function, list.event()).await.expect(200);
    // The three calls, and this one.
    assert_eq!(list["apikeys"][0]["calls"], 4);
    assert!(list["apikeys"][0]["lastSeen"].is_string());
}

#[tokio::test]
async fn unknown_task_is_an_error_and_the_process_survives() {
    let installation = Installation::empty();
    let maintenance = installation.function("maintenance", "a", &[]).await;
    for order in [
        json!({ "tasks": ["everything"] }),
        json!({ "tasks": "usage" }),
        json!(null),
    ] {
        maintenance.invoke(order).await.unwrap_err();
    }
    assert_eq!(maintenance.invoke(json!({ "tasks": [] })).await.unwrap(), json!([]));
}

#[tokio::test]
async fn scheduled_samples_run_on_lambda_and_by_invoke() {
    let installation = Installation::demonstration().await;
    let maintenance = installation.function("maintenance", "a", &[]).await;
    for name in SCHEDULES {
        let file = folder().join(format!("{name}.json"));
        let invoked = installation
            .bespoke(&["invoke", file.to_str().unwrap()], &[], None)
            .await;
        let done = maintenance.invoke(read(name)).await;
        if *name == "maintenance.refused" {
            assert!(
                done.is_err() && invoked.stdout.is_empty(),
                "{done:?} {}",
                invoked.stdout
            );
            assert_eq!(invoked.code, Some(1));
            assert!(
                invoked.stderr.contains("unknown variant `everything`"),
                "{}",
                invoked.stderr
            );
        } else {
            assert_eq!(invoked.code, Some(0), "{}", invoked.stderr);
            let tasks = |done: &Value| -> Vec<Value> {
                let done = done.as_array().unwrap().iter();
                done.map(|done| json!([done["task"], done["failed"]])).collect()
            };
            assert_eq!(
                tasks(&serde_json::from_str(&invoked.stdout).unwrap()),
                tasks(&done.unwrap()),
                "{name}"
            );
        }
    }
}
