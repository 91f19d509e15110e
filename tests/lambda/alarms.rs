//! Tests of the alarms of the template: each fires at the first event, and each metric filter matches the log lines of the functions.

use std::collections::BTreeSet;

use bespoke_tests::support::Function;
use regex::Regex;
use serde_json::{Value, json};
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::event;
use super::installation::Installation;
use super::template::{resources, template};

const ALARM: &str = "AWS::CloudWatch::Alarm";
const FILTER: &str = "AWS::Logs::MetricFilter";
/// The log line of one failed attempt to deliver a mail.
const NOT_DELIVERED: &str = "a mail could not be delivered";

/// Whether a line matches a filter pattern of CloudWatch Logs. Supports the part of the language that the template uses: terms
/// joined by `&&`, each of which compares one property with a text or a number, or tests that it is true.
fn matches(pattern: &str, line: &Value) -> bool {
    let terms = pattern.trim().strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
    let term = Regex::new(r#"^\s*\$\.(\w+) (?:= (?:"([^"*]*)"|(\d+))|IS (TRUE))\s*$"#).expect("an expression");
    terms.expect("a pattern for JSON").split("&&").all(|text| {
        let parts = term
            .captures(text)
            .unwrap_or_else(|| panic!("not in the supported part of the language: {text}"));
        let value = &line[&parts[1]];
        match (parts.get(2), parts.get(3)) {
            (Some(text), _) => value.as_str() == Some(text.as_str()),
            (_, Some(number)) => value.as_u64().map(|value| value.to_string()).as_deref() == Some(number.as_str()),
            _ => *value == true,
        }
    })
}

/// The metric filters that match a line, by name.
fn matching_filters(line: &Value) -> Vec<String> {
    let template = template();
    let matching = resources(&template, FILTER).into_iter().filter(|(_, filter)| {
        assert_eq!(filter["LogGroupName"], json!({ "Ref": "Logs" }));
        matches(filter["FilterPattern"].as_str().expect("a pattern"), line)
    });
    let names: BTreeSet<_> = matching.map(|(name, _)| name.to_owned()).collect();
    names.into_iter().collect()
}

/// The JSON lines in the log of a function.
fn lines(function: &Function) -> Vec<Value> {
    let log = function.log();
    log.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

/// The only line of a log with that message.
fn line_of(function: &Function, message: &str) -> Value {
    let found: Vec<_> = lines(function)
        .into_iter()
        .filter(|line| line["message"] == message)
        .collect();
    let [line] = &found[..] else {
        panic!("{message}: {found:?} in {}", function.log())
    };
    line.clone()
}

/// The function `maintenance` with the settings of the template for SES, and a test server in place of SES.
async fn maintenance_with_ses(installation: &Installation, ses: &MockServer) -> Function {
    let url = ses.uri();
    let settings = [
        ("BACKEND_ENABLE_AWS_SES", "yes"),
        ("BACKEND_AWS_SES_URL", &*url),
        ("BACKEND_MAIL_FROM", "mail@example.com"),
        ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
        ("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI"),
    ];
    installation.function("maintenance", "maintenance", &settings).await
}

/// Returns the log line after SES has given this response to the first mail of an installation.
async fn failed_mail(answer: ResponseTemplate) -> Value {
    let ses = MockServer::start().await;
    Mock::given(any()).respond_with(answer).mount(&ses).await;
    let installation = Installation::empty();
    let account = installation.function("account", "account", &[]).await;
    let body = json!({ "email": "jane@example.com", "language": "en" });
    let signup = event::event("POST", "/signup", "", &body);
    super::installation::invoke(&account, signup).await.expect(201);
    let maintenance = maintenance_with_ses(&installation, &ses).await;
    maintenance.invoke(json!({ "tasks": ["mail"] })).await.unwrap();
    line_of(&maintenance, NOT_DELIVERED)
}

#[tokio::test]
async fn first_failure_to_deliver_a_mail_is_counted() {
    let line = failed_mail(ResponseTemplate::new(500)).await;
    assert_eq!(line["hopeless"], false);
    assert_eq!(matching_filters(&line), ["ErrorLines", "FailedMails"]);
}

#[tokio::test]
async fn abandoned_mail_is_counted() {
    let rejected = ResponseTemplate::new(400)
        .insert_header("x-amzn-errortype", "MessageRejected")
        .set_body_json(json!({ "message": "no" }));
    let line = failed_mail(rejected).await;
    assert_eq!(line["hopeless"], true);
    assert_eq!(matching_filters(&line), ["DeadMails", "ErrorLines", "FailedMails"]);
}

#[tokio::test]
async fn failing_bucket_is_counted() {
    let installation = Installation::demonstration().await;
    let sets = installation.function("sets", "sets", &[]).await;
    let read = async || {
        super::installation::invoke(&sets, event::read("sets.read.key"))
            .await
            .status
    };
    assert_eq!(read().await, 200);
    installation.break_bucket();
    assert_eq!(read().await, 503);
    let line = line_of(&sets, "request failed");
    assert_eq!(matching_filters(&line), ["ErrorLines", "StoreErrors"]);
}

#[tokio::test]
async fn failed_maintenance_task_fails_the_invocation() {
    let installation = Installation::demonstration().await;
    let maintenance = installation.function("maintenance", "maintenance", &[]).await;
    maintenance.invoke(json!({ "tasks": [] })).await.unwrap();
    installation.break_bucket();
    for (number, task) in ["usage", "index", "compact", "purge", "garbage"].iter().enumerate() {
        maintenance.invoke(json!({ "tasks": [task] })).await.unwrap_err();
        let failed = lines(&maintenance)
            .into_iter()
            .filter(|line| line["message"] == "maintenance failed");
        let failed: Vec<_> = failed.collect();
        assert_eq!(failed.len(), number + 1, "{task}");
        assert_eq!(matching_filters(&failed[number]), ["ErrorLines"], "{task}");
    }
    // A failed delivery does not fail the invocation; it is only logged.
    maintenance.invoke(json!({ "tasks": ["mail"] })).await.unwrap();
    let line = line_of(&maintenance, "the outbox cannot be read or written");
    assert_eq!(matching_filters(&line), ["ErrorLines", "StoreErrors"]);
}

#[tokio::test]
async fn successful_calls_are_not_counted() {
    let installation = Installation::demonstration().await;
    let sets = installation.function("sets", "sets", &[("BACKEND_LOG", "debug")]).await;
    for sample in ["sets.read.key", "sets.read.anonymous", "sets.measurements.refused"] {
        sets.invoke(event::read(sample)).await.unwrap();
    }
    let maintenance = installation.function("maintenance", "maintenance", &[]).await;
    maintenance.invoke(json!({})).await.unwrap();
    for line in lines(&sets).into_iter().chain(lines(&maintenance)) {
        assert!(matching_filters(&line).is_empty(), "{line}");
    }
}

/// Whether an alarm fires when its statistic has that value; `None` if there was no event.
fn fires(alarm: &Value, sum: Option<u64>) -> bool {
    assert_eq!(alarm["Statistic"], "Sum");
    let threshold = alarm["Threshold"].as_u64().expect("a number");
    let Some(sum) = sum else {
        return match alarm["TreatMissingData"].as_str() {
            Some("breaching") => true,
            Some("notBreaching") => false,
            other => panic!("{other:?}"),
        };
    };
    match alarm["ComparisonOperator"].as_str() {
        Some("GreaterThanOrEqualToThreshold") => sum >= threshold,
        Some("LessThanThreshold") => sum < threshold,
        other => panic!("{other:?}"),
    }
}

/// Metrics that count runs: their alarms fire if no run is counted. All others count failures.
const HEARTBEATS: [(&str, &str); 2] = [("AWS/Lambda", "Invocations"), ("AWS/Events", "Invocations")];
/// Metrics of AWS that count failures.
const FAILURES: [(&str, &str); 3] = [
    ("AWS/ApiGateway", "5xx"),
    ("AWS/Lambda", "Errors"),
    ("AWS/Lambda", "Throttles"),
];

#[test]
fn each_alarm_fires_at_the_first_event() {
    let template = template();
    let stack = json!({ "Ref": "AWS::StackName" });
    let mut counted: Vec<_> = resources(&template, FILTER)
        .into_iter()
        .map(|(_, filter)| {
            let metric = &filter["MetricTransformations"][0];
            assert_eq!(
                (&metric["MetricNamespace"], &metric["MetricValue"]),
                (&stack, &json!("1"))
            );
            metric["MetricName"].as_str().expect("a name")
        })
        .collect();
    for (name, alarm) in resources(&template, ALARM) {
        assert_eq!(alarm["AlarmActions"], json!([{ "Ref": "Alarms" }]), "{name}");
        let metric = alarm["MetricName"].as_str().expect("a name");
        let is_heartbeat = alarm["Namespace"]
            .as_str()
            .is_some_and(|namespace| HEARTBEATS.contains(&(namespace, metric)));
        match alarm["Namespace"].as_str() {
            Some(namespace) => {
                assert!(is_heartbeat || FAILURES.contains(&(namespace, metric)), "{name}");
            }
            None => {
                assert_eq!(alarm["Namespace"], stack, "{name}");
                let index = counted.iter().position(|counted| *counted == metric);
                counted.remove(index.unwrap_or_else(|| panic!("{name}: no filter counts {metric}")));
            }
        }
        let firing = [None, Some(0), Some(1), Some(2)].map(|sum| fires(alarm, sum));
        let expected = if is_heartbeat {
            [true, true, false, false]
        } else {
            [false, false, true, true]
        };
        assert_eq!(firing, expected, "{name}");
        if !is_heartbeat {
            assert_eq!(alarm["EvaluationPeriods"], 1, "{name}");
        }
    }
    assert!(counted.is_empty(), "no alarm watches {counted:?}");
}

/// The minutes of `rate(5 minutes)` and similar rates.
fn minutes(schedule: &str) -> u64 {
    let rate = schedule.strip_prefix("rate(").and_then(|rest| rest.strip_suffix(')'));
    let (number, unit) = rate.and_then(|rate| rate.split_once(' ')).expect("a rate");
    let number: u64 = number.parse().expect("a number");
    match unit.trim_end_matches('s') {
        "minute" => number,
        "hour" => number * 60,
        other => panic!("{other}"),
    }
}

#[test]
fn each_schedule_has_an_alarm_for_missing_runs() {
    let template = template();
    let schedules = resources(&template, "AWS::Events::Rule");
    assert_eq!(schedules.len(), 3);
    for (name, rule) in schedules {
        let dimensions = json!([{ "Name": "RuleName", "Value": { "Ref": name } }]);
        let alarms = resources(&template, ALARM);
        let (_, alarm) = alarms
            .iter()
            .find(|(_, alarm)| alarm["Dimensions"] == dimensions)
            .unwrap_or_else(|| panic!("no alarm for {name}"));
        let watched_s = alarm["Period"].as_u64().unwrap() * alarm["EvaluationPeriods"].as_u64().unwrap();
        let schedule = rule["ScheduleExpression"].as_str().unwrap();
        assert!(
            alarm["Period"].as_u64().unwrap() > minutes(schedule) * 60 && watched_s <= 24 * 60 * 60,
            "{name}: {watched_s} s for {schedule}"
        );
    }
}

#[test]
fn alarms_and_budget_require_an_address() {
    let template = template();
    let email = &template["Parameters"]["AlarmEmail"];
    assert_eq!(email.get("Default"), None);
    let pattern = Regex::new(&format!("^(?:{})$", email["AllowedPattern"].as_str().unwrap())).unwrap();
    assert!(pattern.is_match("alarms@example.com") && !pattern.is_match(""));
    let address = json!({ "Ref": "AlarmEmail" });
    let topic = &template["Resources"]["Alarms"]["Properties"]["Subscription"];
    assert_eq!(*topic, json!([{ "Protocol": "email", "Endpoint": address }]));
    let budget = &template["Resources"]["Budget"]["Properties"];
    assert_eq!(
        budget["Budget"]["BudgetLimit"]["Amount"],
        json!({ "Ref": "MonthlyBudget" })
    );
    let notifications = budget["NotificationsWithSubscribers"].as_array().unwrap();
    assert!(!notifications.is_empty());
    for notification in notifications {
        let subscribers = json!([{ "SubscriptionType": "EMAIL", "Address": address }]);
        assert_eq!(notification["Subscribers"], subscribers);
    }
}
