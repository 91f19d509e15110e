//! [`SmtpMailer`]: delivers mails to an SMTP server.

use std::time::Duration;

use async_trait::async_trait;
use bespoke_core::Timestamp;
use bespoke_core::entity::mail::OutboxMail;
use bespoke_services::mail::{MailError, MailSettings, Mailer};
use lettre::transport::smtp::{Error, PoolConfig};
use lettre::{AsyncSmtpTransport, AsyncTransport, Tokio1Executor};

use crate::compose;

/// Timeout of a response of the server, in seconds.
const TIMEOUT_S: u64 = 20;
/// The maximum number of connections.
const MAX_CONNECTIONS: u32 = 2;

/// Sends mails by SMTP.
pub(crate) struct SmtpMailer {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    settings: MailSettings,
}

impl SmtpMailer {
    /// Creates a mailer for the server of that URL.
    pub(crate) fn new(url: &str, settings: MailSettings) -> Result<Self, MailError> {
        let transport = AsyncSmtpTransport::<Tokio1Executor>::from_url(url)
            .map_err(|_| MailError::Refused("the URL of the SMTP server cannot be used".to_owned()))?;
        Ok(Self {
            transport: transport
                .timeout(Some(Duration::from_secs(TIMEOUT_S)))
                .pool_config(PoolConfig::new().max_size(MAX_CONNECTIONS))
                .build(),
            settings,
        })
    }
}

#[async_trait]
impl Mailer for SmtpMailer {
    async fn deliver(&self, mail: &OutboxMail, _: Timestamp) -> Result<(), MailError> {
        let message = compose(mail, &self.settings)?;
        let result = self.transport.send(message).await;
        result.map(drop).map_err(|error| match &error {
            // The server would reject the address at each attempt.
            error if error.is_client() && !mail.to.is_ascii() => {
                MailError::Refused("the address has characters that the server does not support (SMTPUTF8)".to_owned())
            }
            _ => mail_error(error),
        })
    }
}

/// Converts an error. Keeps only the code of the server, because its text may repeat the address.
fn mail_error(error: Error) -> MailError {
    let code = error.status().map(|code| format!("the server responded with {code}"));
    if error.is_permanent() {
        MailError::Refused(code.unwrap_or_else(|| "for good".to_owned()))
    } else if error.is_timeout() {
        MailError::Failed("the server did not respond in time".to_owned())
    } else if let Some(code) = code {
        MailError::Failed(code)
    } else if error.is_tls() {
        MailError::Failed("the TLS connection failed".to_owned())
    } else {
        MailError::Failed("the connection failed".to_owned())
    }
}
