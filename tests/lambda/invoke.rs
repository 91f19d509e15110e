//! Tests of `bespoke invoke` as a user at a terminal sees it.

use serde_json::{Value, json};

use super::answer::Answer;
use super::event::{SAMPLES, event, folder};
use super::installation::{Installation, Settings};

/// Runs `bespoke invoke` with `event` on its standard input, and returns the response that it prints.
pub(super) async fn run_invoke(
    on: &Installation,
    arguments: &[&str],
    settings: Settings<'_>,
    event: Option<&Value>,
) -> Answer {
    let event = event.map(Value::to_string);
    let outcome = on.bespoke(arguments, settings, event.as_deref()).await;
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    let line = outcome.stdout.strip_suffix('\n').expect("a line");
    assert!(!line.contains('\n'), "more than one line: {line}");
    Answer::from_function(&serde_json::from_str(line).expect("the line is a JSON response"))
}

fn file(name: &str) -> String {
    folder()
        .join(name)
        .to_str()
        .expect("a path of the workspace")
        .to_owned()
}

const READ: &str = "sets.read.key.json";
/// Logs everything, so that log lines on the wrong stream are noticed.
const LOG_EVERYTHING: Settings<'static> = &[("BACKEND_LOG", "trace")];

#[tokio::test]
async fn each_sample_event_gets_its_expected_status() {
    let installation = Installation::demonstration().await;
    for sample in SAMPLES {
        let answer = run_invoke(
            &installation,
            &["invoke", &file(&format!("{}.json", sample.name))],
            LOG_EVERYTHING,
            None,
        )
        .await;
        assert_eq!(answer.status, sample.status, "{}: {answer:?}", sample.name);
    }
}

#[tokio::test]
async fn demonstration_set_is_readable_outside_test_mode() {
    let installation = Installation::demonstration().await;
    let settings = [LOG_EVERYTHING, &[("BACKEND_ENABLE_TESTS", "no")]].concat();
    let set = run_invoke(&installation, &["invoke", &file(READ)], &settings, None)
        .await
        .expect(200);
    assert_eq!(
        set["set"]["measies"],
        json!({ "chest": 925, "hips": 900, "waist": 750, "neck": 340, "shoulderSlope": 13 })
    );
}

#[tokio::test]
async fn demonstration_key_is_refused_without_the_demonstration() {
    let installation = Installation::empty();
    let made = installation
        .bespoke(&["user", "create", "jane@example.com"], &[], None)
        .await;
    assert_eq!(made.code, Some(0), "{}", made.stderr);
    let refused = run_invoke(&installation, &["invoke", &file(READ)], &[], None)
        .await
        .expect(401);
    assert_eq!(refused["error"], "unauthorized");
}

#[tokio::test]
async fn logs_go_to_standard_error() {
    let installation = Installation::demonstration().await;
    let outcome = installation
        .bespoke(&["invoke", &file(READ)], LOG_EVERYTHING, None)
        .await;
    assert!(
        serde_json::from_str::<Value>(&outcome.stdout).is_ok(),
        "{}",
        outcome.stdout
    );
    assert!(
        outcome.stderr.contains(r#""path":"/sets/{id}/key""#),
        "{}",
        outcome.stderr
    );
    for line in outcome.stderr.lines() {
        assert!(serde_json::from_str::<Value>(line).is_ok(), "{line}");
    }
}

#[tokio::test]
async fn invalid_event_is_refused_in_one_line() {
    let installation = Installation::demonstration().await;
    let mut without_path = event("GET", "/healthz", "", &Value::Null);
    without_path.as_object_mut().unwrap().remove("rawPath");
    let mut not_base64 = event("POST", "/signup", "", &json!({}));
    not_base64["body"] = "!".into();
    let missing = installation.path().join("missing.json");
    let missing = missing.to_str().unwrap();
    for (argument, input, expected) in [
        (missing, String::new(), "cannot read"),
        (missing, String::new(), "missing.json: No such file or directory"),
        (".", String::new(), "cannot read .: Is a directory"),
        ("-", String::new(), "the event is not JSON"),
        ("-", "{".into(), "the event is not JSON"),
        ("-", "hello".into(), "the event is not JSON"),
        (
            "-",
            "[1]".into(),
            "the event has no rawPath: it is not a gateway event of version 2.0",
        ),
        (
            "-",
            without_path.to_string(),
            "the event has no rawPath: it is not a gateway event of version 2.0",
        ),
        (
            "-",
            r#"{"rawPath":7}"#.into(),
            "the event has no rawPath: it is not a gateway event of version 2.0",
        ),
        (
            "-",
            r#"{"rawPath":"/healthz"}"#.into(),
            "the event is not one of API Gateway",
        ),
        (
            "-",
            not_base64.to_string(),
            "the event cannot be converted to a request",
        ),
    ] {
        let outcome = installation.bespoke(&["invoke", argument], &[], Some(&input)).await;
        assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(1), ""), "{input}");
        let messages: Vec<_> = outcome.stderr.lines().filter(|line| !line.starts_with('{')).collect();
        assert!(
            messages.len() == 1 && messages[0].starts_with("bespoke: ") && messages[0].contains(expected),
            "{input}: {}",
            outcome.stderr
        );
    }
}
