//! Tests of the step of a deployment that migrates the database: CloudFormation sends an event, and gets a report at a URL.

use serde_json::{Value, json};
use wiremock::matchers::{any, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::installation::Installation;

/// A server for reports, in place of a signed URL of S3.
async fn report_server() -> MockServer {
    let server = MockServer::start().await;
    Mock::given(method("PUT"))
        .and(path("/report"))
        .respond_with(ResponseTemplate::new(200))
        .mount(&server)
        .await;
    server
}

fn migration_event(request_type: &str, server: &MockServer) -> Value {
    json!({
        "RequestType": request_type,
        "ServiceToken": "arn:aws:lambda:eu-west-1:123456789012:function:maintenance",
        "ResponseURL": format!("{}/report?X-Amz-Signature=abc", server.uri()),
        "StackId": "arn:aws:cloudformation:eu-west-1:123456789012:stack/bespoke/1",
        "RequestId": "7c2f",
        "LogicalResourceId": "Migration",
        "ResourceType": "AWS::CloudFormation::CustomResource",
        "ResourceProperties": { "Version": "arn:aws:lambda:eu-west-1:123456789012:function:maintenance:3" },
    })
}

/// The only report that arrived.
async fn received_report(server: &MockServer) -> Value {
    let requests = server.received_requests().await.expect("requests are recorded");
    let [request] = &requests[..] else {
        panic!("{requests:?}")
    };
    // The signature of the URL covers a request without a content type.
    assert_eq!(request.headers.get("content-type"), None);
    serde_json::from_slice(&request.body).expect("JSON")
}

#[tokio::test]
async fn migration_step_reports_success() {
    for function in ["maintenance", "all"] {
        for request_type in ["Create", "Update"] {
            let (installation, server) = (Installation::empty(), report_server().await);
            let function = installation.function(function, "new", &[]).await;
            let done = function.invoke(migration_event(request_type, &server)).await.unwrap();
            let report = received_report(&server).await;
            assert_eq!(report["Reason"], done["version"]);
            assert_eq!(
                report,
                json!({
                    "Status": "SUCCESS",
                    "Reason": report["Reason"],
                    "PhysicalResourceId": "database",
                    "StackId": "arn:aws:cloudformation:eu-west-1:123456789012:stack/bespoke/1",
                    "RequestId": "7c2f",
                    "LogicalResourceId": "Migration",
                })
            );
            let stats = installation.bespoke(&["stats"], &[], None).await;
            assert_eq!(stats.code, Some(0), "{}", stats.stderr);
        }
    }
}

#[tokio::test]
async fn migration_step_reports_failure_of_the_bucket() {
    let (installation, server) = (Installation::empty(), report_server().await);
    let maintenance = installation.function("maintenance", "new", &[]).await;
    maintenance.invoke(json!({ "tasks": [] })).await.unwrap();
    installation.break_bucket();
    maintenance
        .invoke(migration_event("Update", &server))
        .await
        .unwrap_err();
    let report = received_report(&server).await;
    assert_eq!(report["Status"], "FAILED");
    assert!(
        report["Reason"]
            .as_str()
            .unwrap()
            .starts_with("the database cannot be used"),
        "{report}"
    );
}

#[tokio::test]
async fn migration_step_fails_if_its_report_is_refused() {
    let (installation, server) = (Installation::empty(), MockServer::start().await);
    Mock::given(any())
        .respond_with(ResponseTemplate::new(403))
        .mount(&server)
        .await;
    let maintenance = installation.function("maintenance", "new", &[]).await;
    let error = maintenance
        .invoke(migration_event("Create", &server))
        .await
        .unwrap_err();
    assert!(format!("{error:?}").contains("403"), "{error:?}");
    assert!(!maintenance.log().contains("X-Amz-Signature"));
}
