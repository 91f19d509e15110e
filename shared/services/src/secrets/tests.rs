//! Tests with a mock of Secrets Manager.

use wiremock::matchers::{body_json, header};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::*;

const ARN: &str = "arn:aws:secretsmanager:eu-west-3:123456789012:secret:Key-a1b2c3";
const NOW: Timestamp = Timestamp::from_millis(1_795_307_240_000);

fn aws(server: &MockServer) -> Aws {
    Aws {
        region: Some("eu-west-1".to_owned()),
        endpoint: Some(server.uri()),
        access: Some(Aws::access(
            "id".to_owned(),
            "secret".to_owned(),
            Some("session".to_owned()),
        )),
    }
}

async fn respond(server: &MockServer, label: &str, response: ResponseTemplate) {
    Mock::given(header("x-amz-target", "secretsmanager.GetSecretValue"))
        .and(header("x-amz-security-token", "session"))
        .and(body_json(json!({ "SecretId": ARN, "VersionStage": label })))
        .respond_with(response)
        .mount(server)
        .await;
}

fn text(text: &str) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_json(json!({ "Name": "Key", "SecretString": text }))
}

fn refusal(status: u16, code: &str) -> ResponseTemplate {
    ResponseTemplate::new(status).set_body_json(json!({ "__type": code, "Message": "text" }))
}

/// Returns a mock with these texts of the three versions.
async fn service(current: ResponseTemplate, pending: Option<&str>, previous: Option<&str>) -> MockServer {
    let server = MockServer::start().await;
    respond(&server, CURRENT, current).await;
    for (label, value) in [(PENDING, pending), (PREVIOUS, previous)] {
        let missing = || refusal(400, "com.amazonaws.secretsmanager#ResourceNotFoundException");
        respond(&server, label, value.map_or_else(missing, text)).await;
    }
    server
}

#[tokio::test]
async fn pending_version_comes_before_the_previous_one() {
    for (pending, previous, other) in [
        (None, None, None),
        (None, Some("before"), Some("before")),
        (Some("next"), Some("before"), Some("next")),
        (Some("now"), Some("before"), Some("before")),
    ] {
        let server = service(text("now"), pending, previous).await;
        let secret = read(&aws(&server), ARN, NOW).await.unwrap();
        assert_eq!(secret.current, "now");
        assert_eq!(secret.other.as_deref(), other);
    }
}

#[tokio::test]
async fn calls_are_signed_for_the_region_of_the_secret() {
    let server = service(text("now"), None, None).await;
    read(&aws(&server), ARN, NOW).await.unwrap();
    for request in server.received_requests().await.unwrap() {
        let signature = request.headers["authorization"].to_str().unwrap();
        let scope = "AWS4-HMAC-SHA256 Credential=id/20261122/eu-west-3/secretsmanager/aws4_request, ";
        assert!(signature.starts_with(scope), "{signature}");
        assert!(signature.contains("content-type;host;x-amz-date;x-amz-security-token;x-amz-target"));
    }
}

#[tokio::test]
async fn missing_secrets_are_named_and_failures_retried() {
    for (response, words, calls) in [
        (
            refusal(400, "AccessDeniedException"),
            "refuses with 400 Bad Request AccessDeniedException",
            1,
        ),
        (
            refusal(400, "ResourceNotFoundException"),
            "ResourceNotFoundException",
            1,
        ),
        (refusal(400, "ThrottlingException"), "ThrottlingException", 3),
        (refusal(500, "InternalServiceError"), "InternalServiceError", 3),
        (ResponseTemplate::new(503).set_body_string("<busy/>"), "503", 3),
        (ResponseTemplate::new(200).set_body_string("{"), "does not respond", 1),
        (
            ResponseTemplate::new(200).set_body_json(json!({ "SecretBinary": "aa" })),
            "no text",
            1,
        ),
    ] {
        let server = service(response, None, None).await;
        let error = read(&aws(&server), ARN, NOW).await.err().unwrap().to_string();
        assert!(error.contains(words), "{error}");
        let all = server.received_requests().await.unwrap();
        let current = all
            .iter()
            .filter(|call| String::from_utf8_lossy(&call.body).contains(CURRENT));
        assert_eq!(current.count(), calls, "{words}");
    }
}

#[tokio::test]
async fn missing_region_or_credentials_prevent_the_call() {
    let none = Aws::default();
    let error = read(&none, "Key", NOW).await.err().unwrap();
    assert!(matches!(error, SecretReadError::NoRegion));
    let error = read(&none, ARN, NOW).await.err().unwrap();
    assert!(matches!(error, SecretReadError::NoCredentials(_)));
}
