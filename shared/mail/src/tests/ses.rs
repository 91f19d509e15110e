//! Delivery by the AWS SDK to a server that speaks the protocol of SES.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use bespoke_services::http::{self, CALL_TIMEOUT_MS, Http};
use bespoke_services::mail::{MailError, MailTransport, SesSettings};
use bespoke_storage::aws;
use reqwest::Method;
use serde_json::Value;

use super::{mail, settings};
use crate::mailer;

/// AWS on this machine, for as long as a test needs it.
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

    /// What was sent, as the server keeps it.
    async fn sent(&self) -> Value {
        let request = Http::new(CALL_TIMEOUT_MS).request(Method::GET, format!("{}/moto-api/data.json", self.endpoint));
        let all: Value = http::send(request).await.unwrap().json().unwrap();
        all["ses"]["RawMessage"].clone()
    }
}

impl Drop for Aws {
    fn drop(&mut self) {
        // It may be gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test]
async fn a_mail_goes_as_the_whole_message_to_one_address() {
    let aws = Aws::start();
    let mailer = mailer(&settings(MailTransport::Ses(aws.settings())), None).unwrap();
    let refused = mailer.deliver(&mail("jane@example.com")).await;
    assert!(
        matches!(&refused, Err(MailError::Refused(text)) if text == "SES answered MessageRejected"),
        "who sends is not verified: {refused:?}"
    );
    let client = crate::ses::connect(&aws.settings());
    let identity = client.create_email_identity().email_identity("info@bespoke.example");
    identity.send().await.unwrap();
    mailer.deliver(&mail("jane@example.com")).await.unwrap();
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
async fn a_service_that_is_away_is_tried_again() {
    let mut ses = Aws::start().settings();
    ses.endpoint = Some("http://127.0.0.1:1".into());
    let mailer = mailer(&settings(MailTransport::Ses(ses)), None).unwrap();
    let failed = mailer.deliver(&mail("jane@example.com")).await;
    assert!(matches!(failed, Err(MailError::Failed(_))), "{failed:?}");
}
