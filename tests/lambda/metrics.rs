//! Tests of the log lines from which CloudWatch derives metrics.

use bespoke_tests::support::Function;
use serde_json::{Value, json};

use super::event;
use super::installation::Installation;

fn lines(function: &Function) -> Vec<Value> {
    let log = function.log();
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.filter(|line| line.get("_aws").is_some()).collect()
}

#[tokio::test]
async fn each_call_is_logged_and_only_the_first_is_cold() {
    let installation = Installation::demonstration().await;
    let function = installation.function("sets", "cache", &[]).await;
    for sample in ["sets.read.key", "sets.read.anonymous"] {
        function.invoke(event::read(sample)).await.unwrap();
    }
    let [first, second] = lines(&function).try_into().unwrap();
    let named = |line: &Value| -> Vec<(String, Value)> {
        let metrics = line["_aws"]["CloudWatchMetrics"][0]["Metrics"]
            .as_array()
            .unwrap()
            .iter();
        let names = metrics.map(|metric| metric["Name"].as_str().unwrap().to_owned());
        let timeless = names.filter(|name| name != "Duration");
        timeless.map(|name| (name.clone(), line[&name].clone())).collect()
    };
    let expected =
        |names: &[&str]| -> Vec<(String, Value)> { names.iter().map(|name| ((*name).to_owned(), json!(1))).collect() };
    assert_eq!(named(&first), expected(&["Requests", "ByKey", "ColdStarts"]));
    assert_eq!(named(&second), expected(&["Requests", "ClientErrors", "ByKey"]));
    let metrics = &first["_aws"]["CloudWatchMetrics"][0];
    assert_eq!(
        (&metrics["Namespace"], &metrics["Dimensions"]),
        (&json!("Bespoke"), &json!([["instance"]]))
    );
    assert_eq!(
        (&first["instance"], &first["function"]),
        (&json!("bespoke"), &json!("sets"))
    );
    assert!(first["_aws"]["Timestamp"].as_i64().unwrap() > 1_700_000_000_000);
}

#[tokio::test]
async fn metrics_can_be_turned_off() {
    let installation = Installation::empty();
    let function = installation
        .function("info", "cache", &[("BACKEND_HIDE_METRICS", "yes")])
        .await;
    function.invoke(event::read("info.health")).await.unwrap();
    assert!(lines(&function).is_empty(), "{}", function.log());
}
