//! Parses the settings of mails: methods of [`Environment`] that return the transport, the sender and the recipients.

use std::path::Path;

use bespoke_services::mail::{MailSettings, MailTransport, SesSettings};
use lettre::message::{Mailbox, Mailboxes};

use super::environment::Environment;
use super::error::{ConfigError, invalid};
use super::website::Website;

const DEFAULT_FROM: &str = "Bespoke <bespoke@localhost.localdomain>";
const ADDRESS_EXPECTED: &str = "must be an e-mail address, for example Bespoke <bespoke@example.org>";
const ADDRESSES_EXPECTED: &str = r#"must be a JSON array of e-mail addresses, for example ["jane@example.org"]"#;
const DEFAULT_SES_REGION: &str = "us-east-1";

impl Environment {
    pub(super) fn mail(&self, data_dir: &Path) -> Result<MailSettings, ConfigError> {
        Ok(MailSettings {
            from: self.mail_from()?,
            reply_to: self.reply_to()?,
            service: self
                .text("BACKEND_SERVICE_NAME")
                .unwrap_or_else(|| "FreeSewing".to_owned()),
            website: self.website()?.as_ref().map(Website::url),
            postal_address: self.text("BACKEND_MAIL_POSTAL_ADDRESS"),
            transport: self.mail_transport(data_dir)?,
        })
    }

    /// The sender. The setting of the original backend comes first, because it is set in a configuration that uses SES.
    fn mail_from(&self) -> Result<Mailbox, ConfigError> {
        let name = match self.text("BACKEND_AWS_SES_FROM") {
            Some(_) => "BACKEND_AWS_SES_FROM",
            None => "BACKEND_MAIL_FROM",
        };
        self.parse_with(name, DEFAULT_FROM, |text| text.parse().map_err(|_| ADDRESS_EXPECTED))
    }

    /// The reply addresses, in the form of a mail header, or as a JSON array in the setting of the original backend.
    fn reply_to(&self) -> Result<Mailboxes, ConfigError> {
        let original = "BACKEND_AWS_SES_REPLY_TO";
        let Some(json) = self.text(original) else {
            let expected = "must be e-mail addresses, for example Jane <jane@example.org>, joe@example.org";
            return self.parse("BACKEND_MAIL_REPLY_TO", Mailboxes::new(), expected);
        };
        let list: Vec<String> = serde_json::from_str(&json).map_err(|_| invalid(original, ADDRESSES_EXPECTED))?;
        let parsed: Result<Vec<Mailbox>, _> = list.iter().map(|address| address.parse()).collect();
        Ok(parsed.map_err(|_| invalid(original, ADDRESSES_EXPECTED))?.into())
    }

    fn mail_transport(&self, data_dir: &Path) -> Result<MailTransport, ConfigError> {
        let smtp = "BACKEND_SMTP_URL";
        match (self.text(smtp), self.flag("BACKEND_ENABLE_AWS_SES")?) {
            (Some(_), true) => Err(invalid(smtp, "cannot be set together with BACKEND_ENABLE_AWS_SES")),
            // The value contains a password, so the message must not repeat it.
            (Some(url), _) if !(url.starts_with("smtp://") || url.starts_with("smtps://")) => Err(invalid(
                smtp,
                "must be a URL such as smtps://user:password@mail.example.org:465, or with smtp://",
            )),
            (Some(url), _) => Ok(MailTransport::Smtp(url)),
            (None, true) => Ok(MailTransport::Ses(self.ses())),
            (None, false) => Ok(MailTransport::Folder(data_dir.join("outbox"))),
        }
    }

    fn ses(&self) -> SesSettings {
        let aws = self.aws("SESV2");
        SesSettings {
            region: self
                .text("BACKEND_AWS_SES_REGION")
                .unwrap_or_else(|| DEFAULT_SES_REGION.to_owned()),
            endpoint: self.text("BACKEND_AWS_SES_URL").or(aws.endpoint),
            configuration_set: self.text("BACKEND_AWS_SES_CONFIGURATION_SET"),
            access: aws.access,
            feedback: self.text("BACKEND_AWS_SES_FEEDBACK"),
        }
    }
}
