//! Tests of the delivery to a server that speaks the protocol of SES.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use bespoke_services::http::{self, CALL_TIMEOUT_MS, Http};
use bespoke_services::mail::{MailError, MailTransport, SesSettings};
use bespoke_storage::aws;
use reqwest::Method;
use serde_json::{Value, json};
use wiremock::matchers::{header, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::{NOW, mail, settings};
use crate::mailer;

/// A mock of AWS on loopback.
struct Aws {
    child: Child,
    endpoint: String,
}

impl Aws {
    fn start() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let python = root.join(".venv/bin/python");
        assert!(python.exists(), "run make check (or ci/install)");
        let mut child = Command::new(python)
            .arg(root.join("shared/storage/tests/support/s3_server.py"))
            .arg("unused")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut endpoint = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut endpoint)
            .unwrap();
        Self {
            child,
            endpoint: endpoint.trim_end().to_owned(),
        }
    }

    fn settings(&self) -> SesSettings {
        SesSettings {
            region: "us-east-1".into(),
            endpoint: Some(self.endpoint.clone()),
            access: Some(aws::Aws::access("test".into(), "test".into(), None)),
            ..SesSettings::default()
        }
    }

    /// Verifies a sender address.
    async fn verify(&self, address: &str) {
        let request =
            Http::new(CALL_TIMEOUT_MS).request(Method::POST, format!("{}/v2/email/identities", self.endpoint));
        // The mock takes the name of the service from the credential scope.
        let scope =
            "AWS4-HMAC-SHA256 Credential=test/20261130/us-east-1/ses/aws4_request, SignedHeaders=host, Signature=0";
        let request = request
            .header("authorization", scope)
            .json(&json!({ "EmailIdentity": address }));
        http::send(request).await.unwrap().success().unwrap();
    }

    /// Returns the messages that the mock received.
    async fn sent(&self) -> Value {
        let request = Http::new(CALL_TIMEOUT_MS).request(Method::GET, format!("{}/moto-api/data.json", self.endpoint));
        let all: Value = http::send(request).await.unwrap().json().unwrap();
        all["ses"]["RawMessage"].clone()
    }
}

impl Drop for Aws {
    fn drop(&mut self) {
        // The process may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test]
async fn mail_is_sent_as_a_complete_message() {
    let aws = Aws::start();
    let mailer = mailer(&settings(MailTransport::Ses(aws.settings())), None).unwrap();
    let refused = mailer.deliver(&mail("jane@example.com"), NOW).await;
    assert!(
        matches!(&refused, Err(MailError::Refused(text)) if text == "SES refused with MessageRejected"),
        "who sends is not verified: {refused:?}"
    );
    aws.verify("info@bespoke.example").await;
    mailer.deliver(&mail("jane@example.com"), NOW).await.unwrap();
    let sent = aws.sent().await;
    let [message] = sent.as_array().unwrap().as_slice() else {
        panic!("{sent}")
    };
    let raw = message["raw_data"].as_str().unwrap();
    for expected in [
        "To: jane@example.com",
        "check=2",
        "<html lang=\"en\">",
        "Content-Language: en",
    ] {
        assert!(raw.contains(expected), "{expected} in {raw}");
    }
    let to = message["destinations"].to_string();
    assert!(
        to.contains("jane@example.com") && !to.contains("bespoke.example"),
        "{to}"
    );
}

#[tokio::test]
async fn unavailable_service_is_a_temporary_failure() {
    let mut ses = Aws::start().settings();
    ses.endpoint = Some("http://127.0.0.1:1".into());
    let mailer = mailer(&settings(MailTransport::Ses(ses)), None).unwrap();
    let failed = mailer.deliver(&mail("jane@example.com"), NOW).await;
    assert!(matches!(failed, Err(MailError::Failed(_))), "{failed:?}");
}

#[tokio::test]
async fn settings_are_sent_and_account_errors_are_temporary() {
    let server = MockServer::start().await;
    let refusal = ResponseTemplate::new(429).insert_header("x-amzn-errortype", "TooManyRequestsException");
    Mock::given(path("/v2/email/outbound-emails"))
        .and(header("content-type", "application/json"))
        .respond_with(refusal)
        .mount(&server)
        .await;
    let ses = SesSettings {
        region: "eu-west-3".into(),
        endpoint: Some(server.uri()),
        access: Some(aws::Aws::access("id".into(), "secret".into(), Some("session".into()))),
        configuration_set: Some("marketing".into()),
        feedback: Some("bounces@bespoke.example".into()),
    };
    let mailer = mailer(&settings(MailTransport::Ses(ses)), None).unwrap();
    let failed = mailer.deliver(&mail("jane@example.com"), NOW).await;
    assert!(
        matches!(&failed, Err(MailError::Failed(text)) if text.ends_with("TooManyRequestsException")),
        "{failed:?}"
    );
    let requests = server.received_requests().await.unwrap();
    let [request] = requests.as_slice() else {
        panic!("{} requests", requests.len())
    };
    let body: Value = request.body_json().unwrap();
    assert_eq!(body["FromEmailAddress"], "Bespoke <info@bespoke.example>");
    assert_eq!(body["Destination"], json!({ "ToAddresses": ["jane@example.com"] }));
    assert_eq!(body["ConfigurationSetName"], "marketing");
    assert_eq!(body["FeedbackForwardingEmailAddress"], "bounces@bespoke.example");
    let signature = request.headers["authorization"].to_str().unwrap();
    let scope = "AWS4-HMAC-SHA256 Credential=id/20261122/eu-west-3/ses/aws4_request, ";
    assert!(signature.starts_with(scope), "{signature}");
    assert_eq!(request.headers["x-amz-security-token"], "session");
}
