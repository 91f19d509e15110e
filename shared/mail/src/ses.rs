//! Delivery by AWS SES (API version 2).

use std::sync::OnceLock;
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_sesv2::Client;
use aws_sdk_sesv2::config::retry::{ReconnectMode, RetryConfig};
use aws_sdk_sesv2::config::timeout::TimeoutConfig;
use aws_sdk_sesv2::config::{Builder, Region};
use aws_sdk_sesv2::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sesv2::operation::send_email::SendEmailError;
use aws_sdk_sesv2::primitives::Blob;
use aws_sdk_sesv2::types::{Destination, EmailContent, RawMessage};
use bespoke_core::entity::mail::OutboxMail;
use bespoke_services::mail::{MailError, MailSettings, Mailer, SesSettings};
use bespoke_storage::aws::http_client;

use crate::compose;

/// How long a connection may take to come about, in milliseconds.
const CONNECT_TIMEOUT_MS: u64 = 3_000;
/// How long the whole call may take, in milliseconds.
const CALL_TIMEOUT_MS: u64 = 20_000;

/// Sends mails by SES. What is sent is the whole message, so that its headers are ours.
pub(crate) struct SesMailer {
    ses: SesSettings,
    settings: MailSettings,
    client: OnceLock<Client>,
}

impl SesMailer {
    pub(crate) fn new(ses: SesSettings, settings: MailSettings) -> Self {
        Self {
            ses,
            settings,
            client: OnceLock::new(),
        }
    }

    /// Made for the first mail: most runs of maintenance have none.
    fn client(&self) -> &Client {
        self.client.get_or_init(|| connect(&self.ses))
    }
}

/// A call is not repeated here: one that was answered too late may have sent the mail.
pub(crate) fn connect(ses: &SesSettings) -> Client {
    let timeouts = TimeoutConfig::builder()
        .operation_timeout(Duration::from_millis(CALL_TIMEOUT_MS))
        .build();
    let mut config = Builder::new()
        .http_client(http_client(
            Duration::from_millis(CONNECT_TIMEOUT_MS),
            Duration::from_millis(CALL_TIMEOUT_MS),
        ))
        .timeout_config(timeouts)
        .retry_config(RetryConfig::disabled().with_reconnect_mode(ReconnectMode::ReuseAllConnections))
        .region(Region::new(ses.region.clone()));
    config.set_endpoint_url(ses.endpoint.clone());
    config.set_credentials_provider(ses.access.clone());
    Client::from_conf(config.build())
}

#[async_trait]
impl Mailer for SesMailer {
    async fn deliver(&self, mail: &OutboxMail) -> Result<(), MailError> {
        let message = compose(mail, &self.settings)?.formatted();
        let raw = RawMessage::builder()
            .data(Blob::new(message))
            .build()
            .map_err(|error| MailError::Refused(error.to_string()))?;
        let send = self
            .client()
            .send_email()
            .from_email_address(self.settings.from.to_string())
            .destination(Destination::builder().to_addresses(&mail.to).build())
            .content(EmailContent::builder().raw(raw).build())
            .set_configuration_set_name(self.ses.configuration_set.clone())
            .set_feedback_forwarding_email_address(self.ses.feedback.clone());
        send.send().await.map(drop).map_err(of)
    }
}

/// The service's own words may repeat the address, so only the name of the error is kept.
fn of<R>(error: SdkError<SendEmailError, R>) -> MailError {
    let Some(refusal) = error.as_service_error() else {
        return MailError::Failed("SES did not answer".to_owned());
    };
    let name = refusal.code().unwrap_or("an error without a name");
    // What is wrong with the account (paused, not verified yet, over its limits) passes; what is wrong with the mail stays.
    let hopeless = refusal.is_message_rejected() || refusal.is_bad_request_exception();
    let text = format!("SES answered {name}");
    if hopeless {
        MailError::Refused(text)
    } else {
        MailError::Failed(text)
    }
}
