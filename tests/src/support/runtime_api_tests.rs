use std::os::unix::process::ExitStatusExt;

use super::*;
use crate::support::example;

async fn echo(env: &[(&str, &str)]) -> Function {
    RuntimeApi::start().await.spawn(&example("echo"), env)
}

/// An event of the HTTP API, payload version 2.0.
fn event(method: &str, path: &str) -> Value {
    json!({
        "version": "2.0", "routeKey": "$default", "rawPath": path, "rawQueryString": "", "headers": { "host": "test" },
        "requestContext": {
            "accountId": "000000000000", "apiId": "test", "domainName": "test", "domainPrefix": "test", "requestId": "test",
            "http": { "method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1", "userAgent": "test" },
            "routeKey": "$default", "stage": "$default", "time": "01/Jan/2026:00:00:00 +0000", "timeEpoch": 1_767_225_600_000_i64
        },
        "body": "hello", "isBase64Encoded": false
    })
}

fn echoed(response: &Value) -> Value {
    serde_json::from_str(response["body"].as_str().unwrap()).unwrap()
}

#[tokio::test]
async fn one_process_handles_successive_events() {
    let function = echo(&[("MINE", "1")]).await;
    for earlier_events in 0..3 {
        let response = function.invoke(event("POST", "/a/b")).await.unwrap();
        assert_eq!(response["statusCode"], 200);
        let echoed = echoed(&response);
        assert_eq!(echoed["method"], "POST");
        assert_eq!(echoed["path"], "/a/b");
        assert_eq!(echoed["body"], "hello");
        assert_eq!(echoed["before"], earlier_events);
        let variables = echoed["variables"].as_array().unwrap();
        assert!(variables.contains(&json!("MINE")) && variables.contains(&json!("LAMBDA_TASK_ROOT")));
        assert!(
            !variables.contains(&json!("CARGO_MANIFEST_DIR")),
            "the function sees the environment of the test"
        );
    }
}

#[tokio::test]
async fn concurrent_events_get_their_own_responses() {
    let function = echo(&[]).await;
    let (a, b) = tokio::join!(function.invoke(event("GET", "/a")), function.invoke(event("GET", "/b")));
    assert_eq!(echoed(&a.unwrap())["path"], "/a");
    assert_eq!(echoed(&b.unwrap())["path"], "/b");
}

#[tokio::test]
async fn error_and_panic_are_reported_and_the_process_survives() {
    let function = echo(&[]).await;
    for path in ["/fail", "/panic"] {
        let error = function.invoke(event("GET", path)).await.unwrap_err();
        assert!(
            matches!(&error, InvokeError::Function { message, .. } if message.contains("it was asked for")),
            "{error}"
        );
    }
    assert_eq!(function.invoke(event("GET", "/")).await.unwrap()["statusCode"], 200);
}

#[tokio::test]
async fn exit_during_an_event_is_reported_with_its_output() {
    let function = echo(&[]).await;
    // The second event finds the process already ended.
    for _ in 0..2 {
        let InvokeError::Exited(exit) = function.invoke(event("GET", "/exit")).await.unwrap_err() else {
            panic!()
        };
        assert_eq!(exit.status.code(), Some(3));
        assert_eq!(exit.log, "GET /exit\n");
    }
}

#[tokio::test]
async fn exit_before_the_first_event_is_reported() {
    let function = echo(&[("ECHO_NO_INIT", "1")]).await;
    let error = function.invoke(event("GET", "/")).await.unwrap_err();
    assert!(
        matches!(&error, InvokeError::Exited(exit) if exit.log.contains("no init today")),
        "{error}"
    );
}

#[tokio::test]
async fn streamed_response_has_the_shape_of_a_buffered_one() {
    let function = echo(&[("ECHO_STREAMING", "1")]).await;
    let response = function.invoke(event("GET", "/a")).await.unwrap();
    assert_eq!(response["statusCode"], 200);
    assert_eq!(response["headers"]["content-type"], "application/json");
    assert_eq!(response["cookies"], json!(["a=b"]));
    assert_eq!(response["isBase64Encoded"], false);
    assert_eq!(echoed(&response)["path"], "/a");

    let response = function.invoke(event("GET", "/binary")).await.unwrap();
    assert_eq!(response["isBase64Encoded"], true);
    assert_eq!(response["body"], "/wA=");

    let response = function.invoke(event("GET", "/large")).await.unwrap();
    assert_eq!(
        response["body"].as_str().unwrap().len(),
        7 * 1024 * 1024,
        "the limit is for buffered responses"
    );
}

#[tokio::test]
async fn response_above_the_limit_is_refused() {
    let function = echo(&[]).await;
    let error = function.invoke(event("GET", "/large")).await.unwrap_err();
    assert!(
        matches!(&error, InvokeError::Function { kind, .. } if kind == "Function.ResponseSizeTooLarge"),
        "{error}"
    );
}

#[tokio::test]
async fn shutdown_hook_runs_at_sigterm() {
    let function = echo(&[]).await;
    function.invoke(event("GET", "/")).await.unwrap();
    let exit = function.terminate().await;
    assert!(exit.status.success(), "{exit:?}");
    assert!(exit.log.contains("the hook ran"), "{exit:?}");
}

#[tokio::test]
async fn killed_process_skips_its_shutdown_hook() {
    let function = echo(&[]).await;
    function.invoke(event("GET", "/")).await.unwrap();
    let exit = function.kill().await;
    assert_eq!(exit.status.signal(), Some(9), "{exit:?}");
    assert!(!exit.log.contains("the hook ran"), "{exit:?}");
}

#[tokio::test]
async fn process_ends_with_its_handle() {
    let function = echo(&[]).await;
    function.invoke(event("GET", "/")).await.unwrap();
    let stat = format!("/proc/{}/stat", function.pid());
    let lives = || std::fs::read_to_string(&stat).is_ok_and(|stat| !stat.contains(") Z "));
    assert!(lives());
    drop(function);
    let gone = async {
        while lives() {
            tokio::task::yield_now().await;
        }
    };
    timeout(INVOCATION_LIMIT, gone).await.expect("the process is killed");
}
