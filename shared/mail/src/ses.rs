//! [`SesMailer`]: delivers mails by AWS SES (API version 2).

use std::sync::OnceLock;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bespoke_core::Timestamp;
use bespoke_core::entity::mail::OutboxMail;
use bespoke_services::aws::{AwsError, Service, ServiceSettings, headers};
use bespoke_services::mail::{MailError, MailSettings, Mailer, SesSettings};
use http::header::CONTENT_TYPE;
use serde::Serialize;

use crate::compose;

/// Timeout for connecting, TLS included, in milliseconds.
const CONNECT_TIMEOUT_MS: u64 = 3_000;
/// Timeout of a complete call, in milliseconds.
const CALL_TIMEOUT_MS: u64 = 20_000;
/// Path of the operation `SendEmail`.
const SEND_EMAIL: &str = "/v2/email/outbound-emails";
/// Codes of errors with which the service rejects this mail permanently.
const PERMANENT_ERRORS: [&str; 2] = ["MessageRejected", "BadRequestException"];

/// Sends mails by SES as complete messages, so that SES does not write their headers.
pub(crate) struct SesMailer {
    ses: SesSettings,
    settings: MailSettings,
    service: OnceLock<Service>,
}

/// Body of `SendEmail`.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct SendEmail<'a> {
    from_email_address: String,
    destination: Destination<'a>,
    content: Content,
    #[serde(skip_serializing_if = "Option::is_none")]
    configuration_set_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    feedback_forwarding_email_address: Option<&'a str>,
}

/// Recipients.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Destination<'a> {
    to_addresses: [&'a str; 1],
}

/// A message in the format of RFC 5322.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Content {
    raw: RawMessage,
}

/// The bytes of a message, in Base64.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct RawMessage {
    data: String,
}

impl SesMailer {
    pub(crate) fn new(ses: SesSettings, settings: MailSettings) -> Self {
        Self {
            ses,
            settings,
            service: OnceLock::new(),
        }
    }

    /// The service is created for the first mail, because most runs of maintenance have none.
    fn service(&self) -> &Service {
        self.service.get_or_init(|| {
            Service::new(ServiceSettings {
                host: "email",
                signing_name: "ses",
                region: self.ses.region.clone(),
                endpoint: self.ses.endpoint.clone(),
                access: self.ses.access.clone(),
                connect_timeout_ms: CONNECT_TIMEOUT_MS,
                call_timeout_ms: CALL_TIMEOUT_MS,
            })
        })
    }
}

#[async_trait]
impl Mailer for SesMailer {
    /// Calls the service only once, because a call without a timely response may have sent the mail.
    async fn deliver(&self, mail: &OutboxMail, now: Timestamp) -> Result<(), MailError> {
        let data = STANDARD.encode(compose(mail, &self.settings)?.formatted());
        let body = SendEmail {
            from_email_address: self.settings.from.to_string(),
            destination: Destination {
                to_addresses: [&mail.to],
            },
            content: Content {
                raw: RawMessage { data },
            },
            configuration_set_name: self.ses.configuration_set.as_deref(),
            feedback_forwarding_email_address: self.ses.feedback.as_deref(),
        };
        let body = serde_json::to_string(&body).map_err(|error| MailError::Refused(error.to_string()))?;
        let headers = headers([(CONTENT_TYPE, "application/json")]);
        let response = self.service().post(SEND_EMAIL, headers, body, now).await;
        response.map(drop).map_err(mail_error)
    }
}

/// Errors of the account (paused, not verified yet, over its limits) are temporary; errors of the mail are permanent.
fn mail_error(error: AwsError) -> MailError {
    match error {
        AwsError::NoCredentials(text) => MailError::Failed(format!("no credentials of AWS: {text}")),
        AwsError::NoResponse(_) => MailError::Failed("SES did not respond".to_owned()),
        AwsError::Refused { code, .. } if PERMANENT_ERRORS.contains(&code.as_str()) => {
            MailError::Refused(format!("SES refused with {code}"))
        }
        AwsError::Refused { status, code } => MailError::Failed(format!("SES refused with {status} {code}")),
    }
}
