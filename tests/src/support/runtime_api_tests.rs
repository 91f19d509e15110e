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
async fn one_process_answers_event_after_event() {
    let function = echo(&[("MINE", "1")]).await;
    for before in 0..3 {
        let response = function.invoke(event("POST", "/a/b")).await.unwrap();
        assert_eq!(response["statusCode"], 200);
        let echoed = echoed(&response);
        assert_eq!(echoed["method"], "POST");
        assert_eq!(echoed["path"], "/a/b");
        assert_eq!(echoed["body"], "hello");
        assert_eq!(echoed["before"], before);
        let variables = echoed["variables"].as_array().unwrap();
        assert!(variables.contains(&json!("MINE")) && variables.contains(&json!("LAMBDA_TASK_ROOT")));
        assert!(
            !variables.contains(&json!("CARGO_MANIFEST_DIR")),
            "the test's own environment shows through"
        );
    }
}

#[tokio::test]
async fn events_that_arrive_together_are_answered_each_with_its_own() {
    let function = echo(&[]).await;
    let (a, b) = tokio::join!(function.invoke(event("GET", "/a")), function.invoke(event("GET", "/b")));
    assert_eq!(echoed(&a.unwrap())["path"], "/a");
    assert_eq!(echoed(&b.unwrap())["path"], "/b");
}

#[tokio::test]
async fn an_error_and_a_panic_are_reported_and_the_process_lives() {
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
async fn a_death_in_the_middle_is_told_with_what_was_written() {
    let function = echo(&[]).await;
    // The second finds it dead already.
    for _ in 0..2 {
        let InvokeError::Exited(exit) = function.invoke(event("GET", "/exit")).await.unwrap_err() else {
            panic!()
        };
        assert_eq!(exit.status.code(), Some(3));
        assert_eq!(exit.log, "GET /exit\n");
    }
}

#[tokio::test]
async fn a_death_before_the_first_event_is_told_too() {
    let function = echo(&[("ECHO_NO_INIT", "1")]).await;
    let error = function.invoke(event("GET", "/")).await.unwrap_err();
    assert!(
        matches!(&error, InvokeError::Exited(exit) if exit.log.contains("no init today")),
        "{error}"
    );
}

#[tokio::test]
async fn a_stream_has_the_shape_of_a_buffered_response() {
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
async fn a_response_above_the_limit_is_refused() {
    let function = echo(&[]).await;
    let error = function.invoke(event("GET", "/large")).await.unwrap_err();
    assert!(
        matches!(&error, InvokeError::Function { kind, .. } if kind == "Function.ResponseSizeTooLarge"),
        "{error}"
    );
}

#[tokio::test]
async fn the_shutdown_hook_runs() {
    let function = echo(&[]).await;
    function.invoke(event("GET", "/")).await.unwrap();
    let exit = function.terminate().await;
    assert!(exit.status.success(), "{exit:?}");
    assert!(exit.log.contains("the hook ran"), "{exit:?}");
}

#[tokio::test]
async fn a_killed_process_has_no_time_for_its_hook() {
    let function = echo(&[]).await;
    function.invoke(event("GET", "/")).await.unwrap();
    let exit = function.kill().await;
    assert_eq!(exit.status.signal(), Some(9), "{exit:?}");
    assert!(!exit.log.contains("the hook ran"), "{exit:?}");
}

#[tokio::test]
async fn the_process_does_not_outlive_its_handle() {
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
    timeout(INVOCATION_LIMIT, gone).await.expect("it is killed");
}
