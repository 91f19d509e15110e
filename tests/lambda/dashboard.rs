//! Test that the dashboard of the template shows metrics that exist.

use std::collections::BTreeSet;

use bespoke_web::lambda::{NAMESPACE, names_of_lines};
use serde_json::{Value, json};

use super::template::{resources, template};

/// Namespace, name, and a dimension with its value.
type Metric<'a> = (&'a str, &'a str, Option<(&'a str, &'a str)>);

/// Metrics of AWS, with the dimension that selects those of the template. Metrics without a dimension cover the account.
const OF_AWS: [Metric<'_>; 8] = [
    ("AWS/ApiGateway", "4xx", Some(("ApiId", "${HttpApi}"))),
    ("AWS/ApiGateway", "5xx", Some(("ApiId", "${HttpApi}"))),
    ("AWS/ApiGateway", "Count", Some(("ApiId", "${HttpApi}"))),
    ("AWS/ApiGateway", "IntegrationLatency", Some(("ApiId", "${HttpApi}"))),
    ("AWS/ApiGateway", "Latency", Some(("ApiId", "${HttpApi}"))),
    ("AWS/Billing", "EstimatedCharges", Some(("Currency", "USD"))),
    ("AWS/Lambda", "ConcurrentExecutions", None),
    ("AWS/Lambda", "Throttles", None),
];
/// Metrics of the function for maintenance.
const OF_MAINTENANCE: [&str; 3] = ["Invocations", "Errors", "Duration"];

/// The widgets of the dashboard.
fn widgets(template: &Value) -> Vec<Value> {
    let body = &template["Resources"]["Dashboard"]["Properties"]["DashboardBody"]["Sub"][0];
    let body: Value = serde_json::from_str(body.as_str().expect("a text")).expect("JSON");
    body["widgets"].as_array().expect("widgets").clone()
}

/// A metric: namespace, name, and at most one dimension.
fn parts(metric: &Value) -> (String, String, Option<(String, String)>) {
    let texts: Vec<_> = metric
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(Value::as_str)
        .collect();
    match texts[..] {
        [namespace, name] => (namespace.to_owned(), name.to_owned(), None),
        [namespace, name, dimension, value] => {
            let dimension = (dimension.to_owned(), value.to_owned());
            (namespace.to_owned(), name.to_owned(), Some(dimension))
        }
        _ => panic!("{metric}"),
    }
}

#[test]
fn each_metric_of_the_dashboard_exists() {
    let template = template();
    let filters = resources(&template, "AWS::Logs::MetricFilter").into_iter();
    let counted: BTreeSet<_> = filters
        .map(|(_, filter)| {
            filter["MetricTransformations"][0]["MetricName"]
                .as_str()
                .expect("a name")
                .to_owned()
        })
        .collect();
    let mut of_functions = BTreeSet::new();
    for widget in widgets(&template) {
        for metric in widget["properties"]["metrics"].as_array().expect("metrics") {
            let (namespace, name, dimension) = parts(metric);
            let dimension = dimension.as_ref().map(|(name, value)| (name.as_str(), value.as_str()));
            match namespace.as_str() {
                NAMESPACE => {
                    assert_eq!(dimension, Some(("instance", "${Instance}")), "{name}");
                    of_functions.insert(name);
                }
                "${AWS::StackName}" => {
                    assert_eq!(dimension, None, "{name}");
                    assert!(counted.contains(&name), "no filter counts {name}");
                }
                "AWS/Lambda" if dimension.is_some() => {
                    assert!(OF_MAINTENANCE.contains(&name.as_str()), "{name}");
                    assert_eq!(dimension, Some(("FunctionName", "${MaintenanceName}")));
                }
                namespace => assert!(OF_AWS.contains(&(namespace, &name, dimension)), "{metric}"),
            }
        }
    }
    let known: BTreeSet<_> = names_of_lines().map(str::to_owned).collect();
    let shown_by_the_gateway = BTreeSet::from(["Duration".to_owned()]);
    assert_eq!(of_functions, &known - &shown_by_the_gateway);
}

#[test]
fn dashboard_covers_the_operators_metrics() {
    let template = template();
    let titles: Vec<_> = widgets(&template)
        .iter()
        .map(|widget| widget["properties"]["title"].as_str().expect("a title").to_owned())
        .collect();
    for subject in [
        "Requests",
        "Errors",
        "Latency",
        "Commits",
        "Mails",
        "Maintenance",
        "Cost",
    ] {
        assert!(
            titles.iter().any(|title| title.starts_with(subject)),
            "{subject}: {titles:?}"
        );
    }
    let names = &template["Resources"]["Dashboard"]["Properties"]["DashboardBody"]["Sub"][1];
    let maintenance = json!({ "If": ["SeparateFunctions", { "Ref": "Maintenance" }, { "Ref": "AllMaintenance" }] });
    assert_eq!(names["MaintenanceName"], maintenance);
}
